"""POST /contacts: what happened, idempotency, what is refused."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson

from mainstay.db import acquire
from tests.web.api.conftest import Client

SARAH = {"email": "Sarah@Example.com", "name": "Sarah Johnson", "phone": "(312) 555-0142", "tags": ["vip"]}


async def test_a_write_says_what_happened(client: Client) -> None:
    answer = await client.post("/contacts", SARAH)
    assert answer.status == 201
    made = answer.json
    assert made["outcome"] == "created"
    assert made["rule"] == "new"
    assert made["contact"]["email"] == "sarah@example.com"
    assert made["contact"]["phone"] == "+13125550142"
    assert made["contact"]["source"] == "zapier"
    assert answer.headers["location"] == f"/api/v1/contacts/{made['contact_id']}"

    again = await client.post("/contacts", SARAH)
    assert (again.status, again.json["outcome"], again.json["rule"]) == (200, "unchanged", "email")
    assert again.json["contact_id"] == made["contact_id"]

    more = await client.post("/contacts", {"phone": "+1 312 555 0142", "first_name": "Sarah", "company": "Acme"})
    assert (more.status, more.json["outcome"], more.json["rule"]) == (200, "updated", "phone")
    assert more.json["changed"] == ["company"]
    assert more.json["contact"]["company"] == "Acme"


async def test_a_bridge_merges_and_says_so(client: Client) -> None:
    one = await client.write(email="kim@example.com", name="Kim Lee")
    other = await client.write(phone="+13125550143", name="Kim Lee")
    both = await client.write(email="kim@example.com", phone="+13125550143", name="Kim Lee")
    assert both["contact_id"] == one["contact_id"]
    assert both["merged"] == [other["contact_id"]]
    assert both["outcome"] == "updated"


async def test_a_bridge_of_strangers_opens_a_review(client: Client) -> None:
    one = await client.write(email="kim@example.com", name="Kim Lee")
    await client.write(phone="+13125550143", name="Pat Moore")
    both = await client.write(email="kim@example.com", phone="+13125550143", name="Kim Lee")
    assert both["contact_id"] == one["contact_id"]
    assert len(both["suggestions"]) == 1
    assert both["flags"] == ["phone of another contact"]
    assert "names differ" in both["note"]


async def test_a_write_older_than_the_deletion_is_dropped(client: Client) -> None:
    made = await client.write(**SARAH)
    assert (await client.delete(f"/contacts/{made['contact_id']}")).status == 200
    answer = await client.post("/contacts", SARAH | {"occurred_at": "2024-05-01T09:00:00Z"})
    assert answer.status == 200
    assert answer.json["outcome"] == "dropped"
    assert answer.json["contact"] is None
    assert answer.json["contact_id"] is None
    assert "location" not in answer.headers


async def test_an_external_id_finds_the_contact(client: Client) -> None:
    one = await client.write(connection="ghl", external_id="abc", email="kim@example.com", name="Kim Lee")
    two = await client.write(connection="ghl", external_id="abc", email="kim@work.example.com", name="Kim Lee")
    assert (two["contact_id"], two["rule"]) == (one["contact_id"], "external id")
    for connection in ("hubspot", "mainstay"):
        refused = await client.post("/contacts", {"connection": connection, "external_id": "abc", "name": "Kim"})
        assert (refused.status, refused.problem) == (422, "invalid")
        assert refused.json["errors"][0]["field"] == "connection"


async def test_an_opt_out_stands_until_consent(client: Client) -> None:
    made = await client.write(email="kim@example.com", do_not_contact=True)
    assert made["contact"]["do_not_contact"] is True
    assert (await client.write(email="kim@example.com", do_not_contact=False))["contact"]["do_not_contact"] is True
    lifted = await client.write(email="kim@example.com", consent="form of 2 May, box ticked")
    assert lifted["contact"]["do_not_contact"] is False
    assert lifted["changed"] == ["do_not_contact"]


async def test_null_and_empty_values_overwrite_nothing(client: Client) -> None:
    made = await client.write(**SARAH, company="Acme", custom={"roof": "slate"})
    nulls = dict.fromkeys(("phone", "name", "first_name", "last_name", "company", "tags", "custom", "source", "kind"))
    again = await client.write(email="sarah@example.com", **nulls)
    empty = await client.write(email="sarah@example.com", company="", phone="", custom={"roof": ""}, tags=[])
    for answer in (again, empty):
        assert answer["outcome"] == "unchanged"
        assert answer["contact"] == made["contact"] | {"updated_at": answer["contact"]["updated_at"]}


async def test_custom_values_are_kept_as_text(client: Client) -> None:
    made = await client.write(email="kim@example.com", custom={"age": 12, "roof": True, "pitch": 0.5, "none": None})
    assert made["contact"]["custom"] == {"age": "12", "roof": "true", "pitch": "0.5"}


async def test_what_is_kept_says_when_and_who(client: Client) -> None:
    made = await client.write(email="kim@example.com", kind="import", source="expo", occurred_at="2024-05-01T09:00:00Z")
    shown = (await client.get(f"/contacts/{made['contact_id']}")).json
    assert shown["created_at"] == "2024-05-01T09:00:00Z"
    assert shown["source"] == "expo"
    assert shown["origins"]["email"]["kind"] == "import"
    (change,) = (await client.get(f"/contacts/{made['contact_id']}/changes")).json["changes"]
    assert (change["source"], change["kind"]) == ("zapier", "import")


REFUSED: list[tuple[str, Any, str]] = [
    ("nobody", {}, ""),
    ("only a company", {"company": "Acme"}, ""),
    ("unreadable e-mail alone", {"email": "sarah at example"}, ""),
    ("unknown field", {"email": "a@example.com", "mail": "b"}, "mail"),
    ("wrong type", {"email": ["a@example.com"]}, "email"),
    ("number as phone", {"phone": 13125550142}, "phone"),
    ("word as flag", {"email": "a@example.com", "do_not_contact": "yes"}, "do_not_contact"),
    ("time without zone", {"email": "a@example.com", "occurred_at": "2024-05-01T09:00:00"}, "occurred_at"),
    ("time as number", {"email": "a@example.com", "occurred_at": 1714554000}, "occurred_at"),
    ("time before Christ", {"email": "a@example.com", "occurred_at": "0001-01-01T00:00:00+14:00"}, "occurred_at"),
    ("kind", {"email": "a@example.com", "kind": "rumour"}, "kind"),
    ("id without its system", {"external_id": "7", "name": "Kim"}, "body"),
    ("NUL", {"email": "a@example.com", "company": "A\0B"}, "company"),
    ("NUL in a key", {"email": "a@example.com", "custom": {"a\0": "b"}}, "custom.a\0"),
    ("long name", {"first_name": "x" * 201}, "first_name"),
    ("list as custom", {"email": "a@example.com", "custom": {"a": ["b"]}}, "custom.a"),
    ("many tags", {"email": "a@example.com", "tags": ["x"] * 51}, "tags"),
    ("many custom fields", {"email": "a@example.com", "custom": {str(n): "" for n in range(101)}}, "custom"),
    ("list", [SARAH], "body"),
    ("null", None, "body"),
]


async def test_what_cannot_be_is_refused_by_field(client: Client) -> None:
    for case, body, field in REFUSED:
        answer = await client.ask(
            "POST", "/contacts", data=orjson.dumps(body), headers={"Content-Type": "application/json"}
        )
        assert (answer.status, answer.problem) == (422, "invalid"), case
        if field:
            assert answer.json["errors"][0]["field"] == field, case
    assert (await client.get("/contacts")).json["contacts"] == []


HOSTILE = [
    ("no JSON", b"email=a@example.com", 400),
    ("cut short", b'{"email": "a@exam', 400),
    ("empty", b"", 422),
    ("deep", b'{"custom": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
    ("deep enough to parse", b'{"custom": {"a": ' + b"[" * 500 + b"]" * 500 + b"}}", 422),
    ("not UTF-8", b'{"email": "\xff\xfe@example.com"}', 400),
    ("half a pair", b'{"name": "Sarah \\ud800 Johnson"}', 422),
    ("half a pair in a key", b'{"name": "Sarah", "custom": {"\\ud800": "x"}}', 422),
    ("long number", b'{"name": "Sarah", "custom": {"n": ' + b"9" * 6000 + b"}}", 400),
    ("not a number", b'{"name": "Sarah", "custom": {"n": NaN}}', 422),
    ("large", b'{"name": "Sarah", "company": "' + b"x" * 300_000 + b'"}', 413),
]


async def test_hostile_bodies_are_refused(client: Client) -> None:
    for case, body, status in HOSTILE:
        answer = await client.ask("POST", "/contacts", data=body, headers={"Content-Type": "application/json"})
        assert answer.problem, case
        assert answer.status == status, case
    assert (await client.get("/contacts")).json["contacts"] == []


async def test_a_large_body_without_its_length_is_cut_off(client: Client) -> None:
    async def chunks() -> Any:
        for _ in range(20):
            yield b" " * 20_000

    answer = await client.ask("POST", "/contacts", data=chunks(), headers={"Content-Type": "application/json"})
    assert (answer.status, answer.problem) == (413, "too-large")


async def test_a_repeated_key_gives_the_first_answer_again(client: Client) -> None:
    first = await client.post("/contacts", SARAH, headers={"Idempotency-Key": "k-1"})
    await client.write(**SARAH, company="Acme")
    again = await client.post("/contacts", SARAH, headers={"Idempotency-Key": '"k-1"'})
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert (first.status, again.status) == (201, 201)
    assert {**again.json, "contact": None} == {**first.json, "contact": None}
    assert again.json["contact"]["company"] == "Acme", "the contact is as it is now"


async def test_a_key_with_another_body_is_a_conflict(client: Client) -> None:
    await client.post("/contacts", SARAH, headers={"Idempotency-Key": "k-1"})
    other = await client.post("/contacts", SARAH | {"name": "Tom"}, headers={"Idempotency-Key": "k-1"})
    assert (other.status, other.problem) == (409, "key-reused")
    assert len((await client.get("/contacts")).json["contacts"]) == 1


async def test_a_key_that_is_none_is_refused(client: Client) -> None:
    for key in ("x" * 201, "with space", "ünicode"):
        answer = await client.post("/contacts", SARAH, headers={"Idempotency-Key": key})
        assert (answer.status, answer.problem) == (422, "invalid")
        assert answer.json["errors"][0]["field"] == "idempotency-key"


async def test_one_key_many_times_at_once_is_one_write(client: Client) -> None:
    """A key is a promise under concurrency too: no identifier holds these writes together."""
    bodies: list[dict[str, Any]] = [{"name": "Nobody Known", "custom": {"n": number % 2}} for number in range(24)]
    answers = await asyncio.gather(
        *(client.post("/contacts", body, headers={"Idempotency-Key": "race"}) for body in bodies)
    )
    taken = [answer for answer in answers if answer.status == 201]
    assert len({answer.json["contact_id"] for answer in taken}) == 1
    assert len([answer for answer in taken if "idempotent-replayed" not in answer.headers]) == 1
    assert len(taken) == 12
    assert {answer.status for answer in answers} == {201, 409}
    assert len((await client.get("/contacts")).json["contacts"]) == 1


async def test_many_writers_of_one_person_make_one_contact(client: Client) -> None:
    answers = await asyncio.gather(
        *(client.post("/contacts", SARAH | {"custom": {f"f{number}": "x"}}) for number in range(50))
    )
    assert len({answer.json["contact_id"] for answer in answers}) == 1
    assert sorted(answer.status for answer in answers) == [200] * 49 + [201]
    (contact,) = (await client.get("/contacts")).json["contacts"]
    assert len(contact["custom"]) == 50


async def test_a_deleted_contact_leaves_no_word_in_kept_answers(client: Client) -> None:
    body = {"phone": "+13125550142", "email": "sarah at example", "name": "Sarah"}
    made = await client.post("/contacts", body, headers={"Idempotency-Key": "k-1"})
    assert "sarah at example" in made.json["note"]
    await client.delete(f"/contacts/{made.json['contact_id']}")
    async with acquire(client.app.pool) as connection:
        kept = await connection.fetchval("SELECT answer::text FROM idempotency_keys")
    assert "sarah" not in kept
    again = await client.post("/contacts", body, headers={"Idempotency-Key": "k-1"})
    assert (again.status, again.json["contact_id"], again.json["contact"]) == (201, made.json["contact_id"], None)
