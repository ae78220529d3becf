from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from mainstay.connectors.gohighlevel import CONNECTOR
from mainstay.connectors.gohighlevel.crm import classify, record_url
from mainstay.connectors.gohighlevel.settings import GoHighLevelConnection
from mainstay.kit import ConnectionSettings, NeedsHumanError, PermanentError, Response, TransientError
from mainstay.sandbox import Sandbox
from tests.connectors.crm_conformance import (
    TOKEN,
    Bench,
    CRMConformance,
    CRMVendor,
    Note,
    Stored,
    bench,
    person,
    sandbox,
)

__all__ = ["bench", "sandbox"]
LOCATION = "ve9EPM428h8vShlRW1KT"
_NAMES = {
    "email": "email",
    "phone": "phone",
    "first_name": "firstName",
    "last_name": "lastName",
    "company": "companyName",
}


def connection(base_url: str = "", **more: Any) -> GoHighLevelConnection:
    given = {"connector": "gohighlevel", "token": TOKEN, "location_id": LOCATION, "base_url": base_url}
    return GoHighLevelConnection.model_validate(given | more)


class Vendor:
    name = "gohighlevel"
    connector = CONNECTOR
    unknown_id = "gone0000000000000000"

    def settings(self, base_url: str) -> ConnectionSettings:
        return connection(base_url)

    def seed(self, sandbox: Sandbox, contact: Stored) -> None:
        record = {theirs: value for ours, theirs in _NAMES.items() if (value := getattr(contact, ours))}
        tags = list(contact.tags)
        sandbox.seed("gohighlevel", "contacts", [record | {"locationId": LOCATION, "tags": tags}])

    def contacts(self, state: Mapping[str, Any]) -> list[Stored]:
        return [
            Stored(
                record["id"],
                tags=tuple(record["tags"]),
                **{ours: record.get(theirs) or "" for ours, theirs in _NAMES.items()},
            )
            for record in state["contacts"]
        ]

    def notes(self, state: Mapping[str, Any]) -> list[Note]:
        return [Note(note["contactId"], note["body"]) for note in state["notes"]]


@pytest.fixture
def vendor() -> CRMVendor:
    return Vendor()


class TestConformance(CRMConformance):
    new_contact_calls = 2
    writes = MappingProxyType({"contains": "Sarah"})


async def test_every_call_has_the_version_header(bench: Bench) -> None:
    pushed = await bench.crm().push_contact(person(tags=("a",)), "")
    await bench.crm().fetch_contact(pushed.external_id)

    assert {request["headers"].get("Version") for request in await bench.requests()} == {"2021-07-28"}


async def test_tags_are_never_part_of_a_contacts_body(bench: Bench) -> None:
    pushed = await bench.crm().push_contact(person(tags=("a",)), "")
    await bench.crm().push_contact(person(tags=("a", "b")), pushed.external_id)

    bodies = [(r["method"], r["path"], r["body"]) for r in await bench.requests() if r["method"] != "GET"]
    assert [(method, "tags" in str(body)) for method, path, body in bodies if not path.endswith("/tags")] == [
        ("POST", False),
        ("PUT", False),
    ]


async def test_tags_that_are_there_cost_no_call(bench: Bench) -> None:
    there = await bench.seed(email="sarah@example.com", tags=("vip",))

    await bench.crm().push_contact(person(tags=("VIP",)), there.id)

    assert await bench.calls() == 1


async def test_an_opt_out_is_told_and_never_taken_back(bench: Bench) -> None:
    pushed = await bench.crm().push_contact(person(do_not_contact=True), "")
    there = await bench.crm().fetch_contact(pushed.external_id)
    assert there is not None
    assert there.do_not_contact

    await bench.crm().push_contact(person(), pushed.external_id)
    there = await bench.crm().fetch_contact(pushed.external_id)
    assert there is not None
    assert there.do_not_contact


async def test_an_update_has_no_location(bench: Bench) -> None:
    there = await bench.seed(email="sarah@example.com")

    await bench.crm().push_contact(person(), there.id)

    (request,) = await bench.requests()
    assert (request["method"], "locationId" in str(request["body"])) == ("PUT", False)


@pytest.mark.parametrize("order", [["email", "phone"], ["phone", "email"]])
@pytest.mark.parametrize("look_first", [True, False])
async def test_in_whatever_order_a_location_matches_the_emails_contact_is_ours(
    bench: Bench, order: list[str], look_first: bool
) -> None:
    bench.sandbox.configure("gohighlevel", match_order=order)
    by_phone = await bench.seed(phone="+13125550147", email="robert@example.com", last_name="Roe")
    by_email = await bench.seed(email="sarah@example.com")

    crm = bench.crm(look_first=look_first)
    pushed = await crm.push_contact(person(last_name="Johnson", company="Acme"), "")

    assert pushed.external_id == by_email.id
    held = {contact.id: contact for contact in await bench.contacts()}
    assert (held[by_email.id].last_name, held[by_email.id].phone, held[by_email.id].company) == ("Johnson", "", "Acme")
    assert (held[by_phone.id].email, held[by_phone.id].phone) == ("robert@example.com", "+13125550147")
    # Without a look first the vendor writes into whom it finds by phone, before anybody learns of the other.
    assert (held[by_phone.id].last_name == "Roe") == (look_first or order[0] == "email")


@pytest.mark.parametrize("order", [["email", "phone"], ["phone", "email"]])
async def test_who_has_the_same_number_and_another_email_is_somebody_else(bench: Bench, order: list[str]) -> None:
    bench.sandbox.configure("gohighlevel", match_order=order)
    robert = await bench.seed(phone="+13125550147", email="robert@example.com", last_name="Roe")

    pushed = await bench.crm().push_contact(person(), "")

    held = {contact.id: contact for contact in await bench.contacts()}
    assert pushed.created
    assert held.pop(robert.id) == robert
    assert [(each.email, each.phone) for each in held.values()] == [("sarah@example.com", "")]


@pytest.mark.parametrize("phone", ["+13125550147", ""])
async def test_a_secondary_email_finds_its_contact_and_the_primary_one_stays(bench: Bench, phone: str) -> None:
    office = {"locationId": LOCATION, "email": "office@example.com", "additionalEmails": ["sarah@example.com"]}
    bench.sandbox.seed("gohighlevel", "contacts", [office])

    pushed = await bench.crm().push_contact(person(phone=phone), "")
    await bench.crm().push_contact(person(phone=phone, last_name="Johnson"), pushed.external_id)

    written = await bench.only()
    assert (pushed.external_id, pushed.created) == (written.id, False)
    assert (written.email, written.first_name, written.phone) == ("office@example.com", "Sarah", phone)
    assert written.last_name == "Johnson"


async def test_an_email_alone_is_changed_too_unless_somebody_has_it(bench: Bench) -> None:
    await bench.seed(email="taken@example.com")
    ours = await bench.seed(email="old@example.com")
    nothing = {"phone": "", "first_name": ""}

    await bench.crm().push_contact(person(email="taken@example.com", **nothing), ours.id)
    assert [each.email for each in await bench.contacts()] == ["taken@example.com", "old@example.com"]
    await bench.crm().push_contact(person(email="new@example.com", **nothing), ours.id)
    assert [each.email for each in await bench.contacts()] == ["taken@example.com", "new@example.com"]


async def test_the_vendor_itself_drops_the_primary_email_of_an_upsert_by_a_secondary_one(bench: Bench) -> None:
    office = {"locationId": LOCATION, "email": "office@example.com", "additionalEmails": ["sarah@example.com"]}
    bench.sandbox.seed("gohighlevel", "contacts", [office])

    await bench.crm(look_first=False).push_contact(person(), "")

    assert (await bench.only()).email == "sarah@example.com"


async def test_a_refused_create_that_made_the_contact_all_the_same_is_found(bench: Bench) -> None:
    await bench.fault("status_after", status=422, path="/contacts/upsert")

    pushed = await bench.crm().push_contact(person(tags=("new lead",)), "")

    stored = await bench.only()
    assert (pushed.external_id, pushed.created, stored.tags) == (stored.id, True, ("new lead",))


async def test_a_refused_create_that_made_nothing_says_why(bench: Bench) -> None:
    await bench.fault("status", status=422, path="/contacts/upsert")

    with pytest.raises(PermanentError, match="unprocessable") as caught:
        await bench.crm().push_contact(person(), "")

    assert caught.value.unsure
    assert await bench.contacts() == []


async def test_a_company_reaches_a_contact_that_was_found(bench: Bench) -> None:
    await bench.seed(email="sarah@example.com", company="Roe Ltd")

    await bench.crm().push_contact(person(company="Acme Plumbing"), "")

    assert (await bench.only()).company == "Acme Plumbing"


@pytest.mark.parametrize("look_first", [True, False])
async def test_when_the_emails_contact_cannot_be_looked_up_nothing_is_concluded(bench: Bench, look_first: bool) -> None:
    bench.sandbox.configure("gohighlevel", match_order=["phone", "email"])
    await bench.seed(phone="+13125550147", email="robert@example.com")
    await bench.seed(email="sarah@example.com")
    await bench.fault("html", path="/contacts/search/duplicate")

    with pytest.raises(TransientError) as caught:
        await bench.crm(look_first=look_first).push_contact(person(), "")
    assert caught.value.unsure


async def test_a_refused_duplicate_counts_as_found(bench: Bench) -> None:
    other = await bench.seed(phone="+13125550147", first_name="Other")
    ours = await bench.seed(email="sarah@example.com")

    pushed = await bench.crm().push_contact(person(), ours.id)

    held = {contact.id: contact for contact in await bench.contacts()}
    assert pushed.external_id == ours.id
    assert (held[ours.id].first_name, held[ours.id].phone) == ("Sarah", "")
    assert held[other.id] == other


async def test_custom_fields_go_by_their_id_and_come_back_by_our_key(bench: Bench) -> None:
    fields = {"job_type": "6dvNaf7VhkQ9snc5vnjJ"}

    pushed = await bench.crm(custom_fields=fields).push_contact(person(custom={"job_type": "Boiler", "x": "y"}), "")
    read = await bench.crm(custom_fields=fields).fetch_contact(pushed.external_id)

    (_, request, _) = await bench.requests()
    assert json.loads(request["body"])["customFields"] == [{"id": "6dvNaf7VhkQ9snc5vnjJ", "field_value": "Boiler"}]
    assert read is not None
    assert read.custom["job_type"] == "Boiler"


def test_record_url() -> None:
    assert record_url(connection(), "abc") == (
        f"https://app.gohighlevel.com/v2/location/{LOCATION}/contacts/detail/abc"
    )
    white_label = connection(app_url="https://crm.acme.example/")
    assert record_url(white_label, "abc").startswith(f"https://crm.acme.example/v2/location/{LOCATION}/")


def answer(status: int, data: Any = None, **headers: str) -> Response:
    return Response(status, {name.replace("_", "-"): value for name, value in headers.items()}, b"", data)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry_after": "3"}, 3),
        ({"x_ratelimit_interval_milliseconds": "4000"}, 4),
        ({"x_ratelimit_daily_remaining": "0", "x_ratelimit_interval_milliseconds": "4000"}, 3600),
        ({"x_ratelimit_interval_milliseconds": "soon"}, 10),
        ({}, 10),
    ],
)
def test_a_rate_limit_waits_what_the_headers_say(headers: dict[str, str], wait: float) -> None:
    error = classify(answer(429, {"statusCode": 429, "message": "Too Many Requests"}, **headers))
    assert isinstance(error, TransientError)
    assert error.retry_after == wait


def test_a_422_may_have_created_and_says_each_reason() -> None:
    error = classify(answer(422, {"statusCode": 422, "message": ["property x should not exist", "email must be"]}))
    assert isinstance(error, PermanentError)
    assert error.unsure
    assert "property x should not exist; email must be" in str(error)


def test_a_message_may_be_one_text() -> None:
    error = classify(answer(401, {"statusCode": 401, "message": "Invalid JWT"}))
    assert isinstance(error, NeedsHumanError)
    assert str(error).startswith("401: Invalid JWT. Check ")
