"""The books connected by OAuth, as a person does it: their tokens end, two workers renew at once, the grant is gone."""

from __future__ import annotations

import asyncio

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

CONNECTIONS = {
    "quickbooks": """
    [connections.books]
    connector = "quickbooks"
    client_id = "our app"
    client_secret = "${APP_SECRET}"
    item = "Services"
    """,
    "xero": """
    [connections.books]
    connector = "xero"
    client_id = "our app"
    client_secret = "${APP_SECRET}"
    account = "200"
    payment_account = "090"
    """,
}
STACK = """
    [sources.website]
    kind = "form"
"""
CODE = """
    from decimal import Decimal
    from mainstay import Invoice, InvoiceLine

    @workflow("bill.v1", on="contact.created")
    async def bill(ctx: Context, contact: Contact) -> None:
        await ctx.sleep("2h")
        line = InvoiceLine("Boiler service", Decimal("120.50"))
        await ctx.accounting.create_invoice(contact, Invoice(f"JOB-{contact.first_name}", "USD", (line,)))
"""
ACCOUNTS = {"quickbooks": "Acme", "xero": "Acme"}
TOKEN_PATHS = {"quickbooks": "/oauth2/v1/tokens/bearer", "xero": "/connect/token"}
VENDORS = pytest.mark.parametrize("vendor", list(CONNECTIONS))


async def connect(stack: StackUnderTest) -> dict[str, str]:
    [workspace] = stack.app.workspaces.values()
    connecting = Connecting(stack.app.tokens)
    started = await connecting.begin(workspace.id, "books", workspace.oauth["books"], BACK)
    async with aiohttp.ClientSession() as session:
        back = await agree(session, started.address)
    await connecting.finish(back, lambda _id, name: workspace.oauth.get(name))
    return back


def invoices(sandbox: Sandbox, vendor: str) -> int:
    return sum(effect["kind"] == "invoice.created" for effect in sandbox.effects(vendor))


@VENDORS
async def test_a_person_connects_the_books_and_a_check_says_whose_they_are(
    make_stack: MakeStack, sandbox: Sandbox, vendor: str
) -> None:
    stack = await make_stack(CONNECTIONS[vendor] + STACK, CODE)
    [workspace] = stack.app.workspaces.values()
    entry = workspace.stack.connections["books"]

    async def checked() -> tuple[str, str]:
        http = stack.app.open_http(workspace.id, "books", "")
        found = await check("books", entry.connector, entry.settings, http)
        return found.state, found.text

    state, text = await checked()
    assert (state, "mainstay connect books" in text) == ("failed", True)
    back = await connect(stack)

    assert ("realmId" in back) == (vendor == "quickbooks")
    state, text = await checked()
    assert (state, ACCOUNTS[vendor] in text) == ("ok", True), text
    async with acquire(stack.app.pool) as connection:
        (row,) = await list_access(connection, workspace.id)
        stored = str(await connection.fetch("SELECT * FROM oauth_tokens"))
    assert row.name == "books"
    assert "access-" not in stored
    assert "refresh-" not in stored


@VENDORS
async def test_a_token_that_ends_is_renewed_once_by_two_workers(
    make_stack: MakeStack, sandbox: Sandbox, vendor: str
) -> None:
    sandbox.configure(vendor, rotates_after=0.0, refresh_grace=0.0)
    stack = await make_stack(CONNECTIONS[vendor] + STACK, CODE)
    await connect(stack)
    for number in range(6):
        await stack.submit("website", email=f"lead{number}@example.com", first_name=f"N{number}")
    [workspace] = stack.app.workspaces.values()
    oauth = workspace.oauth["books"]
    ended = (await stack.app.tokens.access(workspace.id, "books", oauth)).token
    sandbox.configure(vendor, token_epoch=1)
    held = sandbox.set_fault(vendor, "hold", path=TOKEN_PATHS[vendor])
    # Another process beside ours, with tokens of its own.
    other = Tokens(stack.app.pool, stack.app.tokens.keys, stack.app.tokens.session)
    asking = [
        asyncio.create_task(each.access(workspace.id, "books", oauth, ended)) for each in (stack.app.tokens, other)
    ]
    while not await asyncio.to_thread(sandbox.hits, held):
        assert not any(each.done() for each in asking)
    await asyncio.to_thread(sandbox.clear)
    first, second = await asyncio.gather(*asking)

    assert first.token == second.token != ended
    assert renewals(sandbox, vendor) == 1
    await stack.advance("2h")
    assert {state for _, _, state in await stack.runs("bill.v1")} == {"done"}
    assert invoices(sandbox, vendor) == 6
    # The refresh token that came with the new one is the one that is used from then on.
    sandbox.configure(vendor, token_epoch=2)
    assert (await stack.app.tokens.access(workspace.id, "books", oauth, first.token)).token != first.token
    assert renewals(sandbox, vendor) == 2


@VENDORS
async def test_a_grant_that_is_gone_is_an_incident_that_names_the_command(
    make_stack: MakeStack, sandbox: Sandbox, vendor: str
) -> None:
    stack = await make_stack(CONNECTIONS[vendor] + STACK, CODE)
    await connect(stack)
    await stack.submit("website", email="sarah@example.com", first_name="Sarah")
    sandbox.configure(vendor, token_epoch=1, revoked=True)

    await stack.advance("2h")

    assert [state for _, _, state in await stack.runs("bill.v1")] == ["failed"]
    async with acquire(stack.app.pool) as connection:
        found = await verdict(connection, next(iter(stack.app.workspaces)), stack.clock())
    assert found.is_broken
    assert "mainstay connect books" in found.broken[0].cause
    assert invoices(sandbox, vendor) == 0

    sandbox.configure(vendor, revoked=False)
    await connect(stack)
    await stack.retry()

    assert [state for _, _, state in await stack.runs("bill.v1")] == ["done"]
    assert invoices(sandbox, vendor) == 1
