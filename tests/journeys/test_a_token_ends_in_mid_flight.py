"""An account connected by OAuth: its token ends while a run is under way, then its grant, and a person mends it."""

from __future__ import annotations

import aiohttp
import pytest

from mainstay.access import Connecting
from mainstay.db import acquire
from mainstay.insight import verdict
from mainstay.sandbox.client import Sandbox
from mainstay.testing import StackUnderTest
from tests.access.walking import BACK, agree, renewals
from tests.conftest import MakeStack

STACKS = {
    "hubspot": """
    [connections.crm]
    connector = "hubspot"
    client_id = "our app"
    client_secret = "${APP_SECRET}"
    [sources.website]
    kind = "form"
    [records.contact]
    system_of_record = "crm"
""",
    "gohighlevel": """
    [connections.crm]
    connector = "gohighlevel"
    client_id = "our app"
    client_secret = "${APP_SECRET}"
    location_id = "loc"
    [sources.website]
    kind = "form"
    [records.contact]
    system_of_record = "crm"
""",
}
TOKEN_PATHS = {"hubspot": "/oauth/*/token", "gohighlevel": "/oauth/token"}
CODE = """
    @workflow("note.v1", on="contact.created")
    async def note(ctx: Context, contact: Contact) -> None:
        await ctx.crm.add_note(contact, "They asked for a quote")
        await ctx.sleep("2h")
        await ctx.crm.add_note(contact, "Two hours have passed")
"""
LEAD = {"email": "sarah@example.com", "first_name": "Sarah"}


async def connect(stack: StackUnderTest) -> None:
    [workspace] = stack.app.workspaces.values()
    connecting = Connecting(stack.app.tokens)
    started = await connecting.begin(workspace.id, "crm", workspace.oauth["crm"], BACK)
    async with aiohttp.ClientSession() as session:
        back = await agree(session, started.address)
    await connecting.finish(back, lambda _id, name: workspace.oauth.get(name))


def notes(sandbox: Sandbox, vendor: str) -> int:
    return sum(effect["kind"] == "note.created" for effect in sandbox.effects(vendor))


@pytest.mark.parametrize("vendor", list(STACKS))
async def test_a_run_whose_token_ends_goes_on_with_a_new_one(
    make_stack: MakeStack, sandbox: Sandbox, vendor: str
) -> None:
    stack = await make_stack(STACKS[vendor], CODE)
    await connect(stack)

    await stack.submit("website", **LEAD)
    assert notes(sandbox, vendor) == 1
    # Long before its time, so that only the vendor's refusal shows it.
    sandbox.configure(vendor, token_epoch=1)
    await stack.advance("2h")

    assert [state for _, _, state in await stack.runs("note.v1")] == ["done"]
    assert notes(sandbox, vendor) == 2
    assert not sandbox.repeated(vendor)
    assert renewals(sandbox, vendor) >= 1
    async with acquire(stack.app.pool) as connection:
        stored = str(await connection.fetch("SELECT exchanges, error FROM attempts"))
    assert "access-" not in stored
    assert "refresh-" not in stored


@pytest.mark.parametrize("vendor", list(STACKS))
async def test_a_grant_that_was_taken_back_stops_runs_until_a_person_connects_anew(
    make_stack: MakeStack, sandbox: Sandbox, vendor: str
) -> None:
    stack = await make_stack(STACKS[vendor], CODE)
    await connect(stack)
    await stack.submit("website", **LEAD)
    sandbox.configure(vendor, token_epoch=1, revoked=True)

    await stack.advance("2h")

    assert [state for _, _, state in await stack.runs("note.v1")] == ["failed"]
    workspace_id = next(iter(stack.app.workspaces))
    async with acquire(stack.app.pool) as connection:
        found = await verdict(connection, workspace_id, stack.clock())
    assert found.is_broken
    assert "mainstay connect crm" in found.broken[0].cause

    sandbox.configure(vendor, revoked=False)
    await connect(stack)
    await stack.retry()

    assert [state for _, _, state in await stack.runs("note.v1")] == ["done"]
    assert notes(sandbox, vendor) == 2


@pytest.mark.parametrize("vendor", list(STACKS))
async def test_a_token_endpoint_that_is_away_for_a_while_only_delays(
    make_stack: MakeStack, sandbox: Sandbox, vendor: str
) -> None:
    stack = await make_stack(STACKS[vendor], CODE)
    await connect(stack)
    await stack.submit("website", **LEAD)
    sandbox.configure(vendor, token_epoch=1)
    away = sandbox.set_fault(vendor, "status", status=503, path=TOKEN_PATHS[vendor])

    await stack.advance("2h 10m")

    assert sandbox.hits(away) > 0
    assert {state for _, _, state in await stack.runs("note.v1")} & {"failed", "done"} == set()
    assert not any("mainstay connect" in alert.mend or "mainstay connect" in alert.cause for alert in stack.alerts)
    sandbox.clear(vendor, away)
    await stack.advance("1h")
    assert [state for _, _, state in await stack.runs("note.v1")] == ["done"], "nobody had to connect anew"
    assert notes(sandbox, vendor) == 2
    assert not sandbox.repeated(vendor)


async def test_many_runs_that_meet_a_token_that_ended_renew_it_once(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(STACKS["gohighlevel"], CODE)
    await connect(stack)
    for number in range(12):
        await stack.submit("website", email=f"lead{number}@example.com")
    before = renewals(sandbox)
    sandbox.configure("gohighlevel", token_epoch=1)

    # Not yet due by our clock.
    await stack.advance("2h")

    assert {state for _, _, state in await stack.runs("note.v1")} == {"done"}
    assert renewals(sandbox) == before + 1
