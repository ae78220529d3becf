"""What a workflow declares of its runs' turns, from declaration to what the vendors saw."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mainstay import ConfigError, Contact, Context, workflow
from mainstay.db import acquire
from mainstay.engine.turns import Turns
from mainstay.model import Overlap, new_id
from mainstay.sandbox.client import Sandbox
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack
from tests.faults.fleet import until

STACK = """
    [connections]
    slack = { connector = "slack", token = "${TOKEN}" }
    [sources.website]
    kind = "form"
"""
SLOW = """
    @workflow("welcome.v1", on="contact.submitted"{more})
    async def welcome(ctx: Context, contact: Contact) -> None:
        await ctx.chat.post("#a", f"{{contact.company}} begins")
        await ctx.sleep("10m")
        await ctx.chat.post("#a", f"{{contact.company}} ends")
"""
NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)


def slow(more: str = "") -> str:
    return SLOW.format(more=more and f", {more}")


def posts(sandbox: Sandbox) -> list[str]:
    return [message["text"] for message in sandbox.messages("slack")]


async def all_runs(stack: StackUnderTest, workflow: str = "welcome.v1") -> list[Any]:
    async with acquire(stack.app.pool) as connection:
        return await connection.fetch("SELECT * FROM runs WHERE workflow = $1 ORDER BY id", workflow)


async def submit_all(stack: StackUnderTest, *companies: str, email: str = "sarah@example.com") -> None:
    for company in companies:
        await stack.submit("website", email=email, company=company)


@pytest.mark.parametrize(
    ("more", "at_once", "in_the_end"),
    [
        ("", ["A begins"], ["A begins", "A ends", "B begins", "B ends", "C begins", "C ends"]),
        ('overlap="queue"', ["A begins"], ["A begins", "A ends", "B begins", "B ends", "C begins", "C ends"]),
        ('overlap="skip"', ["A begins"], ["A begins", "A ends"]),
        ('overlap="replace"', ["A begins", "B begins", "C begins"], ["A begins", "B begins", "C begins", "C ends"]),
        (
            'overlap="allow"',
            ["A begins", "B begins", "C begins"],
            ["A begins", "B begins", "C begins", "A ends", "B ends", "C ends"],
        ),
        ('debounce="5m"', [], ["C begins", "C ends"]),
        ('debounce="5m", overlap="replace"', [], ["C begins", "C ends"]),
    ],
)
async def test_runs_about_one_contact(
    make_stack: MakeStack, sandbox: Sandbox, more: str, at_once: list[str], in_the_end: list[str]
) -> None:
    stack = await make_stack(STACK, slow(more))
    await submit_all(stack, "A", "B", "C")
    assert posts(sandbox) == at_once
    await stack.advance("2h")
    assert posts(sandbox) == in_the_end
    assert {row["state"] for row in await all_runs(stack)} <= {"done", "cancelled"}


@pytest.mark.parametrize(
    ("more", "at_once"),
    [
        ("", ["A begins", "B begins"]),
        ("key=None", ["A begins"]),
        ("key=lambda contact, data: contact.company[:0] + data['source']", ["A begins"]),
        ("key=lambda contact, data: contact.company", ["A begins", "B begins"]),
        ("key=lambda contact, data: None", ["A begins", "B begins"]),
        # A slip in it must not lose the lead.
        ("key=lambda contact, data: data['nothing']", ["A begins", "B begins"]),
    ],
)
async def test_runs_take_turns_by_their_key(
    make_stack: MakeStack, sandbox: Sandbox, more: str, at_once: list[str]
) -> None:
    stack = await make_stack(STACK, slow(more))
    await submit_all(stack, "A")
    await submit_all(stack, "B", email="bob@example.com")
    assert posts(sandbox) == at_once
    await stack.advance("1h")
    assert len(posts(sandbox)) == 4


async def test_debounce_waits_for_quiet_and_gives_the_last_word(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(STACK, slow('debounce="5m"'))
    for company in ("A", "B", "C"):
        await submit_all(stack, company)
        await stack.advance("4m")
    assert posts(sandbox) == []
    await stack.advance("1m")
    assert posts(sandbox) == ["C begins"]
    # Under way: what comes now waits for its quiet moment, and for its turn.
    await submit_all(stack, "D", "E")
    await stack.advance("6m")
    assert posts(sandbox) == ["C begins"]
    await stack.advance("4m")
    assert posts(sandbox) == ["C begins", "C ends", "E begins"]
    assert len(await all_runs(stack)) == 2


# Deadlines -----------------------------------------------------------------------------------------------------------


async def test_a_run_that_sleeps_past_its_deadline_fails_then_and_is_reported(
    make_stack: MakeStack, sandbox: Sandbox
) -> None:
    stack = await make_stack(STACK, slow('deadline="5m"'))
    await submit_all(stack, "A")
    (run,) = await all_runs(stack)
    await stack.advance("299s")
    assert (await all_runs(stack))[0]["state"] == "waiting"
    await stack.advance("1s")

    (run,) = await all_runs(stack)
    assert (run["state"], run["fate"], run["failed_step"]) == ("failed", "deadline", 2)
    assert run["error"] == f"it had not ended by its deadline, {run['deadline_at']:%Y-%m-%d %H:%M} UTC, at sleep"
    async with acquire(stack.app.pool) as connection:
        incident = await connection.fetchrow("SELECT * FROM incidents WHERE id = $1", run["incident_id"])
    assert incident is not None
    assert (incident["title"], incident["state"]) == ("welcome.v1 fails", "open")
    await stack.advance("1h")
    assert posts(sandbox) == ["A begins"]

    assert await stack.app.retry_run(run["workspace_id"], run["id"])
    (run,) = await all_runs(stack)
    assert run["deadline_at"] == stack.clock() + timedelta(minutes=5)
    await stack.settle()
    assert posts(sandbox) == ["A begins", "A ends"]


async def test_a_deadline_passes_in_a_retry_wait_and_behind(make_stack: MakeStack, sandbox: Sandbox) -> None:
    sandbox.set_fault("slack", "status", status=503)
    stack = await make_stack(STACK, slow('deadline="5m"'))
    await submit_all(stack, "A", "B")
    assert [row["is_behind"] for row in await all_runs(stack)] == [False, True]
    await stack.advance("5m")
    runs = await all_runs(stack)
    assert [(row["state"], row["fate"]) for row in runs] == [("failed", "deadline")] * 2
    assert runs[0]["error"].endswith("at chat.post")
    await stack.app.watch_once()
    await stack.advance("2h")
    assert posts(sandbox) == []


async def test_a_run_that_ends_in_time_has_no_deadline_any_more(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(STACK, slow('deadline="11m"'))
    await submit_all(stack, "A")
    await stack.advance("1h")
    assert posts(sandbox) == ["A begins", "A ends"]
    assert [row["state"] for row in await all_runs(stack)] == ["done"]


async def test_a_wait_for_an_event_without_a_time_out_ends_at_the_deadline(make_stack: MakeStack) -> None:
    stack = await make_stack(
        STACK,
        """
    @workflow("welcome.v1", on="contact.created", deadline="1d")
    async def welcome(ctx: Context, contact: Contact) -> None:
        try:
            await ctx.wait_for("never.happens", contact=contact)
        except Exception:
            pass
    """,
    )
    await submit_all(stack, "A")
    await stack.advance("23h")
    assert [row["state"] for row in await all_runs(stack)] == ["waiting"]
    await stack.advance("1h")
    assert [row["fate"] for row in await all_runs(stack)] == ["deadline"]


# Cancelling ----------------------------------------------------------------------------------------------------------


async def cancel(stack: StackUnderTest, run: Any) -> int:
    return len(await stack.app.keeper.cancel(run["workspace_id"], [run["id"]], by="Dana"))


async def test_cancelled_while_it_sleeps_and_while_it_is_behind(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(STACK, slow())
    await submit_all(stack, "A", "B", "C", "D")
    first, second, *_ = await all_runs(stack)
    assert await cancel(stack, second) == 1
    assert await cancel(stack, first) == 1
    assert await cancel(stack, first) == 0
    await stack.settle()
    assert posts(sandbox) == ["A begins", "C begins"]
    await stack.advance("1h")
    assert posts(sandbox) == ["A begins", "C begins", "C ends", "D begins", "D ends"]
    rows = await all_runs(stack)
    assert [row["state"] for row in rows] == ["cancelled", "cancelled", "done", "done"]
    assert rows[0]["error"] == "cancelled by Dana"
    assert not await stack.app.retry_run(first["workspace_id"], first["id"])


async def test_cancelled_while_it_waits_for_a_retry(make_stack: MakeStack, sandbox: Sandbox) -> None:
    sandbox.set_fault("slack", "status", status=503, count=1)
    stack = await make_stack(STACK, slow())
    await submit_all(stack, "A")
    (run,) = await all_runs(stack)
    assert run["waiting_for"] == "retry of chat.post"
    assert await cancel(stack, run) == 1
    await stack.advance("1h")
    assert posts(sandbox) == []


async def test_cancelled_while_a_vendor_has_its_call(make_stack: MakeStack, sandbox: Sandbox) -> None:
    """What is with the vendor comes to its end there; nothing follows it, and the record stays as it was."""
    fault = sandbox.set_fault("slack", "hold")
    stack = await make_stack(
        STACK,
        """
    @workflow("welcome.v1", on="contact.created")
    async def welcome(ctx: Context, contact: Contact) -> None:
        await ctx.chat.post("#a", "first")
        await ctx.chat.post("#a", "second")
    """,
    )
    submitting = asyncio.create_task(submit_all(stack, "A"))
    await until(lambda: sandbox.hits(fault), "the vendor has the call")
    (run,) = await all_runs(stack)
    assert run["state"] == "running"
    assert await cancel(stack, run) == 1
    sandbox.clear(fault=fault)
    await submitting
    await stack.advance("1h")
    assert posts(sandbox) == ["first"]
    (run,) = await all_runs(stack)
    assert (run["state"], run["error"]) == ("cancelled", "cancelled by Dana")


async def test_what_is_cancelled_while_it_waits_for_a_slot_calls_nobody(
    make_stack: MakeStack, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainstay.engine.steps._SURE_SECONDS", 0.0)
    stack = await make_stack(
        STACK,
        """
    from asyncio import Event
    BEGUN, GO = Event(), Event()

    @workflow("welcome.v1", on="contact.created")
    async def welcome(ctx: Context, contact: Contact) -> None:
        BEGUN.set()
        await GO.wait()
        await ctx.chat.post("#a", "first")
    """,
    )
    function = next(iter(stack.app.workspaces.values())).workflows["welcome.v1"].function
    submitting = asyncio.create_task(submit_all(stack, "A"))
    await function.__globals__["BEGUN"].wait()
    (run,) = await all_runs(stack)
    assert await cancel(stack, run) == 1
    function.__globals__["GO"].set()
    await submitting
    assert sandbox.request_count("slack") == 0


async def test_all_of_a_contact_and_all_of_a_workflow(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(STACK, slow())
    sarah = await stack.submit("website", email="sarah@example.com", company="A")
    await submit_all(stack, "B")
    await submit_all(stack, "C", email="bob@example.com")
    workspace_id, keeper = sarah.contact.workspace_id, stack.app.keeper
    assert len(await keeper.cancel_open(workspace_id, by="Dana", contact_id=sarah.contact.id)) == 2
    assert await keeper.cancel_open(new_id(), by="Dana", workflow="welcome.v1") == set()
    assert len(await keeper.cancel_open(workspace_id, by="Dana", workflow="welcome.v1")) == 1
    with pytest.raises(ValueError, match="say of which"):
        await keeper.cancel_open(workspace_id, by="Dana")
    await stack.advance("1h")
    assert posts(sandbox) == ["A begins", "C begins"]


async def test_mainstays_own_runs_are_not_cancelled(make_stack: MakeStack, sandbox: Sandbox) -> None:
    sandbox.set_fault("gohighlevel", "status", status=503)
    stack = await make_stack(
        """
    [connections]
    ghl = { connector = "gohighlevel", token = "${TOKEN}", location_id = "ve9EPM428h8vShlRW1KT" }
    [records.contact]
    system_of_record = "ghl"
    [sources.website]
    kind = "form"
    """
    )
    lead = await stack.submit("website", email="sarah@example.com")
    (push,) = await all_runs(stack, "push.v1")
    assert await cancel(stack, push) == 0
    assert await stack.app.keeper.cancel_open(lead.contact.workspace_id, by="", contact_id=lead.contact.id) == set()
    sandbox.clear()
    await stack.advance("1h")
    assert [row["state"] for row in await all_runs(stack, "push.v1")] == ["done"]


async def test_a_deleted_contact_leaves_the_line(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(STACK, slow("key=None"))
    sarah = await stack.submit("website", email="sarah@example.com", company="A")
    await submit_all(stack, "B", email="bob@example.com")
    await stack.app.contacts.delete(sarah.contact.workspace_id, sarah.contact.id)
    await stack.settle()
    assert posts(sandbox) == ["A begins", "B begins"]


# Retries and merges --------------------------------------------------------------------------------------------------


async def test_a_failed_run_is_retried_while_another_of_its_key_runs(make_stack: MakeStack, sandbox: Sandbox) -> None:
    sandbox.set_fault("slack", "status", status=422, count=1)
    stack = await make_stack(STACK, slow())
    await submit_all(stack, "A", "B", "C")
    first, *_ = await all_runs(stack)
    assert first["state"] == "failed"
    assert await stack.app.retry_run(first["workspace_id"], first["id"])
    await stack.settle()
    assert posts(sandbox) == ["B begins"]
    await stack.advance("1h")
    assert posts(sandbox) == ["B begins", "B ends", "A begins", "A ends", "C begins", "C ends"]


async def test_two_contacts_become_one_while_their_runs_wait_and_part_again(
    make_stack: MakeStack, sandbox: Sandbox
) -> None:
    stack = await make_stack(STACK, slow())
    sarah = await stack.submit("website", email="sarah@example.com", company="A")
    bob = await stack.submit("website", email="bob@example.com", company="X")
    await submit_all(stack, "B")
    await submit_all(stack, "Y", email="bob@example.com")
    workspace_id = sarah.contact.workspace_id
    merged = await stack.app.contacts.merge(workspace_id, sarah.contact.id, bob.contact.id, by="Dana")
    await submit_all(stack, "C")
    await stack.advance("15m")
    assert posts(sandbox) == ["A begins", "X begins", "A ends", "X ends", "B begins"]

    await stack.app.contacts.unmerge(workspace_id, merged.merge_id, by="Dana")
    await stack.settle()
    assert posts(sandbox)[5:] == ["Y begins"]
    await stack.advance("1h")
    assert sorted(posts(sandbox)[6:]) == ["B ends", "C begins", "C ends", "Y ends"]
    assert {row["state"] for row in await all_runs(stack)} == {"done"}


# Declaring -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"overlap": "wait"}, 'overlap="wait"'),
        ({"key": "email"}, "key='email'"),
        ({"debounce": "5 minutes"}, "debounce='5 minutes'"),
        ({"debounce": "0s"}, "debounce='0s'"),
        ({"deadline": 60}, "deadline=60"),
        ({"overlap": "allow", "debounce": "5m"}, "no one to wait for"),
    ],
)
def test_what_cannot_be_meant_is_refused(more: dict[str, Any], says: str) -> None:
    async def function(ctx: Context, contact: Contact) -> None: ...

    with pytest.raises(ConfigError) as caught:
        workflow("welcome.v1", on="contact.created", **more)(function)
    assert says in str(caught.value)
    assert __file__ in caught.value.problems[0].where


def test_a_long_key_stays_apart_from_others_and_fits_an_index() -> None:
    contact = Contact(id=new_id(), workspace_id=new_id())
    keys = set()
    for end in "ab":
        turn = Turns(key=lambda _, data: "x" * 5000 + "\0" + data["end"]).turn(contact, {"end": end}, NOW)
        assert turn is not None
        assert len(turn.key) < 200
        keys.add(turn.key)
    assert len(keys) == 2
    assert Turns(overlap=Overlap.ALLOW).turn(contact, {}, NOW) is None
