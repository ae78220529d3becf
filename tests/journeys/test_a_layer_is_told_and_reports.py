"""A workflow tells a scenario elsewhere; the scenario fails, and says so: one incident and one alert."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from mainstay.db import acquire
from mainstay.insight import incident_detail, open_incidents, verdict
from mainstay.model import RawRequest
from mainstay.sandbox.client import Sandbox
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack

STACK = """
    [connections.scenario]
    connector = "make"
    url = "${MAKE_HOOK}"
    secret = "${MAKE_SECRET}"
    [connections.slack]
    connector = "slack"
    token = "${SLACK_TOKEN}"
    [roles]
    layer = "scenario"
    [sources.website]
    kind = "form"
    [sources.make]
    kind = "layer_failure"
    secret = "${MAKE_FAILURES}"
    [alerts]
    critical = ["slack:#ops"]
    digest = "0s"
"""
ENVIRONMENT = """
MAKE_HOOK=https://hook.eu1.make.com/sampleHookAddress
MAKE_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
"""
CODE = """
    @workflow("tell.v1", on="contact.created")
    async def tell(ctx: Context, contact: Contact) -> None:
        await ctx.layer.send("lead.qualified", {"name": contact.first_name, "email": contact.email})
"""


@pytest.fixture
async def stack(make_stack: MakeStack, tmp_path: Path) -> StackUnderTest:
    (tmp_path / "stack-0").mkdir()
    (tmp_path / "stack-0" / ".env").write_text(ENVIRONMENT)
    return await make_stack(STACK, CODE)


async def reported(stack: StackUnderTest, report: dict[str, str]) -> None:
    """Report as an HTTP module of the scenario's error handler does."""
    headers = {"content-type": "application/json", "x-webhook-secret": "sample-make_failures"}
    body, at = json.dumps(report).encode(), stack.clock()
    binding = next(iter(stack.app.workspaces.values())).sources["make"]
    receipt = await stack.app.intake.receive(binding, RawRequest("POST", "http://test/in/acme/make", headers, body, at))
    assert receipt.state == "accepted"
    await stack.settle()


async def test_a_scenario_is_told_once(stack: StackUnderTest, sandbox: Sandbox) -> None:
    await stack.submit("website", email="zoe@example.com", first_name="Zoë")

    (event,) = (await asyncio.to_thread(sandbox.state, "make"))["events"]
    assert event["data"] == {"name": "Zoë", "email": "zoe@example.com"}
    ((run_id, _, state),) = await stack.runs("tell.v1")
    assert state == "done"
    assert event["id"].startswith(str(run_id))
    async with acquire(stack.app.pool) as connection:
        kept = await connection.fetchval("SELECT string_agg(row_to_json(attempts)::text, '') FROM attempts")
    assert "sampleHookAddress" not in kept


async def test_what_fails_there_is_one_incident_and_one_alert(stack: StackUnderTest, sandbox: Sandbox) -> None:
    report = {"scenario": "Lead to CRM", "error": "Bundle 17: HubSpot says 429"} | {
        "link": "https://eu1.make.com/1/logs/2"
    }
    for number in (17, 18):
        await reported(stack, report | {"error": f"Bundle {number}: HubSpot says 429"})

    async with acquire(stack.app.pool) as connection:
        workspace_id = await connection.fetchval("SELECT workspace_id FROM incidents")
        (incident,) = await open_incidents(connection, workspace_id)
        assert incident.title == '"Lead to CRM" fails, says make'
        assert (incident.occurrences, incident.is_reported) == (2, True)
        assert incident.cause == "Bundle 18: HubSpot says 429 · https://eu1.make.com/1/logs/2"
        assert (await verdict(connection, workspace_id, stack.clock())).is_broken
        told: Any = await connection.fetch("SELECT type, contact_id, data FROM events")
    assert [(row["type"], row["contact_id"]) for row in told] == [("layer.failed", None)] * 2
    (post,) = await asyncio.to_thread(sandbox.messages, "slack")
    assert "Lead to CRM" in post["text"]
    assert "https://eu1.make.com/1/logs/2" in post["text"]

    assert await stack.app.alerter.resolve(workspace_id, incident.id)
    await reported(stack, report)
    async with acquire(stack.app.pool) as connection:
        (again,) = await open_incidents(connection, workspace_id)
        assert (again.id, again.reopened) == (incident.id, 1)
        assert (await incident_detail(connection, workspace_id, incident.id)) is not None
