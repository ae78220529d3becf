from __future__ import annotations

import json
from collections.abc import Mapping
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
    pass


async def test_every_call_has_the_version_header(bench: Bench) -> None:
    pushed = await bench.crm().push_contact(person(tags=("a",)), "")
    await bench.crm().fetch_contact(pushed.external_id)

    assert {request["headers"].get("Version") for request in await bench.requests()} == {"2021-07-28"}


async def test_tags_are_never_part_of_a_contacts_body(bench: Bench) -> None:
    pushed = await bench.crm().push_contact(person(tags=("a",)), "")
    await bench.crm().push_contact(person(tags=("a", "b")), pushed.external_id)

    bodies = [(r["method"], r["path"], r["body"]) for r in await bench.requests()]
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


async def test_a_location_that_matches_by_phone_first_still_gives_the_emails_contact(bench: Bench) -> None:
    bench.sandbox.configure("gohighlevel", match_order=["phone", "email"])
    by_phone = await bench.seed(phone="+13125550147", email="robert@example.com")
    by_email = await bench.seed(email="sarah@example.com")

    pushed = await bench.crm().push_contact(person(last_name="Johnson"), "")

    assert pushed.external_id == by_email.id
    held = {contact.id: contact for contact in await bench.contacts()}
    assert (held[by_email.id].last_name, held[by_email.id].phone) == ("Johnson", "")
    assert (held[by_phone.id].email, held[by_phone.id].phone) == ("robert@example.com", "+13125550147")


async def test_when_the_emails_contact_cannot_be_looked_up_nothing_is_concluded(bench: Bench) -> None:
    bench.sandbox.configure("gohighlevel", match_order=["phone", "email"])
    await bench.seed(phone="+13125550147", email="robert@example.com")
    await bench.seed(email="sarah@example.com")
    await bench.fault("html", path="/contacts/search/duplicate")

    with pytest.raises(TransientError) as caught:
        await bench.crm().push_contact(person(), "")
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

    (request, _) = await bench.requests()
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
