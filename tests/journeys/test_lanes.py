"""What goes to the lane that may take its time, and that what follows from it stays there."""

from __future__ import annotations

import pytest

from mainstay.app import App
from mainstay.db import acquire
from mainstay.inbound import read
from mainstay.intake import Intake
from mainstay.model import Lane
from mainstay.sandbox.client import Sandbox
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack
from tests.sources import request

STACK = """
    [connections]
    slack = { connector = "slack", token = "${TOKEN}" }
    ghl = { connector = "gohighlevel", token = "${TOKEN}", location_id = "ve9EPM428h8vShlRW1KT" }
    [records.contact]
    system_of_record = "ghl"
    [sources.website]
    kind = "form"
"""
WORKFLOWS = """
    @workflow("child.v1")
    async def child(ctx: Context, contact: Contact) -> None:
        await ctx.chat.post("#a", "child")

    @workflow("welcome.v1", on="contact.created")
    async def welcome(ctx: Context, contact: Contact) -> None:
        await ctx.run(child, contact)
        await ctx.sleep("1h")
        await ctx.wait_for("never.happens", timeout="1h")
        raise PermanentError("no")
"""


async def lanes(app: App) -> set[tuple[str, str]]:
    """Return the lane of each workflow's runs, and the queues that anything was put on."""
    async with acquire(app.pool) as connection:
        rows = await connection.fetch(
            """
            SELECT DISTINCT workflow, lane FROM runs
            UNION SELECT DISTINCT 'queue', queue_name FROM dbos.workflow_status
            """
        )
    return {(row[0], row[1]) for row in rows}


@pytest.mark.parametrize("lane", list(Lane))
async def test_what_follows_from_a_delivery_stays_in_its_lane(
    make_stack: MakeStack, sandbox: Sandbox, lane: Lane
) -> None:
    stack: StackUnderTest = await make_stack(STACK, WORKFLOWS)
    app = stack.app
    (workspace,) = app.workspaces.values()

    async def never(*_: object) -> None:
        raise AssertionError

    intake = Intake(app.pool, app.commit, read, on_quarantined=never, lane=lane)
    await intake.receive(workspace.sources["website"], request({"email": "sarah@example.com"}))
    await stack.settle()
    await stack.advance("3h")

    ours = {"inbound.v1", "push.v1", "welcome.v1", "child.v1"}
    queue = {Lane.LEAD: "executions", Lane.BACKFILL: "backfill"}[lane]
    found = {each for each in await lanes(app) if each[0] in {*ours, "queue"}}
    assert found == {(name, lane) for name in ours} | {("queue", queue)}

    async with acquire(app.pool) as connection:
        failed = await connection.fetchrow("SELECT * FROM runs WHERE workflow = 'welcome.v1'")
    assert failed is not None
    assert failed["state"] == "failed"
    # Whoever retries one by hand waits for it.
    assert await app.retry_run(failed["workspace_id"], failed["id"])
    assert ("welcome.v1", Lane.LEAD) in await lanes(app)


async def test_many_deliveries_replayed_take_their_time(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK)
    receipt = (await stack.submit("website", email="sarah@example.com")).receipt
    (workspace_id,) = stack.app.workspaces
    one = await stack.app.replay_delivery(workspace_id, receipt.delivery_id)
    other = await stack.app.replay_delivery(workspace_id, receipt.delivery_id, lane=Lane.BACKFILL)
    async with acquire(stack.app.pool) as connection:
        rows = await connection.fetch(
            "SELECT runs.id, lane, queue_name FROM runs JOIN dbos.workflow_status ON workflow_uuid = execution_id"
        )
    found = {row["id"]: (row["lane"], row["queue_name"]) for row in rows}
    assert (found[one], found[other]) == (("lead", "executions"), ("backfill", "backfill"))
