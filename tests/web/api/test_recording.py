"""POST and PATCH /records: what is stored by hand, what is refused, and that neither races nor odd input break it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from mainstay.db import acquire
from mainstay.model import RecordState
from mainstay.records import Word, keep
from mainstay.web.binding import Server
from mainstay.web.scopes import READ_ONLY
from mainstay.web.tokens import create_token
from tests.conftest import MakeStack
from tests.web.api.conftest import Client
from tests.web.serving import listen, serving

STACK = """
    [connections]
    ghl = { connector = "gohighlevel", token = "${TOKEN}", location_id = "ve9EPM428h8vShlRW1KT" }
    stripe = { connector = "stripe", api_key = "${TOKEN}" }
    [records.deal]
    owners = { stage = "mainstay", "custom.roof" = "mainstay" }
    [records.payment]
    system_of_record = "mainstay"
    [records.appointment]
    owners = { url = "ghl" }
"""
TASK: dict[str, Any] = {"type": "task", "values": {"title": "Service the boiler", "due": "2026-12-20"}}


@pytest.fixture
async def client(make_stack: MakeStack) -> AsyncIterator[Client]:
    """A client whose token may write, of a stack whose GoHighLevel is right about deals."""
    stack = await make_stack(STACK)
    listener, url = listen()
    session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
    workspace_id = next(iter(stack.app.workspaces))
    token = await create_token(stack.app.pool, workspace_id, "dana")
    async with serving(Server(stack.app, trust_url=False), listener), session:
        yield Client(url, session, token, stack)


async def rows(client: Client, table: str = "records") -> list[dict[str, Any]]:
    async with acquire(client.app.pool) as connection:
        return [dict(row) for row in await connection.fetch(f"SELECT * FROM {table} ORDER BY id")]  # noqa: S608


async def from_ghl(client: Client, kind: Any, **fields: str) -> str:
    """Let GoHighLevel speak of a record; returns its id with us."""
    ownership = client.app.routing(client.workspace_id).records[kind]
    word = Word(client.workspace_id, "ghl", RecordState(kind, "g1", fields), ownership, "ghl")
    async with acquire(client.app.pool) as connection, connection.transaction():
        (heard,) = await keep(connection, [word])
    return str(heard.record_id)


async def test_what_our_own_book_is_right_about_is_stored_by_hand(client: Client) -> None:
    contact = (await client.write(email="sarah@example.com"))["contact_id"]
    answer = await client.post(
        "/records",
        {"type": "task", "values": TASK["values"] | {"custom.floor": 3, "custom.note": None}, "contact_id": contact},
    )

    assert answer.status == 201
    made = answer.json
    assert (made["outcome"], made["changed"]) == ("created", ["title", "due", "custom.floor"])
    record = made["record"]
    assert record["values"] == {**TASK["values"], "custom.floor": "3", "custom.note": ""}
    assert (record["contact_id"], record["version"], record["gone_at"]) == (contact, 1, None)
    assert answer.headers["location"] == f"/api/v1/records/{record['id']}"

    changed = await client.patch(f"/records/{record['id']}", {"values": {"status": "done", "due": None}})
    assert (changed.status, changed.json["outcome"], changed.json["changed"]) == (200, "updated", ["status", "due"])
    assert changed.json["record"]["values"] == {
        "title": "Service the boiler",
        "status": "done",
        "due": "",
        "custom.floor": "3",
        "custom.note": "",
    }
    same = await client.patch(f"/records/{record['id']}", {"values": {"status": "done"}})
    assert (same.json["outcome"], same.json["record"]["version"]) == ("unchanged", 2)

    first, second = await rows(client, "record_changes")
    assert first["source"] == second["source"] == "by hand: dana"
    assert (second["before"], second["after"]) == (
        {"due": "2026-12-20", "status": ""},
        {"due": "", "status": "done"},
    )
    async with acquire(client.app.pool) as connection:
        assert not await connection.fetch("SELECT FROM crosswalk WHERE record_type = 'task'")


async def test_what_another_system_is_right_about_is_refused_and_says_which(client: Client) -> None:
    refused = await client.post("/records", {"type": "invoice", "values": {"total": "5"}})

    assert (refused.status, refused.problem) == (409, "elsewhere")
    assert refused.json["detail"] == (
        '"stripe" is the system of record of invoice records. Nothing was written: change it there, or by a workflow '
        "that calls it. What changes there comes back by itself"
    )
    deal = await from_ghl(client, "deal", title="Roof", stage="new")
    for body in (
        {"values": {"title": "Roofs"}},
        {"values": {"stage": "late", "amount": 5}},
        {"is_gone": True},
        {"values": {"custom.paint": "red"}},
    ):
        refused = await client.patch(f"/records/{deal}", body)
        assert (refused.status, refused.problem) == (409, "elsewhere"), body
        assert '"ghl"' in refused.json["detail"]
    (record,) = await rows(client)
    assert (record["values"], record["version"]) == ({"title": "Roof", "stage": "new"}, 1)


async def test_a_field_of_ours_is_set_on_a_record_of_another_system(client: Client) -> None:
    deal = await from_ghl(client, "deal", title="Roof", stage="new")
    answer = await client.patch(f"/records/{deal}", {"values": {"stage": "late", "custom.roof": "slate"}})

    assert answer.status == 200
    assert answer.json["record"]["values"] == {"title": "Roof", "stage": "late", "custom.roof": "slate"}
    await from_ghl(client, "deal", title="Roof 2", stage="early")
    (record,) = await rows(client)
    assert record["values"] == {"title": "Roof 2", "stage": "late", "custom.roof": "slate"}
    refused = await client.post("/records", {"type": "appointment", "values": {"url": "https://a"}})
    assert refused.json["detail"].startswith('of appointment records another system is right: "ghl" about url.')


async def test_by_hand_counts_more_than_what_a_system_says_later(client: Client) -> None:
    visit = await from_ghl(client, "appointment", title="Visit", status="booked")
    assert (await client.patch(f"/records/{visit}", {"values": {"status": "no_show"}})).status == 200
    await from_ghl(client, "appointment", title="Visits", status="done")

    (record,) = await rows(client)
    assert record["values"] == {"title": "Visits", "status": "no_show"}
    *_, last = await rows(client, "record_changes")
    assert last["refused"] == {"status": "done"}


async def test_a_reference_is_one_record(client: Client) -> None:
    payment = {"type": "payment", "values": {"reference": "pi_1", "amount": 5}}
    answers = await asyncio.gather(*(client.post("/records", payment) for _ in range(8)))

    assert sorted(answer.status for answer in answers) == [200] * 7 + [201]
    (record,) = await rows(client)
    other = (await client.post("/records", {"type": "payment", "values": {"reference": "pi_2"}})).json["record"]
    taken = await client.patch(f"/records/{other['id']}", {"values": {"reference": "pi_1"}})
    assert (taken.status, taken.problem) == (409, "conflict")
    assert str(record["id"]) in taken.json["detail"]
    own = await client.patch(f"/records/{record['id']}", {"values": {"reference": "pi_1", "amount": "7.50"}})
    assert own.json["changed"] == ["amount"]


async def test_a_record_that_is_gone_is_so_until_it_is_said_to_be_back(client: Client) -> None:
    made = (await client.post("/records", TASK)).json["record"]
    for body, is_gone in (({"is_gone": True}, True), ({"values": {"title": "a"}}, True), ({"is_gone": False}, False)):
        answer = await client.patch(f"/records/{made['id']}", body)
        assert (answer.json["record"]["gone_at"] is not None, answer.json["outcome"]) == (is_gone, "updated")


async def test_a_repeated_key_gives_the_first_answer(client: Client) -> None:
    headers = {"Idempotency-Key": "k1"}
    first = await client.post("/records", TASK, headers=headers)
    again = await client.post("/records", TASK, headers=headers)

    assert (first.status, again.status) == (201, 201)
    assert again.json == first.json
    assert again.headers["idempotent-replayed"] == "true"
    other = await client.post("/records", {"type": "task", "values": {"title": "b"}}, headers=headers)
    assert (other.status, other.problem) == (409, "key-reused")
    # One key may stand for a contact and for a record: they are written at different addresses.
    assert (await client.post("/contacts", {"email": "kim@example.com"}, headers=headers)).status == 201
    assert len(await rows(client)) == 1


async def test_many_who_send_one_key_at_once_write_once(client: Client) -> None:
    answers = await asyncio.gather(
        *(client.post("/records", TASK, headers={"Idempotency-Key": "k"}) for _ in range(12))
    )

    assert {answer.status for answer in answers} == {201}
    assert len({answer.json["record"]["id"] for answer in answers}) == 1
    assert len(await rows(client)) == 1


async def test_of_many_who_edit_one_state_one_wins(client: Client) -> None:
    made = await client.post("/records", TASK)
    path = f"/records/{made.json['record']['id']}"
    etag = (await client.get(path)).headers["etag"]
    assert made.headers["etag"] == etag
    answers = await asyncio.gather(
        *(client.patch(path, {"values": {"title": f"t{number}"}}, headers={"If-Match": etag}) for number in range(10))
    )

    assert sorted(answer.status for answer in answers) == [200] + [412] * 9
    (won,) = (answer for answer in answers if answer.status == 200)
    (record,) = await rows(client)
    assert (record["values"]["title"], record["version"]) == (won.json["record"]["values"]["title"], 2)
    lost = next(answer for answer in answers if answer.status == 412)
    assert lost.headers["etag"] == won.headers["etag"]


async def test_edits_and_a_system_s_words_at_once_leave_one_story(client: Client) -> None:
    visit = await from_ghl(client, "appointment", title="Visit", status="booked")
    await asyncio.gather(
        *(client.patch(f"/records/{visit}", {"values": {f"custom.c{number}": "x"}}) for number in range(8)),
        *(from_ghl(client, "appointment", title=f"Visit {number}") for number in range(8)),
    )

    (record,) = await rows(client)
    assert {name for name in record["values"] if name.startswith("custom.")} == {f"custom.c{n}" for n in range(8)}
    changes = await rows(client, "record_changes")
    assert record["version"] == sum(bool(change["after"]) for change in changes)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"type": "boat"}, 422),
        ({"type": "contact", "values": {"email": "a@b.example"}}, 422),
        ({"type": "task", "values": {"titel": "x"}}, 422),
        ({"type": "task", "values": {"status": "half done"}}, 422),
        ({"type": "task", "values": {"due": "tomorrow"}}, 422),
        ({"type": "deal", "values": {"amount": "NaN"}}, 422),
        ({"type": "task", "values": {"title": {"a": 1}}}, 422),
        ({"type": "task", "values": {"title": "a\u0000b"}}, 422),
        ({"type": "task", "values": {"title": "x" * 2001}}, 422),
        ({"type": "task", "values": {"": "x"}}, 422),
        ({"type": "task", "values": {f"custom.k{n}": "x" for n in range(101)}}, 422),
        ({"type": "task", "workspace_id": str(uuid4())}, 422),
        ({"type": "task", "contact_id": str(uuid4())}, 409),
        ({"type": "task", "id": str(uuid4())}, 422),
        ([], 422),
    ],
    ids=range(15),
)
async def test_what_cannot_be_is_refused(client: Client, body: Any, status: int) -> None:
    answer = await client.post("/records", body)
    assert answer.status == status
    assert answer.problem in {"invalid", "conflict"}
    assert await rows(client) == []


async def test_half_a_character_is_refused(client: Client) -> None:
    body = b'{"type": "task", "values": {"title": "\\ud800"}}'
    answer = await client.ask("POST", "/records", data=body, headers={"Content-Type": "application/json"})
    assert answer.status in {400, 422}
    assert await rows(client) == []


async def test_a_record_of_another_workspace_is_not_there(client: Client) -> None:
    made = (await client.post("/records", TASK)).json["record"]
    async with acquire(client.app.pool) as connection:
        await connection.execute("UPDATE records SET workspace_id = $1", uuid4())
    for record_id in (made["id"], uuid4()):
        answer = await client.patch(f"/records/{record_id}", {"values": {"title": "x"}})
        assert (answer.status, answer.problem) == (404, "not-found")
    assert (await client.patch("/records/1", {"values": {"title": "x"}})).status == 404


async def test_whom_it_is_about_is_said_once(client: Client) -> None:
    one, two = [(await client.write(email=f"{name}@example.com"))["contact_id"] for name in ("kim", "pat")]
    made = (await client.post("/records", TASK)).json["record"]
    path = f"/records/{made['id']}"
    assert (await client.patch(path, {"contact_id": one})).json["record"]["contact_id"] == one
    assert (await client.patch(path, {"contact_id": two})).problem == "conflict"
    await client.delete(f"/contacts/{one}")
    assert await rows(client) == []
    assert (await client.post("/records", TASK | {"contact_id": one})).problem == "conflict"


async def test_a_token_that_may_only_read_writes_nothing(client: Client) -> None:
    client.token = await create_token(client.app.pool, client.workspace_id, "reports", READ_ONLY)
    assert (await client.post("/records", TASK)).problem == "scope"
    assert (await client.patch(f"/records/{uuid4()}", {"values": {"title": "x"}})).problem == "scope"
