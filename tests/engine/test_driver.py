"""What the driver makes of what a workflow does, on a real database."""

from __future__ import annotations

from typing import Any

import pytest

from mainstay.db import acquire
from mainstay.sandbox.client import Sandbox
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack

STACK = """
    [connections]
    slack = { connector = "slack", token = "${TOKEN}" }
    mail = { connector = "postmark", token = "${TOKEN}", from = "hello@acme.example" }
    [sources.website]
    kind = "form"
"""


async def run_of(stack: StackUnderTest) -> Any:
    async with acquire(stack.app.pool) as connection:
        return await connection.fetchrow("SELECT * FROM runs WHERE workflow = 'welcome.v1'")


def posts(sandbox: Sandbox) -> list[str]:
    return sorted(message["text"] for message in sandbox.messages("slack"))


GATHER = """
    import asyncio

    @workflow("welcome.v1", on="contact.created")
    async def welcome(ctx: Context, contact: Contact) -> None:
        await asyncio.gather(ctx.chat.post("#a", "chat"), ctx.email.send(contact, "Hello", "Hi"))
        await ctx.chat.post("#a", "after")
"""
TASK_GROUP = """
    import asyncio

    @workflow("welcome.v1", on="contact.created")
    async def welcome(ctx: Context, contact: Contact) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(ctx.chat.post("#a", "chat"))
            group.create_task(ctx.email.send(contact, "Hello", "Hi"))
        await ctx.chat.post("#a", "after")
"""


@pytest.mark.parametrize("code", [GATHER, TASK_GROUP], ids=["gather", "task group"])
@pytest.mark.parametrize("vendor", ["slack", "postmark"])
async def test_of_steps_side_by_side_only_the_one_that_failed_is_tried_again(
    make_stack: MakeStack, sandbox: Sandbox, vendor: str, code: str
) -> None:
    sandbox.set_fault(vendor, "status", status=503, count=1)
    other = "postmark" if vendor == "slack" else "slack"
    stack = await make_stack(STACK, code)
    await stack.submit("website", email="sarah@example.com")
    await stack.advance("1m")

    assert (await run_of(stack))["state"] == "done"
    assert posts(sandbox) == ["after", "chat"]
    assert [mail["Subject"] for mail in sandbox.messages("postmark")] == ["Hello"]
    if code is GATHER:
        assert sandbox.request_count(other) == (2 if other == "slack" else 1)


@pytest.mark.parametrize("code", [GATHER, TASK_GROUP], ids=["gather", "task group"])
async def test_of_steps_side_by_side_a_failure_outweighs_a_wait(
    make_stack: MakeStack, sandbox: Sandbox, code: str
) -> None:
    sandbox.set_fault("slack", "status", status=404, count=1, latency_ms=100)
    sandbox.set_fault("postmark", "status", status=422, count=1)
    stack = await make_stack(STACK, code)
    await stack.submit("website", email="sarah@example.com")
    run = await run_of(stack)
    assert run["state"] == "failed"

    assert await stack.app.retry_run(run["workspace_id"], run["id"])
    await stack.advance("1m")

    assert (await run_of(stack))["state"] == "done"
    assert posts(sandbox) == ["after", "chat"]


async def test_a_vendors_refusal_can_be_caught(make_stack: MakeStack, sandbox: Sandbox) -> None:
    sandbox.set_fault("postmark", "status", status=422)
    stack = await make_stack(
        STACK,
        """
    @workflow("welcome.v1", on="contact.created")
    async def welcome(ctx: Context, contact: Contact) -> None:
        try:
            await ctx.email.send(contact, "Hello", "Hi")
        except PermanentError as error:
            await ctx.sleep("1h")
            await ctx.chat.post("#a", f"{error.status}")
    """,
    )
    await stack.submit("website", email="sarah@example.com")
    await stack.advance("2h")

    assert (await run_of(stack))["state"] == "done"
    assert posts(sandbox) == ["422"]
    assert sandbox.request_count("postmark") == 1


async def test_a_passing_failure_cannot(make_stack: MakeStack, sandbox: Sandbox) -> None:
    sandbox.set_fault("postmark", "status", status=503, count=2)
    stack = await make_stack(
        STACK,
        """
    @workflow("welcome.v1", on="contact.created")
    async def welcome(ctx: Context, contact: Contact) -> None:
        try:
            await ctx.email.send(contact, "Hello", "Hi")
        except Exception:
            await ctx.chat.post("#a", "caught")
    """,
    )
    await stack.submit("website", email="sarah@example.com")
    await stack.advance("1m")

    assert posts(sandbox) == []
    assert len(sandbox.messages("postmark")) == 1


async def test_retry_after_is_honoured(make_stack: MakeStack, sandbox: Sandbox) -> None:
    sandbox.set_fault("slack", "status", status=429, retry_after=120, count=1)
    stack = await make_stack(STACK, GATHER)
    await stack.submit("website", email="sarah@example.com")
    await stack.advance("119s")
    assert posts(sandbox) == []

    await stack.advance("15s")

    assert posts(sandbox) == ["after", "chat"]


async def test_a_fault_of_the_code_is_the_runs_story(make_stack: MakeStack) -> None:
    stack = await make_stack(
        STACK,
        """
    @workflow("welcome.v1", on="contact.created")
    async def welcome(ctx: Context, contact: Contact) -> None:
        await ctx.chat.post("#a", "x")
        raise ValueError("no\\0 good")
    """,
    )
    await stack.submit("website", email="sarah@example.com")

    run = await run_of(stack)
    assert (run["state"], run["fate"], run["failed_step"]) == ("failed", "workflow", None)
    assert run["error"] == "ValueError: no good at workflow.py:6"
    assert run["incident_id"] is not None


async def test_a_workflow_that_is_gone_says_so_and_goes_on_when_it_is_back(
    make_stack: MakeStack, sandbox: Sandbox
) -> None:
    sandbox.set_fault("slack", "status", status=503, count=1)
    stack = await make_stack(STACK, GATHER)
    await stack.submit("website", email="sarah@example.com")

    without = await make_stack(STACK)
    await without.advance("6m")
    run = await run_of(without)
    assert run["error"] == 'no workflow "welcome.v1" is loaded; restore its file, restart, then retry this run'

    restored = await make_stack(STACK, GATHER)
    assert await restored.app.retry_run(run["workspace_id"], run["id"])
    await restored.advance("1m")
    assert (await run_of(restored))["state"] == "done"


async def test_branches_of_several_steps_are_refused_because_no_replay_could_order_them(
    make_stack: MakeStack, sandbox: Sandbox
) -> None:
    stack = await make_stack(
        STACK,
        """
    import asyncio

    @workflow("welcome.v1", on="contact.created")
    async def welcome(ctx: Context, contact: Contact) -> None:
        async def branch(name: str) -> None:
            await ctx.chat.post("#a", name + "1")
            await ctx.chat.post("#a", name + "2")
        await asyncio.gather(branch("a"), branch("b"))
    """,
    )
    await stack.submit("website", email="sarah@example.com")

    run = await run_of(stack)
    assert run["state"] == "failed"
    assert "may hold one step each" in run["error"]
    assert posts(sandbox) == ["a1", "b1"]
