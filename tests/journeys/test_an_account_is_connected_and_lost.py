"""Accounts connected by OAuth, as a person does it: tokens end, two workers renew at once, the grant is gone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import aiohttp
import pytest

from mainstay.access import Connecting, check
from mainstay.access.tokens import Tokens
from mainstay.db import acquire
from mainstay.insight import list_access, verdict
from mainstay.sandbox.client import Sandbox
from mainstay.testing import StackUnderTest
from tests.access.walking import BACK, agree, renewals
from tests.conftest import MakeStack

STACK = """
    [connections.{name}]
    connector = "{vendor}"
    client_id = "our app"
    client_secret = "${{APP_SECRET}}"
    {keys}
    [sources.website]
    kind = "form"
"""
BILL = """
    from decimal import Decimal
    from mainstay import Invoice, InvoiceLine

    @workflow("work.v1", on="contact.created")
    async def work(ctx: Context, contact: Contact) -> None:
        await ctx.sleep("2h")
        line = InvoiceLine("Boiler service", Decimal("120.50"))
        await ctx.accounting.create_invoice(contact, Invoice(f"JOB-{contact.first_name}", "USD", (line,)))
"""
TASK = """
    @workflow("work.v1", on="contact.created")
    async def work(ctx: Context, contact: Contact) -> None:
        await ctx.sleep("2h")
        await ctx.tasks.create(f"Call {contact.first_name}")
"""


@dataclass(frozen=True)
class Case:
    """An account: its connection, what a workflow does there, and how its vendor gives access."""

    vendor: str
    name: str
    keys: str
    code: str
    effect: str
    token_path: str
    whose: str

    @property
    def stack(self) -> str:
        return STACK.format(name=self.name, vendor=self.vendor, keys=self.keys)


CASES = pytest.mark.parametrize(
    "case",
    [
        Case("quickbooks", "books", 'item = "Services"', BILL, "invoice.created", "/oauth2/v1/tokens/bearer", "Acme"),
        Case("xero", "books", 'account = "200"', BILL, "invoice.created", "/connect/token", "Acme"),
        Case("notion", "notion", 'database = "Tasks"', TASK, "task.created", "/v1/oauth/token", "Sandbox as Mainstay"),
    ],
    ids=lambda case: case.vendor,
)


async def connect(stack: StackUnderTest, name: str) -> dict[str, str]:
    [workspace] = stack.app.workspaces.values()
    connecting = Connecting(stack.app.tokens)
    started = await connecting.begin(workspace.id, name, workspace.oauth[name], BACK)
    async with aiohttp.ClientSession() as session:
        back = await agree(session, started.address)
    await connecting.finish(back, lambda _id, each: workspace.oauth.get(each))
    return back


def done(sandbox: Sandbox, case: Case) -> int:
    return sum(effect["kind"] == case.effect for effect in sandbox.effects(case.vendor))


@CASES
async def test_a_person_connects_an_account_and_a_check_says_whose_it_is(
    make_stack: MakeStack, sandbox: Sandbox, case: Case
) -> None:
    stack = await make_stack(case.stack, case.code)
    [workspace] = stack.app.workspaces.values()
    entry = workspace.stack.connections[case.name]

    async def checked() -> tuple[str, str]:
        http = stack.app.open_http(workspace.id, case.name, "")
        found = await check(case.name, entry.connector, entry.settings, http)
        return found.state, found.text

    state, text = await checked()
    assert (state, f"mainstay connect {case.name}" in text) == ("failed", True)
    back = await connect(stack, case.name)

    assert ("realmId" in back) == (case.vendor == "quickbooks")
    state, text = await checked()
    assert (state, case.whose in text) == ("ok", True), text
    async with acquire(stack.app.pool) as connection:
        (row,) = await list_access(connection, workspace.id)
        stored = str(await connection.fetch("SELECT * FROM oauth_tokens"))
    assert row.name == case.name
    assert "access-" not in stored
    assert "refresh-" not in stored


@CASES
async def test_a_token_that_ends_is_renewed_once_by_two_workers(
    make_stack: MakeStack, sandbox: Sandbox, case: Case
) -> None:
    sandbox.configure(case.vendor, rotates_after=0.0, refresh_grace=0.0)
    stack = await make_stack(case.stack, case.code)
    await connect(stack, case.name)
    for number in range(6):
        await stack.submit("website", email=f"lead{number}@example.com", first_name=f"N{number}")
    [workspace] = stack.app.workspaces.values()
    oauth = workspace.oauth[case.name]
    ended = (await stack.app.tokens.access(workspace.id, case.name, oauth)).token
    sandbox.configure(case.vendor, token_epoch=1)
    held = sandbox.set_fault(case.vendor, "hold", path=case.token_path)
    # Another process beside ours, with tokens of its own.
    other = Tokens(stack.app.pool, stack.app.tokens.keys, stack.app.tokens.session)
    asking = [
        asyncio.create_task(each.access(workspace.id, case.name, oauth, ended)) for each in (stack.app.tokens, other)
    ]
    while not await asyncio.to_thread(sandbox.hits, held):
        assert not any(each.done() for each in asking)
    await asyncio.to_thread(sandbox.clear)
    first, second = await asyncio.gather(*asking)

    assert first.token == second.token != ended
    assert renewals(sandbox, case.vendor) == 1
    await stack.advance("2h")
    assert {state for _, _, state in await stack.runs("work.v1")} == {"done"}
    assert done(sandbox, case) == 6
    # The refresh token that came with the new one is the one that is used from then on.
    sandbox.configure(case.vendor, token_epoch=2)
    third = Tokens(stack.app.pool, stack.app.tokens.keys, stack.app.tokens.session)
    assert (await third.access(workspace.id, case.name, oauth, first.token)).token != first.token
    assert renewals(sandbox, case.vendor) == 2


@CASES
async def test_a_grant_that_is_gone_is_an_incident_that_names_the_command(
    make_stack: MakeStack, sandbox: Sandbox, case: Case
) -> None:
    stack = await make_stack(case.stack, case.code)
    await connect(stack, case.name)
    await stack.submit("website", email="sarah@example.com", first_name="Sarah")
    sandbox.configure(case.vendor, token_epoch=1, revoked=True)

    await stack.advance("2h")

    assert [state for _, _, state in await stack.runs("work.v1")] == ["failed"]
    async with acquire(stack.app.pool) as connection:
        found = await verdict(connection, next(iter(stack.app.workspaces)), stack.clock())
    assert found.is_broken
    assert f"mainstay connect {case.name}" in found.broken[0].cause
    assert done(sandbox, case) == 0

    sandbox.configure(case.vendor, revoked=False)
    await connect(stack, case.name)
    await stack.retry()

    assert [state for _, _, state in await stack.runs("work.v1")] == ["done"]
    assert done(sandbox, case) == 1
