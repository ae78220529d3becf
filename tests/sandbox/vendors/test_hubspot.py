from __future__ import annotations

from typing import Any

import pytest

from mainstay.sandbox import Sandbox
from tests.sandbox.wire import HUBSPOT, Answer, call

CONTACTS = "/crm/v3/objects/contacts"


def hubspot(sandbox: Sandbox, method: str, path: str, body: Any = None) -> Answer:
    return call(method, sandbox.url("hubspot") + path, body, HUBSPOT)


def create(sandbox: Sandbox, **properties: str) -> dict[str, Any]:
    answer = hubspot(sandbox, "POST", CONTACTS, {"properties": properties, "associations": []})
    assert answer.status == 201, answer.body
    value: dict[str, Any] = answer.json()
    return value


def search(sandbox: Sandbox, *filters: dict[str, Any], **changes: Any) -> Any:
    body = {
        "filterGroups": [{"filters": list(filters)}],
        "sorts": [],
        "properties": ["email"],
        "limit": 10,
        "after": "0",
    }
    answer = hubspot(sandbox, "POST", f"{CONTACTS}/search", body | changes)
    assert answer.status == 200, answer.body
    return answer.json()


def test_a_contact_is_created_and_read_by_id_and_email(sandbox: Sandbox) -> None:
    made = create(sandbox, email="Sarah@Example.com", firstname="Sarah", jobtitle="Owner")
    by_id = hubspot(sandbox, "GET", f"{CONTACTS}/{made['id']}?properties=jobtitle&properties=email").json()
    by_email = hubspot(sandbox, "GET", f"{CONTACTS}/sarah%40example.com?idProperty=email").json()
    assert by_id["id"] == by_email["id"] == made["id"]
    assert by_id["properties"]["jobtitle"] == "Owner"
    assert by_email["properties"]["email"] == "sarah@example.com"
    assert "jobtitle" not in by_email["properties"]


def test_a_second_create_is_a_conflict_that_names_the_first(sandbox: Sandbox) -> None:
    made = create(sandbox, email="sarah@example.com")
    refused = hubspot(sandbox, "POST", CONTACTS, {"properties": {"email": "SARAH@example.com"}, "associations": []})
    assert refused.status == 409
    assert refused.json()["category"] == "CONFLICT"
    assert refused.json()["message"] == f"Contact already exists. Existing ID: {made['id']}"


def test_a_patch_by_email_changes_and_clears(sandbox: Sandbox) -> None:
    create(sandbox, email="sarah@example.com", phone="+13125550147")
    path = f"{CONTACTS}/sarah%40example.com?idProperty=email"
    assert hubspot(sandbox, "PATCH", path, {"properties": {"phone": "", "city": "Chicago"}}).status == 200
    held = sandbox.state("hubspot")["contacts"][0]["properties"]
    assert "phone" not in held
    assert held["city"] == "Chicago"
    assert hubspot(sandbox, "PATCH", f"{CONTACTS}/nobody%40example.com?idProperty=email",
                   {"properties": {}}).status == 404  # fmt: skip


@pytest.mark.parametrize("missing", ["after", "filterGroups", "limit", "properties", "sorts"])
def test_search_needs_all_five_fields(sandbox: Sandbox, missing: str) -> None:
    body = {"filterGroups": [], "sorts": [], "properties": [], "limit": 10, "after": "0"}
    del body[missing]
    answer = hubspot(sandbox, "POST", f"{CONTACTS}/search", body)
    assert answer.status == 400
    assert missing in answer.json()["message"]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"operator": "EQ", "value": "a@example.com"}, ["a@example.com"]),
        ({"operator": "EQ", "value": "A@Example.com"}, ["a@example.com"]),
        ({"operator": "NEQ", "value": "a@example.com"}, ["b@example.com"]),
        ({"operator": "IN", "values": ["b@example.com", "c@example.com"]}, ["b@example.com"]),
        ({"operator": "HAS_PROPERTY"}, ["a@example.com", "b@example.com"]),
        ({"operator": "NOT_HAS_PROPERTY"}, [None]),
        ({"operator": "CONTAINS_TOKEN", "value": "example"}, ["a@example.com", "b@example.com"]),
        ({"operator": "CONTAINS_TOKEN", "value": "b@*"}, ["b@example.com"]),
    ],
)
def test_search_operators(sandbox: Sandbox, condition: dict[str, Any], expected: list[str | None]) -> None:
    create(sandbox, email="a@example.com")
    create(sandbox, email="b@example.com")
    create(sandbox, phone="+13125550147")
    found = search(sandbox, {"propertyName": "email"} | condition)
    emails = [record["properties"].get("email") for record in found["results"]]
    if condition["operator"] == "NEQ":
        emails = [email for email in emails if email]
    assert emails == expected


def test_search_compares_times_and_pages_in_order(sandbox: Sandbox) -> None:
    ids = [create(sandbox, email=f"{n}@example.com")["id"] for n in range(3)]
    since = {"propertyName": "lastmodifieddate", "operator": "GTE", "value": "1577836800000"}
    first = search(sandbox, since, limit=2, sorts=["-hs_object_id"])
    assert (first["total"], [record["id"] for record in first["results"]]) == (3, ids[:0:-1])
    rest = search(sandbox, since, limit=2, sorts=["-hs_object_id"], after=first["paging"]["next"]["after"])
    assert [record["id"] for record in rest["results"]] == ids[:1]
    assert "paging" not in rest


def test_search_lags_behind_reads(sandbox: Sandbox) -> None:
    sandbox.configure("hubspot", search_lag_ms=60_000)
    made = create(sandbox, email="sarah@example.com")
    assert hubspot(sandbox, "GET", f"{CONTACTS}/{made['id']}").status == 200
    assert search(sandbox, {"propertyName": "email", "operator": "EQ", "value": "sarah@example.com"})["total"] == 0
    sandbox.configure("hubspot", search_lag_ms=0)
    assert search(sandbox, {"propertyName": "email", "operator": "EQ", "value": "sarah@example.com"})["total"] == 1


def test_a_batch_upsert_creates_and_updates_and_reports_each_failure(sandbox: Sandbox) -> None:
    made = create(sandbox, email="a@example.com")
    inputs = [
        {"id": "a@example.com", "idProperty": "email", "properties": {"firstname": "A"}},
        {"id": "b@example.com", "idProperty": "email", "properties": {"firstname": "B"}},
    ]
    answer = hubspot(sandbox, "POST", f"{CONTACTS}/batch/upsert", {"inputs": inputs})
    assert answer.status == 200
    assert [(item["id"] == made["id"], item["new"]) for item in answer.json()["results"]] == [
        (True, False),
        (False, True),
    ]
    inputs[0]["properties"] = {"no_such_property": "x"}
    partial = hubspot(sandbox, "POST", f"{CONTACTS}/batch/upsert", {"inputs": inputs})
    assert partial.status == 207
    assert partial.json()["numErrors"] == 1
    assert len(partial.json()["results"]) == 1


@pytest.mark.parametrize("properties", [{"no_such_property": "x"}, {"email": "nobody"}, {"phone": 1}])
def test_a_bad_property_is_refused(sandbox: Sandbox, properties: dict[str, Any]) -> None:
    answer = hubspot(sandbox, "POST", CONTACTS, {"properties": properties, "associations": []})
    assert (answer.status, answer.json()["category"]) == (400, "VALIDATION_ERROR")
    assert sandbox.state("hubspot")["contacts"] == []


def test_an_account_may_have_properties_of_its_own(sandbox: Sandbox) -> None:
    sandbox.configure("hubspot", properties=["lead_source_detail"])
    assert create(sandbox, lead_source_detail="autumn")["properties"]["lead_source_detail"] == "autumn"


def test_a_note_is_tied_to_its_contact(sandbox: Sandbox) -> None:
    contact = create(sandbox, email="a@example.com")["id"]
    link = {"to": {"id": contact}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 202}]}
    body = {"properties": {"hs_timestamp": "2026-11-23T09:00:00Z", "hs_note_body": "Called"}, "associations": [link]}
    note = hubspot(sandbox, "POST", "/crm/v3/objects/notes", body)
    assert note.status == 201
    assert sandbox.state("hubspot")["associations"][0]["to"] == {"id": contact}
    without_time = {"properties": {"hs_note_body": "Called"}, "associations": []}
    assert hubspot(sandbox, "POST", "/crm/v3/objects/notes", without_time).status == 400
    path = f"/crm/v4/objects/notes/{note.json()['id']}/associations/default/contacts/{contact}"
    tied = hubspot(sandbox, "PUT", path).json()
    assert [item["associationSpec"]["associationTypeId"] for item in tied["results"]] == [202, 201]


def test_a_call_needs_a_token(sandbox: Sandbox) -> None:
    answer = call("GET", f"{sandbox.url('hubspot')}{CONTACTS}/1")
    assert (answer.status, answer.json()["category"]) == (401, "INVALID_AUTHENTICATION")


def test_search_has_a_limit_of_its_own(sandbox: Sandbox) -> None:
    sandbox.configure("hubspot", rate_limit=True)
    body = {"filterGroups": [], "sorts": [], "properties": [], "limit": 1, "after": "0"}
    answers = [hubspot(sandbox, "POST", f"{CONTACTS}/search", body) for _ in range(30)]
    refused = next(answer for answer in answers if answer.status == 429)
    assert refused.json()["message"] == "You have reached your secondly limit."
    assert not [name for name in answers[0].headers if "ratelimit" in name.lower()]
    assert hubspot(sandbox, "GET", f"{CONTACTS}/1").status == 404
