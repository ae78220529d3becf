"""What somebody does to an invoice in the books comes in though its webhook was missed, and people see that it was."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from mainstay.cli.connections import pulled_of
from mainstay.db import acquire
from mainstay.insight import list_pulls, verdict
from mainstay.sandbox.client import Sandbox
from mainstay.sandbox.vendors.xero_account import TENANT
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack
from tests.journeys.visiting import read, visiting

STACK = f"""
    [connections.books]
    connector = "xero"
    access_token = "${{BOOKS_TOKEN}}"
    tenant_id = "{TENANT}"
    [connections.slack]
    connector = "slack"
    token = "${{TOKEN}}"
    [sources.books]
    kind = "xero"
    connection = "books"
    signing_key = "${{BOOKS_SECRET}}"
    tenant_id = "{TENANT}"
"""
CODE = """
    @workflow("made.v1", on="invoice.created")
    async def made(ctx: Context, contact: Contact) -> None:
        await ctx.chat.post("#money", f"{contact.name}: {ctx.event['reference']} is {ctx.event['status']}")

    @workflow("changed.v1", on="invoice.updated")
    async def changed(ctx: Context, contact: Contact) -> None:
        await ctx.chat.post("#money", f"{contact.name}: {ctx.event['reference']} is now {ctx.event['status']}")
"""


async def run(stack: StackUnderTest, query: str) -> None:
    async with acquire(stack.app.pool) as connection:
        await connection.execute(query)


async def pull(stack: StackUnderTest) -> None:
    await run(stack, "UPDATE pulls SET pulled_at = pulled_at - interval '1 hour'")
    await stack.app.watch_once()
    await stack.settle()
    assert {state for _, _, state in await stack.runs("reconcile-records.v1")} == {"done"}


def change(sandbox: Sandbox, **said: Any) -> str:
    """Let somebody make an invoice in the books, or change it by its id; returns the id."""
    if not sandbox.state("xero")["contacts"]:
        person = {"Name": "Sarah Johnson", "FirstName": "Sarah", "LastName": "Johnson"}
        sandbox.seed("xero", "contacts", [person | {"EmailAddress": "sarah@example.com"}])
    if "InvoiceID" not in said:
        contact = {"ContactID": sandbox.state("xero")["contacts"][0]["ContactID"]}
        line = {"Description": "Boiler service", "Quantity": 1, "UnitAmount": 120.5, "AccountCode": "200"}
        said |= {"Type": "ACCREC", "CurrencyCode": "GBP", "DueDate": "2027-02-01", "Contact": contact}
        said["LineItems"] = [line]
    at = f"/Date({int(datetime.now(UTC).timestamp() * 1000)}+0000)/"
    sandbox.seed("xero", "invoices", [said | {"UpdatedDateUTC": at}])
    return str(sandbox.state("xero")["invoices"][-1]["InvoiceID"])


async def test_an_invoice_whose_webhook_was_missed(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(STACK, CODE)
    # Webhooks of invoices have come: else none could be missed.
    await run(stack, "UPDATE pulls SET began_at = began_at - interval '1 hour', heard_at = now() - interval '1 day'")
    invoice = await asyncio.to_thread(lambda: change(sandbox, Reference="JOB-7", Status="AUTHORISED"))
    await pull(stack)
    await asyncio.to_thread(lambda: change(sandbox, InvoiceID=invoice, Status="VOIDED"))
    for _ in range(2):
        await pull(stack)

    told = [message["text"] for message in sandbox.messages("slack")]
    assert told == ["Sarah Johnson: JOB-7 is open", "Sarah Johnson: JOB-7 is now void"]
    await run(stack, "UPDATE pulled_records SET changed_at = changed_at - interval '6 minutes'")
    await pull(stack)

    async with acquire(stack.app.pool) as connection:
        workspace_id, now = next(iter(stack.app.workspaces)), datetime.now(UTC)
        (row,) = await list_pulls(connection, workspace_id, now)
        found = await verdict(connection, workspace_id, now)
    assert (row.name, row.brought, row.missed) == ("books", 2, 1)
    assert "1 " in pulled_of(row)
    assert found.sentence.endswith("1 change came by the pull that no webhook had brought.")
    async with visiting(stack) as browser:
        assert "in 7 days 1 change that no webhook had brought" in await read(browser, "/w/acme/connections")
        listed = await read(browser, "/w/acme/records/invoice")
    assert "INV-0001 Void 120.50 GBP" in listed
    assert "Sarah Johnson" in listed
