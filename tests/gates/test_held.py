"""Runs that a gate holds, on a whole stack under a clock that the test moves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainstay.db import acquire
from mainstay.gates import Pause
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack

STACK = """
[connections]
slack = {{ connector = "slack", token = "${{SLACK_TOKEN}}"{more} }}
mail  = {{ connector = "postmark", token = "${{POSTMARK_TOKEN}}", from = "hello@acme.example" }}
[sources.website]
kind = "form"
"""
POST = """
@workflow("welcome.v1", on="contact.created")
async def welcome(ctx: Context, contact: Contact) -> None:
    await ctx.chat.post("#leads", contact.email)
"""
BESIDE = """
@workflow("mails.v1", on="contact.created")
async def mails(ctx: Context, contact: Contact) -> None:
    await ctx.email.send(contact, "Hello", "Hi {first_name}")
"""


async def submit(stack: StackUnderTest, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        await stack.submit("website", email=f"lead{number}@example.com", name=f"Lead {number}")


async def rows(stack: StackUnderTest, query: str, *values: Any) -> list[Mapping[str, Any]]:
    async with acquire(stack.app.pool) as connection:
        found: list[Mapping[str, Any]] = await connection.fetch(query, *values)  # type: ignore[assignment]
        return found


async def states(stack: StackUnderTest, workflow: str = "welcome.v1") -> dict[str, int]:
    found = await rows(stack, "SELECT state, count(*) AS n FROM runs WHERE workflow = $1 GROUP BY 1", workflow)
    return {row["state"]: row["n"] for row in found}


async def held(stack: StackUnderTest) -> list[Mapping[str, Any]]:
    return await rows(stack, "SELECT * FROM runs WHERE held_at <> '' ORDER BY id")


async def by_hand(stack: StackUnderTest, *, is_pause: bool) -> None:
    workspace = next(iter(stack.app.workspaces.values()))
    if is_pause:
        assert await stack.app.gates.pause(workspace.id, "slack", Pause("Dana"))
    else:
        assert await stack.app.gates.resume(workspace.id, "slack")
    await stack.app.gates.tick()


async def test_a_rate_holds_what_is_too_much_and_lets_it_through_in_time(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK.format(more=', rate = "3 in 10s"'), POST)
    await submit(stack, 10)
    assert await states(stack) == {"done": 3, "waiting": 7}
    waiting = await held(stack)
    assert {(run["held_at"], run["waiting_for"], run["wake_at"]) for run in waiting} == {
        ("slack", "its turn at slack", None)
    }
    # It waits without a queue entry, and without an attempt: nothing was tried.
    ids = [run["execution_id"] for run in waiting]
    assert not await rows(stack, "SELECT FROM dbos.workflow_status WHERE workflow_uuid = ANY($1)", ids)
    assert len(stack.sandbox.messages("slack")) == 3

    await stack.advance("12s")
    assert await states(stack) == {"done": 6, "waiting": 4}
    await stack.advance("1m")
    assert await states(stack) == {"done": 10}
    # The oldest first; those that are let through together call side by side.
    texts = [message["text"] for message in stack.sandbox.messages("slack")]
    together = [set(texts[first : first + 3]) for first in range(0, 10, 3)]
    assert together == [
        {f"lead{number}@example.com" for number in range(first, min(first + 3, 10))} for first in range(0, 10, 3)
    ]
    assert {row["n"] for row in await rows(stack, "SELECT count(*) AS n FROM attempts GROUP BY run_id")} == {1}


async def test_paused_by_hand_and_nothing_is_lost(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK.format(more=""), POST + BESIDE)
    await submit(stack, 1)
    await by_hand(stack, is_pause=True)
    await submit(stack, 20, first=1)
    await stack.advance("3d")
    assert await states(stack) == {"done": 1, "waiting": 20}
    assert await states(stack, "mails.v1") == {"done": 21}
    assert {run["waiting_for"] for run in await held(stack)} == {"slack to be resumed"}
    assert stack.sandbox.request_count("slack") == 1

    await by_hand(stack, is_pause=False)
    await stack.settle()
    assert await states(stack) == {"done": 21}
    assert stack.sandbox.request_count("slack") == 21


async def test_an_outage_is_met_by_few_calls(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK.format(more=""), POST + BESIDE)
    stack.sandbox.set_fault("slack", "status", status=503)
    await submit(stack, 40)
    assert await states(stack, "mails.v1") == {"done": 40}
    at_first = stack.sandbox.request_count("slack")
    assert at_first <= 6
    await stack.advance("10m")
    # Probes at 5, 10, 20, ... seconds' distance, and what was on its way to a retry is held as well.
    assert 5 <= stack.sandbox.request_count("slack") - at_first <= 9
    assert await states(stack) == {"waiting": 40}

    stack.sandbox.clear("slack")
    await stack.advance("6m")
    assert await states(stack) == {"done": 40}
    assert len(stack.sandbox.messages("slack")) == 40
    assert not stack.sandbox.repeated("slack")
    (gate,) = await rows(stack, "SELECT * FROM connections WHERE name = 'slack'")
    assert (gate["opened_at"], gate["failed_probes"], gate["probe_at"]) == (None, 0, None)


async def test_an_outage_that_outlasts_the_patience_is_told(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK.format(more=', retry = { give_up = "30m" }'), POST)
    stack.sandbox.set_fault("slack", "status", status=503)
    await submit(stack, 12)
    await stack.advance("25m")
    assert await states(stack) == {"waiting": 12}
    await stack.advance("40m")
    assert await states(stack) == {"failed": 12}
    errors = {row["error"] for row in await rows(stack, "SELECT error FROM runs WHERE state = 'failed'")}
    assert "given up, nothing was sent: the run waited for slack to answer again" in errors
    assert await rows(stack, "SELECT FROM incidents WHERE state = 'open' AND connection = 'slack'")
    # Told once a run, with a step that stopped: so it can be retried from there.
    assert {row["failed_step"] for row in await rows(stack, "SELECT failed_step FROM runs")} >= {1}

    stack.sandbox.clear("slack")
    workspace = next(iter(stack.app.workspaces.values()))
    await stack.advance("6m")
    for run_id, _, state in await stack.runs("welcome.v1"):
        assert state == "failed"
        assert await stack.app.retry_run(workspace.id, run_id)
    await stack.advance("10m")
    assert await states(stack) == {"done": 12}
    assert len(stack.sandbox.messages("slack")) == 12


async def test_a_vendor_that_asks_for_rest_is_left_in_peace(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK.format(more=""), POST)
    stack.sandbox.set_fault("slack", "status", status=429, retry_after=30, count=1)
    await submit(stack, 10)
    assert stack.sandbox.request_count("slack") == 1
    assert len(await held(stack)) == 9
    await stack.advance("29s")
    assert stack.sandbox.request_count("slack") == 1
    await stack.advance("5s")
    assert await states(stack) == {"done": 10}
    assert stack.sandbox.request_count("slack") == 11


async def test_steps_side_by_side_one_of_which_is_held(make_stack: MakeStack) -> None:
    stack = await make_stack(
        STACK.format(more=', rate = "1 in 10s"'),
        """
        import asyncio

        @workflow("both.v1", on="contact.created")
        async def both(ctx: Context, contact: Contact) -> None:
            await asyncio.gather(
                ctx.chat.post("#leads", contact.email),
                ctx.email.send(contact, "Hello", "Hi"),
                ctx.chat.post("#sales", contact.email),
            )
        """,
    )
    await submit(stack, 2)
    assert await states(stack, "both.v1") == {"waiting": 2}
    await stack.advance("1m")
    assert await states(stack, "both.v1") == {"done": 2}
    assert len(stack.sandbox.messages("slack")) == 4
    assert len(stack.sandbox.messages("postmark")) == 2


async def test_what_a_dead_worker_left_unsure_stays_marked_through_a_gate(make_stack: MakeStack) -> None:
    """It may have posted when it died; the gate holds whoever takes the run over; then it may be a repeat."""
    stack = await make_stack(STACK.format(more=""), POST)
    await by_hand(stack, is_pause=True)
    await submit(stack, 1)
    # As a worker leaves it that dies between the call and its record.
    await rows(stack, "UPDATE runs SET state = 'running', held_at = '' WHERE held_at <> ''")
    await stack.settle()
    assert len(await held(stack)) == 1
    await by_hand(stack, is_pause=False)
    await stack.advance("1m")
    assert await states(stack) == {"done": 1}
    told = await rows(stack, "SELECT state, fate, guard FROM attempts WHERE name = 'chat.post' ORDER BY number")
    assert tuple(told[0].values()) == ("retry", "unsure", "")
    assert tuple(told[-1].values()) == ("ok", "", "not found")


async def test_a_connection_that_is_gone_from_the_stack_does_not_keep_its_runs_for_ever(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK.format(more=""), POST)
    await by_hand(stack, is_pause=True)
    await submit(stack, 1)
    again = await make_stack('[sources.website]\nkind = "form"', POST)
    await again.settle()
    await again.app.gates.tick()
    await again.settle()
    assert await states(again) == {"failed": 1}


async def test_who_probed_in_vain_goes_on_with_all_others(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK.format(more=""), POST)
    stack.sandbox.set_fault("slack", "status", status=503)
    await submit(stack, 5)
    await stack.advance("3h")
    tries = [row["n"] for row in await rows(stack, "SELECT count(*) AS n FROM attempts GROUP BY run_id")]
    assert sum(tries) >= 36, "by now their own waits would be of up to an hour"
    assert len(await held(stack)) == 5

    stack.sandbox.clear("slack")
    await stack.advance("5m")
    assert await states(stack) == {"done": 5}


async def test_a_call_that_fails_for_its_own_sake_does_not_keep_a_gate_shut(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK.format(more=""), POST)
    fault = stack.sandbox.set_fault("slack", "status", status=503)
    await submit(stack, 10)
    assert len(await held(stack)) >= 5
    stack.sandbox.clear("slack", fault)
    # The oldest breaks the vendor's own code, whatever else is well.
    stack.sandbox.set_fault("slack", "status", status=500, contains="lead0@")
    await stack.advance("15m")
    assert await states(stack) == {"done": 9, "waiting": 1}
