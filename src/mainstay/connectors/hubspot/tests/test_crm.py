from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any

import pytest

from mainstay.connectors.hubspot.crm import HubSpotCRM, _same_number, classify, record_url
from mainstay.kit import NeedsHumanError, PermanentError, Response, TransientError
from mainstay.sandbox import SandboxProcess
from tests.connectors.crm_conformance import (
    Bench,
    CRMConformance,
    CRMVendor,
    bench,
    person,
    sandbox,
)
from tests.connectors.hubspot_crm import Vendor, connection

__all__ = ["bench", "sandbox"]


@pytest.fixture
def vendor(sandbox: SandboxProcess) -> CRMVendor:
    return Vendor()


@pytest.fixture(autouse=True)
def _tag_property(bench: Bench) -> None:
    bench.sandbox.configure("hubspot", properties=["mainstay_tags", "job_type", "lead_source"])


class TestConformance(CRMConformance):
    by_phone = MappingProxyType({"match_phone": True})


async def test_a_new_contact_with_tags_is_one_call(bench: Bench) -> None:
    await bench.crm().push_contact(person(tags=("a", "b")), "")
    assert await bench.calls() == 1


async def test_the_409_names_the_contact(bench: Bench) -> None:
    there = await bench.seed(email="sarah@example.com")

    pushed = await bench.crm().push_contact(person(), "")

    assert pushed.external_id == there.id
    assert [(r["method"], r["status"]) for r in await bench.requests()] == [("POST", 409), ("PATCH", 200)]


async def test_a_phone_is_searched_before_a_contact_without_email_is_created(bench: Bench) -> None:
    await bench.crm().push_contact(person(email=""), "")

    search, create = await bench.requests()

    assert search["path"].endswith("/contacts/search")
    assert set(json.loads(search["body"])) == {"after", "filterGroups", "limit", "properties", "sorts"}
    values = {item["value"] for group in json.loads(search["body"])["filterGroups"] for item in group["filters"]}
    assert values == {"+13125550147", "3125550147"}
    assert create["method"] == "POST"


@pytest.mark.parametrize("there", ["+1 312-555-0147", "(312) 555-0147", "0013125550147", "13125550147"])
def test_a_phone_is_the_same_however_people_wrote_it(there: str) -> None:
    assert _same_number(there, "13125550147", "3125550147")


@pytest.mark.parametrize("there", ["", "+44 312 555 0147", "555-0147", "n/a"])
def test_another_countrys_phone_is_not_the_same(there: str) -> None:
    assert not _same_number(there, "13125550147", "3125550147")


async def test_by_setting_a_contact_with_email_is_looked_for_by_phone_too(bench: Bench) -> None:
    someone_else = await bench.seed(phone="+13125550147", email="robert@example.com")
    caller = await bench.seed(phone="+13125550147")

    pushed = await bench.crm(match_phone=True).push_contact(person(), "")

    assert pushed.external_id == caller.id
    held = {contact.id: contact for contact in await bench.contacts()}
    assert held[caller.id].email == "sarah@example.com"
    assert held[someone_else.id] == someone_else


async def test_an_unsure_create_without_email_waits_out_the_search_lag(bench: Bench) -> None:
    await bench.fault("drop_after", path="/crm/v3/objects/contacts")

    with pytest.raises(TransientError) as caught:
        await bench.crm().push_contact(person(email=""), "")

    assert (caught.value.unsure, caught.value.retry_after) == (True, 30)


async def test_further_properties_are_those_of_the_settings(bench: Bench) -> None:
    properties = {"job": "job_type", "source": "lead_source"}
    contact = person(source="website", custom={"job": "Boiler", "unknown": "x"})

    pushed = await bench.crm(properties=properties).push_contact(contact, "")
    read = await bench.crm(properties=properties).fetch_contact(pushed.external_id)

    (create, _) = await bench.requests()
    assert json.loads(create["body"])["properties"] == {
        "email": "sarah@example.com",
        "phone": "+13125550147",
        "firstname": "Sarah",
        "job_type": "Boiler",
        "lead_source": "website",
    }
    assert read is not None
    assert (read.source, dict(read.custom)) == ("website", {"job": "Boiler"})


async def test_a_missing_tag_property_needs_a_person_and_says_how_to_make_it(bench: Bench) -> None:
    there = await bench.seed(email="robert@example.com")
    bench.sandbox.configure("hubspot", properties=[])

    with pytest.raises(NeedsHumanError, match="create it in HubSpot"):
        await bench.crm().push_contact(person(tags=("vip",)), "")
    with pytest.raises(NeedsHumanError, match="create it in HubSpot"):
        await bench.crm().push_contact(person(tags=("vip",)), there.id)
    with pytest.raises(NeedsHumanError, match="create it in HubSpot"):
        await bench.crm().add_tag(there.id, "vip")


async def test_without_a_tag_property_tags_stay_here(bench: Bench) -> None:
    pushed = await bench.crm(tag_property="").push_contact(person(tags=("vip",)), "")

    assert (await bench.only()).tags == ()
    with pytest.raises(NeedsHumanError, match="tag_property"):
        await bench.crm(tag_property="").add_tag(pushed.external_id, "vip")


async def test_a_semicolon_does_not_make_two_tags(bench: Bench) -> None:
    await bench.crm().push_contact(person(tags=("a; b",)), "")
    assert (await bench.only()).tags == ("a, b",)


async def test_a_note_is_text_not_markup(bench: Bench) -> None:
    there = await bench.seed(email="sarah@example.com")

    await bench.crm().add_note(there.id, "5 < 6 & <b>bold</b>\nsecond line")

    (note,) = await bench.notes()
    assert note.text == "5 &lt; 6 &amp; &lt;b&gt;bold&lt;/b&gt;<br>second line"


def test_record_url_needs_the_portal() -> None:
    assert record_url(connection(), "101") == ""
    assert record_url(connection(portal_id="62515"), "101") == ("https://app.hubspot.com/contacts/62515/record/0-1/101")


@pytest.mark.parametrize(
    ("status", "data", "retry_after", "wait"),
    [
        (429, {"policyName": "TEN_SECONDLY_ROLLING"}, "", 10),
        (429, {"policyName": "DAILY"}, "", 3600),
        (429, {"message": "You have reached your secondly limit."}, "", 1),
        (429, {"policyName": ["DAILY"]}, "", 10),
        (429, None, "", 10),
        (429, {"policyName": "DAILY"}, "5", 5),
        (423, {}, "", 2),
        (477, {}, "", 600),
        (477, {}, "30", 30),
        (502, {}, "", None),
    ],
)
def test_each_limit_has_its_own_wait(status: int, data: Any, retry_after: str, wait: float | None) -> None:
    error = classify(Response(status, {"retry-after": retry_after}, b"", data))
    assert isinstance(error, TransientError)
    assert error.retry_after == wait


async def test_two_contacts_are_merged_under_a_new_id_and_a_repeat_finds_it_done(bench: Bench) -> None:
    one = await bench.seed(email="sarah@example.com", first_name="Sarah")
    other = await bench.seed(email="sj@example.com", phone="+13125550147", first_name="S")
    crm = bench.crm()
    assert isinstance(crm, HubSpotCRM)

    standing = await crm.merge_contacts(one.id, other.id)
    again = await crm.merge_contacts(one.id, other.id)

    only = await bench.only()
    assert standing == again == only.id
    assert standing not in {one.id, other.id}
    assert (only.email, only.phone, only.first_name) == ("sarah@example.com", "+13125550147", "Sarah")


async def test_what_is_not_there_is_not_merged(bench: Bench) -> None:
    one = await bench.seed(email="sarah@example.com")
    crm = bench.crm()
    assert isinstance(crm, HubSpotCRM)

    with pytest.raises(PermanentError, match=r"did not merge contact 77 into .*both stay"):
        await crm.merge_contacts(one.id, "77")

    assert (await bench.only()).id == one.id
