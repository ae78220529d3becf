"""n8n is asked what failed there: one incident, however often and by whichever way it is told; and it is run again."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from mainstay.db import acquire
from mainstay.insight import open_incidents, verdict
from mainstay.model import RawRequest
from mainstay.sandbox.client import Sandbox
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack

STACK = """
    [connections.flow]
    connector = "n8n"
    url = "${N8N_HOOK}"
    secret = "${N8N_SECRET}"
    api_key = "${N8N_KEY}"
    [connections.slack]
    connector = "slack"
    token = "${SLACK_TOKEN}"
    [sources.n8n]
    kind = "layer_failure"
    connection = "flow"
    secret = "${N8N_FAILURES}"
    [alerts]
    critical = ["slack:#ops"]
    digest = "0s"
"""
ENVIRONMENT = """
N8N_HOOK=https://n8n.acme.example/webhook/0f3a
N8N_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
"""
CODE = """
    @workflow("again.v1", on="layer.failed")
    async def again(ctx: Context, contact: Contact | None) -> None:
        if "timed out" in ctx.event["error"]:
            await ctx.layer.retry(ctx.event["execution"])
"""


@pytest.fixture
async def stack(make_stack: MakeStack, tmp_path: Path) -> StackUnderTest:
    (tmp_path / "stack-0").mkdir()
    (tmp_path / "stack-0" / ".env").write_text(ENVIRONMENT)
    return await make_stack(STACK, CODE)


async def failed(sandbox: Sandbox, **execution: Any) -> None:
    await asyncio.to_thread(sandbox.seed, "n8n", "executions", [execution])


async def ask(stack: StackUnderTest) -> None:
    """Let the time come at which n8n is asked."""
    async with acquire(stack.app.pool) as connection:
        await connection.execute("UPDATE failure_pulls SET pulled_at = pulled_at - interval '1 hour'")
    await stack.app.watch_once()
    await stack.settle()


async def deliveries(stack: StackUnderTest) -> list[tuple[str, str]]:
    async with acquire(stack.app.pool) as connection:
        rows = await connection.fetch(
            "SELECT key, verified FROM deliveries LEFT JOIN delivery_keys ON delivery_id = deliveries.id "
            "ORDER BY deliveries.id"
        )
    return [(row["key"], row["verified"]) for row in rows]


async def test_what_failed_in_n8n_is_an_incident_once(stack: StackUnderTest, sandbox: Sandbox) -> None:
    await failed(sandbox, id=7, workflow="Lead to CRM", error="HubSpot says 429", node="HubSpot")
    for _ in range(3):
        await ask(stack)

    async with acquire(stack.app.pool) as connection:
        (workspace_id,) = stack.app.workspaces
        (incident,) = await open_incidents(connection, workspace_id)
        assert (await verdict(connection, workspace_id, stack.clock())).is_broken
    assert incident.title == '"Lead to CRM" fails, says n8n'
    assert incident.occurrences == 1
    assert "https://n8n.acme.example/workflow/wf1/executions/7" in incident.cause
    assert await deliveries(stack) == [("7", "asked of flow")]
    (post,) = await asyncio.to_thread(sandbox.messages, "slack")
    assert "Lead to CRM" in post["text"]

    # The workflow's Error Trigger tells of the same execution, and of another.
    binding = next(iter(stack.app.workspaces.values())).sources["n8n"]
    for number, state in ((7, "repeated"), (8, "accepted")):
        told = {"execution": {"id": str(number), "error": {"message": "x"}}, "workflow": {"name": "Lead to CRM"}}
        headers = {"content-type": "application/json", "x-webhook-secret": "sample-n8n_failures"}
        request = RawRequest("POST", "http://test/in/acme/n8n", headers, json.dumps(told).encode(), stack.clock())
        assert (await stack.app.intake.receive(binding, request)).state == state
    await failed(sandbox, id=8, workflow="Lead to CRM")
    await ask(stack)
    assert [key for key, _ in await deliveries(stack)] == ["7", "8"]


async def test_a_workflow_runs_it_again_once(stack: StackUnderTest, sandbox: Sandbox) -> None:
    await asyncio.to_thread(lambda: sandbox.set_fault("n8n", "drop_after", path="*/retry", count=1))
    await failed(sandbox, id=7, error="The request timed out")
    await ask(stack)
    for _ in range(4):
        await stack.advance("5m")

    assert [state for _, _, state in await stack.runs("again.v1")] == ["done"]
    effects = await asyncio.to_thread(sandbox.effects, "n8n")
    assert [(each["kind"], each["correlation"]["retryOf"]) for each in effects] == [("execution.retried", "7")]


async def test_two_workers_ask_once_and_a_kill_before_the_cursor_doubles_nothing(
    stack: StackUnderTest, sandbox: Sandbox
) -> None:
    await failed(sandbox, id=7)
    await asyncio.gather(stack.app.watch_once(), stack.app.watch_once())
    await stack.settle()
    assert len(await stack.runs("pull-failures.v1")) == 1
    async with acquire(stack.app.pool) as connection:
        # As a worker leaves it that dies between what it took in and its cursor.
        await connection.execute("UPDATE failure_pulls SET cursor = ''")
    await ask(stack)
    assert [key for key, _ in await deliveries(stack)] == ["7"]


async def test_a_key_that_is_refused_is_an_incident_of_the_connection(stack: StackUnderTest, sandbox: Sandbox) -> None:
    await asyncio.to_thread(lambda: sandbox.configure("n8n", api_keys=[]))
    await ask(stack)
    async with acquire(stack.app.pool) as connection:
        (workspace_id,) = stack.app.workspaces
        (incident,) = await open_incidents(connection, workspace_id)
    assert "n8n" in incident.title or "flow" in incident.title
    assert "execution:list" in incident.cause
