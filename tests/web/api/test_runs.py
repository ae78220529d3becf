"""Workflows started by a program, and answered."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from mainstay.db import acquire
from mainstay.runs import results
from mainstay.web.binding import Server
from mainstay.web.tokens import create_token
from mainstay.workflows import driving
from tests.conftest import MakeStack
from tests.faults.fleet import until
from tests.web.api.conftest import Client
from tests.web.serving import listen, serving

WORKFLOWS = """
from gates_of_test import gates

async def first():
    return await gates.work("first")

async def second():
    return await gates.work("second")

@workflow("quote.v1", mode="sync", answer_within="20s")
async def quote(ctx: Context, contact: Contact):
    price = await ctx.step("price", first)
    await ctx.crm.add_tag(contact, "quoted")
    return {"price": price, "for": contact.first_name, "rooms": ctx.input.get("rooms")}

@workflow("short.v1", mode="sync", answer_within="2s")
async def short(ctx: Context, contact: Contact):
    return [await ctx.step("first", first), await ctx.step("second", second)]

@workflow("broken.v1", mode="sync")
async def broken(ctx: Context, contact: Contact):
    raise PermanentError("no such price list")

@workflow("strange.v1", mode="sync")
async def strange(ctx: Context, contact: Contact):
    return {"tags": {contact.email}}

@workflow("waits.v1", mode="sync", answer_within="20s")
async def waits(ctx: Context, contact: Contact):
    await ctx.sleep("1h")
    return "slept"

@workflow("hourly.v1", schedule="@hourly")
async def hourly(ctx: Context, tick):
    return None

@workflow("greet.v1", on="contact.created", mode="sync", answer_within="20s")
async def greet(ctx: Context, contact: Contact):
    return await ctx.step("greet", first) if contact.company else None

@workflow("later.v1")
async def later(ctx: Context, contact: Contact):
    return {"input": dict(ctx.input), "at": await ctx.chat.post("#a", "b") if ctx.input.get("post") else None}
"""
SARAH = {"email": "sarah@example.com", "first_name": "Sarah"}


@dataclass
class Gates:
    """Work of the workflows that the test holds up and counts."""

    done: list[str] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)

    async def work(self, name: str) -> str:
        self.begun.append(name)
        await self.open.wait()
        self.done.append(name)
        return name


@pytest.fixture
def gates(monkeypatch: pytest.MonkeyPatch) -> Gates:
    made = Gates()
    made.open.set()
    monkeypatch.setitem(sys.modules, "gates_of_test", SimpleNamespace(gates=made))
    return made


@pytest.fixture
async def runs(make_stack: MakeStack, gates: Gates) -> AsyncIterator[Client]:
    stack = await make_stack("", WORKFLOWS)
    listener, url = listen()
    session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
    async with serving(Server(stack.app, trust_url=False), listener), session:
        token = await create_token(stack.app.pool, next(iter(stack.app.workspaces)), "site")
        yield Client(url, session, token, stack)


async def settle(client: Client) -> None:
    assert client.stack is not None
    await client.stack.settle()


async def until_begun(gates: Gates) -> None:
    await until(lambda: gates.begun, "the work has begun")


async def parked(client: Client, run_id: str) -> Any:
    run = (await client.get(f"/runs/{run_id}")).json
    return run if run["state"] == "waiting" else None


async def attempts(client: Client, run_id: str) -> list[tuple[int, str, str]]:
    async with acquire(client.app.pool) as connection:
        rows = await connection.fetch(
            "SELECT step, name, state FROM attempts WHERE run_id = $1 ORDER BY step, number", run_id
        )
    return [(row["step"], row["name"], row["state"]) for row in rows]


async def test_a_sync_workflow_answers_with_what_it_returned(runs: Client, gates: Gates) -> None:
    answer = await runs.post("/runs", {"workflow": "quote.v1", "contact": SARAH, "input": {"rooms": 3}})

    assert answer.status == 200, answer.body
    run = answer.json
    assert (run["state"], run["result"]) == ("done", {"price": "first", "for": "Sarah", "rooms": 3})
    assert answer.headers["location"] == f"/api/v1/runs/{run['id']}"
    assert (await runs.get(f"/runs/{run['id']}")).json == run
    assert await attempts(runs, run["id"]) == [(1, "price", "ok"), (2, "crm.add_tag", "ok")]
    await settle(runs)  # the entry that stands behind finds nothing to do
    assert gates.done == ["first"]
    contact = (await runs.get(f"/contacts/{run['contact_id']}")).json
    assert contact["tags"] == ["quoted"]


async def test_what_a_caller_starts_by_name_the_contacts_own_event_does_not_start_again(
    runs: Client, gates: Gates
) -> None:
    answer = await runs.post("/runs", {"workflow": "greet.v1", "contact": SARAH | {"company": "Acme"}})
    assert (answer.status, answer.json["result"]) == (200, "first")
    await settle(runs)
    assert gates.done == ["first"]

    bob = {"email": "bob@example.com", "company": "Acme"}
    other = await runs.post("/runs", {"workflow": "quote.v1", "contact": bob})
    await settle(runs)
    assert other.status == 200
    assert gates.done == ["first", "first", "first"]  # quote.v1, and greet.v1 by its event


async def test_an_async_workflow_is_begun(runs: Client) -> None:
    contact_id = (await runs.write(**SARAH))["contact_id"]
    answer = await runs.post("/runs", {"workflow": "later.v1", "contact_id": contact_id, "input": {"a": [1]}})

    assert (answer.status, answer.json["state"], answer.json["result"]) == (202, "queued", None)
    await settle(runs)
    run = (await runs.get(f"/runs/{answer.json['id']}")).json
    assert (run["state"], run["result"]) == ("done", {"input": {"a": [1]}, "at": None})
    assert run["finished_at"]


@pytest.mark.parametrize(
    ("workflow", "says"),
    [
        ("broken.v1", "no such price list"),
        ("strange.v1", '"strange.v1" returned what is no JSON: the result.tags is a set'),
    ],
)
async def test_a_failure_is_told(runs: Client, workflow: str, says: str) -> None:
    answer = await runs.post("/runs", {"workflow": workflow, "contact": SARAH})
    assert (answer.status, answer.json["state"], answer.json["result"]) == (200, "failed", None)
    assert answer.json["error"].startswith(says)
    async with acquire(runs.app.pool) as connection:
        assert await connection.fetchval("SELECT count(*) FROM incidents WHERE state = 'open'") == 1


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"workflow": "quot.v1", "contact": SARAH}, 422, 'did you mean "quote.v1"?'),
        ({"workflow": "push.v1", "contact": SARAH}, 422, 'no workflow "push.v1" is loaded'),
        ({"workflow": "hourly.v1", "contact": SARAH}, 422, '"hourly.v1" runs by the clock'),
        ({"workflow": "quote.v1"}, 422, "give either contact_id or contact"),
        ({"workflow": "quote.v1", "contact": SARAH, "contact_id": str(uuid4())}, 422, "either contact_id or contact"),
        ({"workflow": "quote.v1", "contact_id": str(uuid4())}, 404, "no such contact"),
        ({"workflow": "quote.v1", "contact": {"company": "Acme"}}, 422, ""),
        ({"workflow": "quote.v1", "contact": SARAH, "input": [1]}, 422, "input"),
        ({"workflow": "quote.v1", "contact": SARAH, "input": {"a": "x\0"}}, 422, "input.a holds the character NUL"),
        ({"workflow": "quote.v1", "contact": SARAH, "input": {"a": "x" * 70_000}}, 422, "at most 64,000 are kept"),
        ({"workflow": "quote.v1", "contact": SARAH, "inputs": {}}, 422, "there is no such field"),
    ],
)
async def test_what_cannot_be_started_is_refused(runs: Client, body: Any, status: int, says: str) -> None:
    answer = await runs.post("/runs", body)
    assert (answer.status, says in answer.json["detail"]) == (status, True), answer.body
    async with acquire(runs.app.pool) as connection:
        assert await connection.fetchval("SELECT count(*) FROM runs WHERE workflow = 'quote.v1'") == 0


async def test_who_was_deleted_is_gone_and_so_is_what_was_returned(runs: Client) -> None:
    run = (await runs.post("/runs", {"workflow": "quote.v1", "contact": SARAH})).json
    await runs.delete(f"/contacts/{run['contact_id']}")

    assert (await runs.get(f"/runs/{run['id']}")).json["result"] is None
    again = await runs.post("/runs", {"workflow": "quote.v1", "contact_id": run["contact_id"]})
    assert again.status == 410


async def test_past_the_deadline_the_step_ends_and_the_queue_does_the_rest(runs: Client, gates: Gates) -> None:
    gates.open.clear()
    answer = await runs.post("/runs", {"workflow": "short.v1", "contact": SARAH})

    assert (answer.status, answer.json["state"], answer.json["result"]) == (202, "running", None)
    assert gates.begun == ["first"]
    gates.open.set()
    run = await until(lambda: parked(runs, answer.json["id"]), "it is handed over")
    assert (run["state"], run["waiting_for"]) == ("waiting", "a worker")
    assert gates.done == ["first"]
    await settle(runs)
    run = (await runs.get(f"/runs/{run['id']}")).json
    assert (run["state"], run["result"]) == ("done", ["first", "second"])
    assert gates.done == ["first", "second"]
    assert await attempts(runs, run["id"]) == [(1, "first", "ok"), (2, "second", "ok")]


async def test_what_hangs_is_broken_off_before_the_queue_takes_over(
    runs: Client, gates: Gates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driving, "_MARGIN_SECONDS", results.GRACE.total_seconds() - 0.1)
    gates.open.clear()
    answer = await runs.post("/runs", {"workflow": "short.v1", "contact": SARAH})
    assert (answer.status, gates.begun) == (202, ["first"])
    await until(lambda: not runs.app.flows._driving._under_way, "it is broken off")
    gates.open.set()
    await settle(runs)

    run = (await runs.get(f"/runs/{answer.json['id']}")).json
    assert (run["state"], run["result"]) == ("done", ["first", "second"])
    assert gates.done == ["first", "second"]  # what was broken off did not go on


async def test_a_workflow_that_waits_is_answered_at_once(runs: Client) -> None:
    answer = await runs.post("/runs", {"workflow": "waits.v1", "contact": SARAH})
    assert (answer.status, answer.json["state"], answer.json["waiting_for"]) == (202, "waiting", "its sleep to end")
    assert runs.stack is not None
    await runs.stack.advance("61m")
    assert (await runs.get(f"/runs/{answer.json['id']}")).json["result"] == "slept"


async def test_two_callers_with_one_key_have_one_run_and_one_answer(runs: Client, gates: Gates) -> None:
    gates.open.clear()
    body = {"workflow": "quote.v1", "contact": SARAH}
    callers = [asyncio.create_task(runs.post("/runs", body, headers={"Idempotency-Key": "k-1"})) for _ in range(4)]
    await until_begun(gates)
    gates.open.set()
    answers = await asyncio.gather(*callers)

    assert {answer.status for answer in answers} == {200}
    assert len({answer.json["id"] for answer in answers}) == 1
    assert all(answer.json["result"]["price"] == "first" for answer in answers)
    assert [answer.headers.get("Idempotent-Replayed") for answer in answers].count("true") == 3
    assert gates.done == ["first"]

    other = await runs.post("/runs", body | {"input": {"rooms": 2}}, headers={"Idempotency-Key": "k-1"})
    assert (other.status, other.problem) == (409, "key-reused")
    written = await runs.post("/contacts", SARAH, headers={"Idempotency-Key": "k-1"})
    assert written.status == 200  # a key of another address


async def test_without_room_the_queue_has_it_at_once(
    runs: Client, gates: Gates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driving, "MOST_AT_ONCE", 0)
    answer = await runs.post("/runs", {"workflow": "short.v1", "contact": SARAH})
    assert (answer.status, answer.json["state"]) == (202, "queued")
    async with acquire(runs.app.pool) as connection:
        status = await connection.fetchval(
            """
            SELECT status FROM dbos.workflow_status JOIN runs ON execution_id = workflow_uuid WHERE runs.id = $1
            """,
            answer.json["id"],
        )
    assert status == "ENQUEUED"


async def test_a_server_that_stops_hands_over(runs: Client, gates: Gates) -> None:
    gates.open.clear()
    waiting = asyncio.create_task(runs.post("/runs", {"workflow": "quote.v1", "contact": SARAH}))
    await until_begun(gates)
    closing = asyncio.create_task(runs.app.flows.close())
    await asyncio.sleep(0)
    gates.open.set()
    await closing
    answer = await waiting

    assert (answer.status, answer.json["state"], answer.json["waiting_for"]) == (202, "waiting", "a worker")
    await settle(runs)
    assert (await runs.get(f"/runs/{answer.json['id']}")).json["state"] == "done"
    assert gates.done == ["first"]


async def test_another_workspace_sees_nothing(runs: Client) -> None:
    run = (await runs.post("/runs", {"workflow": "quote.v1", "contact": SARAH})).json
    assert await runs.app.flows.look(uuid4(), run["id"]) is None
    assert (await runs.get(f"/runs/{uuid4()}")).status == 404
