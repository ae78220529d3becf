from __future__ import annotations

from typing import Any

import pytest

from mainstay.sandbox import Sandbox
from tests.sandbox.wire import GHL, Answer, call


def ghl(sandbox: Sandbox, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    return call(method, sandbox.url("gohighlevel") + path, body, GHL | headers)


def create(sandbox: Sandbox, **fields: Any) -> dict[str, Any]:
    answer = ghl(sandbox, "POST", "/contacts/", {"locationId": "loc"} | fields)
    assert answer.status == 201, answer.body
    contact: dict[str, Any] = answer.json()["contact"]
    return contact


def upsert(sandbox: Sandbox, **fields: Any) -> dict[str, Any]:
    answer = ghl(sandbox, "POST", "/contacts/upsert", {"locationId": "loc"} | fields)
    assert answer.status == 200, answer.body
    value: dict[str, Any] = answer.json()
    return value


def read(sandbox: Sandbox, contact_id: str) -> dict[str, Any]:
    answer = ghl(sandbox, "GET", f"/contacts/{contact_id}")
    assert answer.status == 200
    contact: dict[str, Any] = answer.json()["contact"]
    return contact


def test_a_contact_is_created_and_read_back(sandbox: Sandbox) -> None:
    made = create(sandbox, firstName="Sarah", lastName="Johnson", email="Sarah@Example.com", phone="+13125550147")
    found = read(sandbox, made["id"])
    assert found["name"] == "Sarah Johnson"
    assert (found["email"], found["emailLowerCase"]) == ("Sarah@Example.com", "sarah@example.com")


def test_a_second_create_is_refused_and_names_the_first(sandbox: Sandbox) -> None:
    first = create(sandbox, email="sarah@example.com")
    refused = ghl(sandbox, "POST", "/contacts/", {"locationId": "loc", "email": " SARAH@example.com "})
    assert refused.status == 400
    assert refused.json()["message"] == "This location does not allow duplicated contacts."
    assert refused.json()["meta"]["contactId"] == first["id"]
    assert refused.json()["meta"]["matchingField"] == "email"


def test_each_location_keeps_its_own_contacts(sandbox: Sandbox) -> None:
    create(sandbox, email="sarah@example.com")
    other = ghl(sandbox, "POST", "/contacts/", {"locationId": "elsewhere", "email": "sarah@example.com"})
    assert other.status == 201


def test_a_location_may_allow_duplicates(sandbox: Sandbox) -> None:
    sandbox.configure("gohighlevel", locations={"loose": {"allow_duplicates": True}})
    body = {"locationId": "loose", "email": "sarah@example.com"}
    assert [ghl(sandbox, "POST", "/contacts/", body).status for _ in range(2)] == [201, 201]
    assert ghl(sandbox, "POST", "/contacts/upsert", body).json()["new"] is False
    assert ghl(sandbox, "POST", "/contacts/upsert", body | {"createNewIfDuplicateAllowed": True}).json()["new"] is True
    assert len(sandbox.state("gohighlevel")["contacts"]) == 3


@pytest.mark.parametrize("order", [["email", "phone"], ["phone", "email"]])
def test_an_upsert_that_matches_two_contacts_changes_the_first_by_field_order(
    sandbox: Sandbox, order: list[str]
) -> None:
    sandbox.configure("gohighlevel", match_order=order)
    by = {"email": create(sandbox, email="a@example.com"), "phone": create(sandbox, phone="+13125550147")}
    answer = upsert(sandbox, email="a@example.com", phone="(1) 312-555-0147", firstName="New")
    assert answer["new"] is False
    assert answer["contact"]["id"] == by[order[0]]["id"]
    assert read(sandbox, by[order[0]]["id"])["firstName"] == "New"
    ignored = read(sandbox, by[order[1]]["id"])
    assert "firstName" not in ignored
    assert order[1] not in answer["contact"]


def test_tags_of_create_update_and_upsert_replace_but_the_tag_calls_add_and_remove(sandbox: Sandbox) -> None:
    contact = create(sandbox, email="a@example.com", tags=["a", "b"])
    path = f"/contacts/{contact['id']}"
    assert ghl(sandbox, "POST", f"{path}/tags", {"tags": ["b", "c"]}).json() == {"tags": ["a", "b", "c"]}
    assert ghl(sandbox, "DELETE", f"{path}/tags", {"tags": ["a"]}).json() == {"tags": ["b", "c"]}
    assert ghl(sandbox, "PUT", path, {"tags": ["d"]}).json()["contact"]["tags"] == ["d"]
    assert upsert(sandbox, email="a@example.com", tags=["e"])["contact"]["tags"] == ["e"]
    assert upsert(sandbox, email="a@example.com", firstName="A")["contact"]["tags"] == ["e"]


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/contacts/", {"email": "a@example.com"}, "locationId should not be empty"),
        ("/contacts/upsert", {"locationId": "l", "emial": "x"}, "property emial should not exist"),
        ("/contacts/", {"locationId": "l", "email": "nobody"}, "email must be an email"),
        ("/contacts/", {"locationId": "l", "phone": 1}, "phone must be a string"),
    ],
)
def test_a_bad_body_is_422_with_a_list(sandbox: Sandbox, path: str, body: dict[str, Any], message: str) -> None:
    answer = ghl(sandbox, "POST", path, body)
    assert answer.status == 422
    assert answer.json()["message"] == [message]
    assert sandbox.state("gohighlevel")["contacts"] == []


def test_an_update_refuses_the_location(sandbox: Sandbox) -> None:
    contact = create(sandbox, email="a@example.com")
    answer = ghl(sandbox, "PUT", f"/contacts/{contact['id']}", {"locationId": "loc", "firstName": "A"})
    assert answer.status == 422
    assert "property locationId should not exist" in answer.json()["message"]


def test_gender_is_taken_by_an_upsert_and_changes_nothing(sandbox: Sandbox) -> None:
    upsert(sandbox, email="a@example.com", gender="female")
    upsert(sandbox, email="a@example.com", gender="male")
    assert sandbox.state("gohighlevel")["contacts"][0]["gender"] == "female"


def test_an_update_moves_the_contact_in_the_search(sandbox: Sandbox) -> None:
    contact = create(sandbox, email="old@example.com")
    ghl(sandbox, "PUT", f"/contacts/{contact['id']}", {"email": "new@example.com"})
    duplicate = "/contacts/search/duplicate?locationId=loc&email="
    assert ghl(sandbox, "GET", f"{duplicate}old%40example.com").json()["contact"] is None
    assert ghl(sandbox, "GET", f"{duplicate}new%40example.com").json()["contact"]["id"] == contact["id"]
    number = "/contacts/search/duplicate?locationId=loc&number="
    ghl(sandbox, "PUT", f"/contacts/{contact['id']}", {"phone": "+13125550147"})
    assert ghl(sandbox, "GET", f"{number}%2B13125550147").json()["contact"]["id"] == contact["id"]


def test_an_update_to_another_contacts_email_is_refused(sandbox: Sandbox) -> None:
    first, second = create(sandbox, email="a@example.com"), create(sandbox, email="b@example.com")
    answer = ghl(sandbox, "PUT", f"/contacts/{second['id']}", {"email": "a@example.com"})
    assert (answer.status, answer.json()["meta"]["contactId"]) == (400, first["id"])


def test_search_filters_and_pages(sandbox: Sandbox) -> None:
    ids = [create(sandbox, email=f"{n}@example.com", city="Chicago")["id"] for n in range(3)]
    body = {"locationId": "loc", "pageLimit": 2, "page": 2, "filters": [
        {"field": "city", "operator": "eq", "value": "chicago"}]}  # fmt: skip
    answer = ghl(sandbox, "POST", "/contacts/search", body).json()
    assert (answer["total"], [contact["id"] for contact in answer["contacts"]]) == (3, ids[2:])


def test_a_deleted_contact_is_gone(sandbox: Sandbox) -> None:
    contact = create(sandbox, email="a@example.com")
    assert ghl(sandbox, "DELETE", f"/contacts/{contact['id']}").json() == {"succeded": True}
    assert ghl(sandbox, "GET", f"/contacts/{contact['id']}").status == 404
    assert create(sandbox, email="a@example.com")["id"] != contact["id"]


def test_version_v3_spells_success_right(sandbox: Sandbox) -> None:
    contact = create(sandbox, email="a@example.com")
    answer = ghl(sandbox, "PUT", f"/contacts/{contact['id']}", {"firstName": "A"}, Version="v3")
    assert answer.json()["succeeded"] is True


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"Version": "2021-07-28"}, "Authorization header was not found."),
        ({"Authorization": "Bearer invalid-1", "Version": "2021-07-28"}, "Invalid JWT"),
        ({"Authorization": "Bearer pit-1"}, "version header was not found."),
    ],
)
def test_a_call_needs_token_and_version(sandbox: Sandbox, headers: dict[str, str], message: str) -> None:
    answer = call("POST", sandbox.url("gohighlevel") + "/contacts/", {"locationId": "loc"}, headers)
    assert (answer.status, answer.json()["message"]) == (401, message)


def test_a_token_may_not_reach_every_location(sandbox: Sandbox) -> None:
    sandbox.configure("gohighlevel", allowed_locations=["mine"])
    assert ghl(sandbox, "POST", "/contacts/upsert", {"locationId": "loc", "email": "a@example.com"}).status == 403


def test_the_limit_is_told_always_and_enforced_on_demand(sandbox: Sandbox) -> None:
    path = "/contacts/search/duplicate?locationId=loc&email=a"
    answers = [ghl(sandbox, "GET", path) for _ in range(101)]
    assert {answer.status for answer in answers} == {200}
    assert answers[0].headers["X-RateLimit-Max"] == "100"
    assert int(answers[1].headers["X-RateLimit-Remaining"]) < int(answers[0].headers["X-RateLimit-Remaining"])
    sandbox.reset()
    sandbox.configure("gohighlevel", rate_limit=True)
    # Two windows' worth: whenever the window turns, one of them is overrun.
    answers = [ghl(sandbox, "GET", path) for _ in range(201)]
    refused = next(answer for answer in answers if answer.status == 429)
    assert 1 <= int(refused.headers["Retry-After"]) <= 10
    assert refused.headers["X-RateLimit-Remaining"] == "0"
