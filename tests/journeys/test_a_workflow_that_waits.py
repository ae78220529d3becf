"""Sleep, and waiting for an event: durable, woken once, over at the deadline."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mainstay.db import Connection, acquire
from mainstay.engine import driver
from mainstay.errors import DatabaseUnavailableError
from mainstay.model import Run, new_id
from mainstay.runs import Wait, recheck_wait
from mainstay.sandbox.client import Sandbox
from tests.conftest import MakeStack

STACK = """
    [connections]
    slack = { connector = "slack", token = "${TOKEN}" }
    [sources.website]
    kind = "form"
"""
WAITING = """
    @workflow("answer.v1", on="contact.created")
    async def answer(ctx: Context, contact: Contact) -> None:
        event = await ctx.wait_for("contact.updated", contact=contact, timeout="10m")
        await ctx.chat.post("#leads", "silent" if event is None else f"{event['type']}: {', '.join(event['changed'])}")
"""


def posts(sandbox: Sandbox) -> list[str]:
    return [message["text"] for message in sandbox.messages("slack")]


async def test_an_event_of_the_contact_wakes_the_run(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(STACK, WAITING)
    await stack.submit("website", email="sarah@example.com")
    await stack.submit("website", email="bob@example.com")

    await stack.submit("website", email="sarah@example.com", company="Birch & Co")

    assert posts(sandbox) == ["contact.updated: company"]
    assert sorted(state for _, _, state in await stack.runs("answer.v1")) == ["done", "waiting"]


async def test_an_event_of_the_instants_of_parking_is_heard_though_the_database_went_away(
    make_stack: MakeStack, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = await make_stack(STACK, WAITING)
    looked = 0

    async def look(connection: Connection, run: Run, wait: Wait) -> None:
        nonlocal looked
        looked += 1
        if looked == 1:
            async with acquire(stack.app.pool) as other:
                await other.execute(
                    """
                    INSERT INTO events (id, workspace_id, type, contact_id, source, data, at)
                    VALUES ($1, $2, $3, $4, 'website', '{"changed": ["company"]}', now())
                    """,
                    new_id(),
                    run.workspace_id,
                    wait.event_type,
                    wait.contact_id,
                )
            raise DatabaseUnavailableError("gone")
        await recheck_wait(connection, run, wait)

    monkeypatch.setattr(driver, "recheck_wait", look)
    await stack.submit("website", email="sarah@example.com")

    assert looked == 2
    assert posts(sandbox) == ["contact.updated: company"]


async def test_a_wait_is_over_at_its_deadline(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(STACK, WAITING)
    await stack.submit("website", email="sarah@example.com")

    await stack.advance("9m 59s")
    assert posts(sandbox) == []
    await stack.advance("2s")
    assert posts(sandbox) == ["silent"]

    await stack.submit("website", email="sarah@example.com", company="Birch & Co")
    assert posts(sandbox) == ["silent"]


async def test_a_wait_without_a_deadline_goes_on_until_woken(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(STACK, WAITING.replace(', timeout="10m"', ""))
    await stack.submit("website", email="sarah@example.com")
    await stack.advance("30d")
    assert posts(sandbox) == []

    await stack.submit("website", email="sarah@example.com", company="Birch & Co")

    assert posts(sandbox) == ["contact.updated: company"]


async def test_a_wait_beside_a_call_that_is_tried_again_hears_its_event(
    make_stack: MakeStack, sandbox: Sandbox
) -> None:
    stack = await make_stack(
        STACK,
        """
    import asyncio

    @workflow("answer.v1", on="contact.created")
    async def answer(ctx: Context, contact: Contact) -> None:
        _, event = await asyncio.gather(
            ctx.chat.post("#leads", "new lead"), ctx.wait_for("contact.updated", contact=contact, timeout="2h")
        )
        await ctx.chat.post("#leads", "silent" if event is None else "heard")
    """,
    )
    sandbox.set_fault("slack", "status", status=503, count=1)
    await stack.submit("website", email="sarah@example.com")
    await stack.advance("1m")
    await stack.submit("website", email="sarah@example.com", company="Birch & Co")
    await stack.advance("1m")

    assert posts(sandbox) == ["new lead", "heard"]


async def test_sleep_holds_for_its_time_and_survives_a_restart(make_stack: MakeStack, sandbox: Sandbox) -> None:
    code = """
    @workflow("later.v1", on="contact.created")
    async def later(ctx: Context, contact: Contact) -> None:
        await ctx.chat.post("#leads", "before")
        await ctx.sleep("1d 2h")
        await ctx.chat.post("#leads", "after")
    """
    stack = await make_stack(STACK, code)
    await stack.submit("website", email="sarah@example.com")
    await stack.advance(timedelta(hours=25))
    assert posts(sandbox) == ["before"]

    restarted = await make_stack(STACK, code)
    await restarted.advance(timedelta(hours=1, seconds=1))

    assert posts(sandbox) == ["before", "after"]
    assert {state for _, _, state in await restarted.runs()} == {"done"}
