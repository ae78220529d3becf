"""New code under runs that are under way: it goes on, stops and says how to mend it, or does not start at all."""

from __future__ import annotations

from typing import Any

import pytest

from mainstay.cli.deploying import require_workflows
from mainstay.db import acquire
from mainstay.errors import ConfigError
from mainstay.sandbox.client import Sandbox
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack

STACK = """
    [connections]
    slack = { connector = "slack", token = "${TOKEN}" }
    [sources.website]
    kind = "form"
"""
FIRST = """
    @workflow("nurture.v1", on="contact.created")
    async def nurture(ctx: Context, contact: Contact) -> None:
        await ctx.chat.post("#leads", "one")
        await ctx.sleep("1h")
        await ctx.chat.post("#leads", "two")
"""
SECOND = """
    @workflow("nurture.v2", on="contact.created")
    async def nurture_again(ctx: Context, contact: Contact) -> None:
        await ctx.chat.post("#leads", "v2")
        await ctx.sleep("1h")
        await ctx.chat.post("#leads", "v2 two")
"""
OTHER = """
    @workflow("other.v1", on="contact.created")
    async def other(ctx: Context, contact: Contact) -> None:
        await ctx.chat.post("#leads", "other")
"""


def posts(sandbox: Sandbox) -> list[str]:
    return [message["text"] for message in sandbox.messages("slack")]


async def run_of(stack: StackUnderTest, workflow: str = "nurture.v1") -> Any:
    async with acquire(stack.app.pool) as connection:
        (row,) = await connection.fetch("SELECT * FROM runs WHERE workflow = $1", workflow)
    return row


async def under_way(make_stack: MakeStack, code: str = FIRST) -> StackUnderTest:
    stack = await make_stack(STACK, code)
    await stack.submit("website", email="sarah@example.com", name="Sarah")
    return stack


async def refusal(stack: StackUnderTest) -> str:
    with pytest.raises(ConfigError) as refused:
        await require_workflows(stack.app, allow_missing=False)
    return str(refused.value)


async def test_the_same_steps_go_on(make_stack: MakeStack, sandbox: Sandbox) -> None:
    await under_way(make_stack)
    deployed = await make_stack(STACK, FIRST.replace('"two"', '"two, better"'))
    await require_workflows(deployed.app, allow_missing=False)
    await deployed.advance("2h")
    assert (await run_of(deployed))["state"] == "done"
    assert posts(sandbox) == ["one", "two, better"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('await ctx.sleep("1h")', 'await ctx.crm.add_tag(contact, "warm")', "step 2 is 'crm.add_tag' now"),
        ('        await ctx.chat.post("#leads", "one")\n', "", "step 1 is 'sleep' now"),
    ],
)
async def test_other_steps_stop_the_run_and_it_says_how_to_mend_it(
    make_stack: MakeStack, sandbox: Sandbox, old: str, new: str, said: str
) -> None:
    await under_way(make_stack)
    deployed = await make_stack(STACK, FIRST.replace(old, new))
    await deployed.advance("2h")
    run = await run_of(deployed)
    assert (run["state"], run["fate"]) == ("failed", "workflow")
    assert said in run["error"]
    assert "restore the old one" in run["error"]
    assert posts(sandbox) == ["one"]

    # As it says: the old one back, the edited one beside it under the next version.
    mended = await make_stack(STACK, FIRST + SECOND)
    assert await mended.app.retry_run(run["workspace_id"], run["id"])
    await mended.advance("2h")
    assert (await run_of(mended))["state"] == "done"
    assert posts(sandbox) == ["one", "two"]


async def test_code_that_ends_before_what_is_recorded_stops_the_run_too(
    make_stack: MakeStack, sandbox: Sandbox
) -> None:
    stack = await make_stack(STACK, FIRST)
    fault = sandbox.set_fault("slack", "status", status=400)
    sandbox.clear("slack", fault)
    await stack.submit("website", email="sarah@example.com", name="Sarah")
    short = FIRST[: FIRST.index("        await ctx.sleep")]
    deployed = await make_stack(STACK, short)
    await deployed.advance("2h")
    run = await run_of(deployed)
    assert (run["state"], run["fate"]) == ("failed", "workflow")
    assert "ends after 1 step now, but this run recorded step 2, 'sleep'" in run["error"]


async def test_a_workflow_that_is_gone_keeps_the_start_from_happening(make_stack: MakeStack, sandbox: Sandbox) -> None:
    await under_way(make_stack)
    deployed = await make_stack(STACK, OTHER)
    run = await run_of(deployed)

    said = await refusal(deployed)
    assert 'acme: workflows/  @workflow("nurture.v1")' in said
    assert f"1 run waits on it since {run['created_at']:%Y-%m-%d %H:%M} UTC ({run['id'].hex[-8:]})" in said
    assert "mainstay runs cancel --workflow nurture.v1" in said

    await require_workflows(deployed.app, allow_missing=True)
    await deployed.app.keeper.cancel_open(run["workspace_id"], by="dana", workflow="nurture.v1")
    await require_workflows(deployed.app, allow_missing=False)
    assert posts(sandbox) == ["one"]


async def test_what_has_ended_keeps_nobody_from_starting(make_stack: MakeStack) -> None:
    stack = await under_way(make_stack)
    await stack.advance("2h")
    await require_workflows((await make_stack(STACK, OTHER)).app, allow_missing=False)


async def test_the_older_version_drains_while_the_newer_begins(make_stack: MakeStack, sandbox: Sandbox) -> None:
    await under_way(make_stack)
    deployed = await make_stack(STACK, FIRST + SECOND)
    await require_workflows(deployed.app, allow_missing=False)
    await deployed.submit("website", email="bob@example.com", name="Bob")
    assert posts(sandbox) == ["one", "v2"]
    assert len(await deployed.runs("nurture.v1")) == 1

    await deployed.advance("2h")
    assert sorted(posts(sandbox)) == ["one", "two", "v2", "v2 two"]
    await require_workflows((await make_stack(STACK, SECOND)).app, allow_missing=False)


async def test_a_rollback_is_told_what_waits_on_the_newer_version(make_stack: MakeStack, sandbox: Sandbox) -> None:
    await under_way(make_stack, FIRST)
    deployed = await make_stack(STACK, FIRST + SECOND)
    await deployed.submit("website", email="bob@example.com", name="Bob")

    rolled_back = await make_stack(STACK, FIRST)
    said = await refusal(rolled_back)
    assert '@workflow("nurture.v2")' in said
    assert "put it back beside nurture.v1" in said

    again = await make_stack(STACK, FIRST + SECOND)
    await require_workflows(again.app, allow_missing=False)
    await again.advance("2h")
    assert {state for _, _, state in await again.runs()} == {"done"}
    assert sorted(posts(sandbox)) == ["one", "two", "v2", "v2 two"]


async def test_a_worker_of_before_leaves_what_it_does_not_know_to_those_of_after(
    make_stack: MakeStack, sandbox: Sandbox
) -> None:
    """In the midst of a deploy a run that wakes may be taken by a worker that is not new yet."""
    after = await under_way(make_stack, FIRST.replace('"1h"', '"1m"'))
    before = await make_stack(STACK)
    await before.advance("2m")
    run = await run_of(before)
    assert (run["state"], run["waiting_for"]) == ("waiting", "a worker with nurture.v1")
    await after.advance("3m")
    assert (await run_of(after))["state"] == "done"
    assert posts(sandbox) == ["one", "two"]
