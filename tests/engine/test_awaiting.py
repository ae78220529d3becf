"""Waiting for a time by the workspace's clock and hours, and for events that match."""
# ruff: noqa: DTZ001 - a time without a zone is by the workspace's clock

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mainstay.db import Connection, acquire
from mainstay.engine import driver
from mainstay.model import Run, new_id
from mainstay.runs import Wait, claim_execution, event_as_seen, recheck_wait, wake
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack

CHICAGO = ZoneInfo("America/Chicago")
STACK = """
    hours = "Mon-Fri 08:00-18:00"
    [connections]
    slack = { connector = "slack", token = "${TOKEN}" }
    [sources.website]
    kind = "form"
"""


def waits(body: str) -> str:
    return f"""
    from datetime import datetime

    @workflow("waits.v1", on="contact.created")
    async def waits(ctx: Context, contact: Contact):
        {body}
"""


async def run_of(stack: StackUnderTest) -> Any:
    async with acquire(stack.app.pool) as connection:
        return await connection.fetchrow("SELECT * FROM runs WHERE workflow = 'waits.v1'")


async def happens(stack: StackUnderTest, kind: str, *, contact: Any = None, **data: Any) -> None:
    """Let an event happen as the stages write it."""
    (workspace_id,) = stack.app.workspaces
    event_id = new_id()
    async with acquire(stack.app.pool) as connection, connection.transaction():
        await connection.execute(
            """
            INSERT INTO events (id, workspace_id, type, contact_id, source, data, at)
            VALUES ($1, $2, $3, $4, 'test', $5, now())
            """,
            event_id,
            workspace_id,
            kind,
            contact,
            data,
        )
        await wake(connection, [(workspace_id, kind, contact, event_as_seen(kind, event_id, data))])
    await stack.settle()


@pytest.mark.parametrize(
    ("body", "begin", "wakes"),
    [
        ("await ctx.sleep_until(ctx.next_open())", datetime(2026, 6, 6, 12), datetime(2026, 6, 8, 8)),  # a Saturday
        ("await ctx.sleep_until(ctx.next_open())", datetime(2026, 6, 8, 7, 59), datetime(2026, 6, 8, 8)),
        ("await ctx.sleep_until(datetime(2026, 11, 2, 9))", datetime(2026, 10, 30, 9), datetime(2026, 11, 2, 9)),
        # By the wall: it is 2 in the night of the change back, and nine on the wall is ten hours away.
        ("await ctx.sleep_until(datetime(2026, 11, 1, 9))", datetime(2026, 11, 1, 0), datetime(2026, 11, 1, 9)),
        ("await ctx.sleep_until(ctx.now().replace(hour=20))", datetime(2026, 6, 8, 10), datetime(2026, 6, 8, 20)),
    ],
)
async def test_it_sleeps_until_a_time_of_the_workspaces_clock(
    make_stack: MakeStack, body: str, begin: datetime, wakes: datetime
) -> None:
    stack = await make_stack(STACK, waits(body))
    await stack.start_at(begin)
    await stack.submit("website", email="sarah@example.com")
    assert (await run_of(stack))["wake_at"] == wakes.replace(tzinfo=CHICAGO)
    await stack.advance_to(wakes)
    assert (await run_of(stack))["state"] == "done"


async def test_what_is_past_or_open_does_not_wait(make_stack: MakeStack) -> None:
    stack = await make_stack(
        STACK, waits("await ctx.sleep_until(ctx.next_open()); await ctx.sleep_until(datetime(2020, 1, 1))")
    )
    await stack.start_at(datetime(2026, 6, 8, 10))
    await stack.submit("website", email="sarah@example.com")
    assert (await run_of(stack))["state"] == "done"


async def test_what_the_hours_said_stays_said_however_late_the_run_goes_on(make_stack: MakeStack) -> None:
    body = """is_open, at = ctx.open_now(), ctx.now()
        await ctx.sleep("10h")
        return [is_open, ctx.open_now(), at.isoformat(), ctx.now().isoformat()]"""
    stack = await make_stack(STACK, waits(body))
    await stack.start_at(datetime(2026, 6, 8, 10))
    await stack.submit("website", email="sarah@example.com")
    await stack.advance("10h")
    assert (await run_of(stack))["result"] == [
        True,
        False,
        "2026-06-08T10:00:00-05:00",
        "2026-06-08T20:00:00-05:00",
    ]


async def test_an_event_must_match(make_stack: MakeStack) -> None:
    body = """event = await ctx.wait_for(
            "quote.answered", contact=contact, match={"status": "signed", "by": {"role": "owner"}}, timeout="1h")
        return event and event["n"]"""
    stack = await make_stack(STACK, waits(body))
    lead = await stack.submit("website", email="sarah@example.com")
    owner = {"name": "Sarah", "role": "owner"}
    await happens(stack, "quote.answered", contact=lead.contact.id, n=1, status="declined", by=owner)
    await happens(stack, "quote.answered", contact=lead.contact.id, n=2, status="signed", by={"role": "tenant"})
    await happens(stack, "quote.answered", contact=new_id(), n=3, status="signed", by=owner)
    assert (await run_of(stack))["state"] == "waiting"
    await happens(stack, "quote.answered", contact=lead.contact.id, n=4, status="signed", by=owner)
    assert (await run_of(stack))["result"] == 4


async def test_of_many_at_once_the_first_that_matches_is_taken(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK, waits('return (await ctx.wait_for("a.b", match={"ok": True}))["n"]'))
    await stack.submit("website", email="sarah@example.com")
    (workspace_id,) = stack.app.workspaces
    events = [
        (workspace_id, "a.b", None, event_as_seen("a.b", new_id(), {"n": n, "ok": n in {3, 4}})) for n in range(1, 6)
    ]
    async with acquire(stack.app.pool) as connection, connection.transaction():
        await wake(connection, events)
    await stack.settle()
    assert (await run_of(stack))["result"] == 3


FILTERED = """event = await ctx.wait_for("message.received", match=lambda event: "yes" in event["text"], timeout="1h")
        return event and event["text"]"""


async def test_a_function_may_say_what_matches(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK, waits(FILTERED))
    await stack.submit("website", email="sarah@example.com")
    for text in ("no", "perhaps"):
        await happens(stack, "message.received", text=text)
        assert (await run_of(stack))["state"] == "waiting"
    await happens(stack, "message.received", text="yes please")
    assert (await run_of(stack))["result"] == "yes please"


async def test_its_time_is_counted_from_the_first_wait(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK, waits(FILTERED))
    await stack.submit("website", email="sarah@example.com")
    await stack.advance("50m")
    await happens(stack, "message.received", text="no")
    await stack.advance("11m")
    assert (await run_of(stack))["result"] is None


@pytest.mark.parametrize("match", ['{"text": "yes"}', 'lambda event: event["text"] == "yes"'])
async def test_what_came_while_the_run_was_parking_is_matched_too(
    make_stack: MakeStack, monkeypatch: pytest.MonkeyPatch, match: str
) -> None:
    stack = await make_stack(STACK, waits(f'return (await ctx.wait_for("a.b", match={match}))["n"]'))
    came = 0

    async def look(connection: Connection, run: Run, wait: Wait) -> None:
        nonlocal came
        came += 1
        if came == 1:
            async with acquire(stack.app.pool) as other:
                for n, text in enumerate(["no", "no", "yes", "yes"], 1):
                    await other.execute(
                        """
                        INSERT INTO events (id, workspace_id, type, source, data, at)
                        VALUES ($1, $2, 'a.b', 'test', $3, now())
                        """,
                        new_id(),
                        run.workspace_id,
                        {"n": n, "text": text},
                    )
        await recheck_wait(connection, run, wait)

    monkeypatch.setattr(driver, "recheck_wait", look)
    await stack.submit("website", email="sarah@example.com")
    assert (await run_of(stack))["result"] == 3


async def test_an_event_that_comes_while_another_is_being_refused_is_not_lost(
    make_stack: MakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = await make_stack(STACK, waits(FILTERED))
    await stack.submit("website", email="sarah@example.com")
    real = claim_execution
    is_told = False

    async def claim(*args: Any, **kwargs: Any) -> Any:
        nonlocal is_told
        claimed = await real(*args, **kwargs)
        if not is_told and claimed:
            is_told = True
            (workspace_id,) = stack.app.workspaces
            event_id = new_id()
            async with acquire(stack.app.pool) as connection, connection.transaction():
                await connection.execute(
                    """
                    INSERT INTO events (id, workspace_id, type, source, data, at)
                    VALUES ($1, $2, 'message.received', 'test', $3, now())
                    """,
                    event_id,
                    workspace_id,
                    {"text": "yes"},
                )
                event = event_as_seen("message.received", event_id, {"text": "yes"})
                await wake(connection, [(workspace_id, "message.received", None, event)])
        return claimed

    monkeypatch.setattr(driver, "claim_execution", claim)
    await happens(stack, "message.received", text="no")
    assert (await run_of(stack))["result"] == "yes"
