"""A lead is invoiced and its payment booked, once, whichever system keeps the books; what changes there comes back."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mainstay.kit.signature import hmac_base64
from mainstay.sandbox.client import Sandbox
from mainstay.sandbox.vendors.xero_account import TENANT
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack
from tests.web.serving import taking_in

REALM = "9341455600000000"
CONNECTIONS = {
    "quickbooks": f"""
    [connections.books]
    connector = "quickbooks"
    access_token = "${{BOOKS_TOKEN}}"
    realm_id = "{REALM}"
    item = "Services"
    [sources.books]
    kind = "quickbooks"
    connection = "books"
    verifier_token = "${{BOOKS_SECRET}}"
    realm_id = "{REALM}"
    """,
    "xero": f"""
    [connections.books]
    connector = "xero"
    access_token = "${{BOOKS_TOKEN}}"
    tenant_id = "{TENANT}"
    account = "200"
    payment_account = "090"
    [sources.books]
    kind = "xero"
    connection = "books"
    signing_key = "${{BOOKS_SECRET}}"
    tenant_id = "{TENANT}"
    """,
}
STACK = """
    [connections.slack]
    connector = "slack"
    token = "${TOKEN}"
    [sources.website]
    kind = "form"
"""
SECRET = "sample-books_secret"  # as the test environment gives it
CODE = """
    from datetime import date
    from decimal import Decimal
    from mainstay import Invoice, InvoiceLine, Payment

    @workflow("bill.v1", on="contact.created")
    async def bill(ctx: Context, contact: Contact) -> None:
        lines = (InvoiceLine("Boiler service", Decimal("120.50")), InvoiceLine("Hour", Decimal("80.33"), Decimal(3)))
        made = await ctx.accounting.create_invoice(contact, Invoice("JOB-1042", "USD", lines, due=date(2026, 12, 24)))
        await ctx.accounting.add_payment(made.id, Payment("pi_1", Decimal("361.49"), "USD", date(2026, 11, 27), "card"))
        state = await ctx.accounting.fetch_invoice(made.id)
        await ctx.chat.post("#money", f"{contact.name}: {state.status}, {state.paid} of {state.total} {state.currency}")
        changed = await ctx.wait_for("invoice.updated", contact=contact, match={"id": made.id}, timeout="1h")
        await ctx.chat.post("#money", f"the books say {changed['reference']} is {changed['status']}")
"""


Deliver = Callable[[bytes, Mapping[str, str]], Awaitable[tuple[int, bytes]]]


@asynccontextmanager
async def delivering(stack: StackUnderTest) -> AsyncIterator[Deliver]:
    """Posts to the source ``books``; gives the answer's status and body."""
    async with taking_in(stack) as (session, base):

        async def deliver(body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
            async with session.post(f"{base}/in/acme/books", data=body, headers=headers) as answer:
                told = answer.status, await answer.read()
            await stack.settle()
            return told

        yield deliver


def announced(vendor: str, invoice_id: str) -> tuple[bytes, Mapping[str, str]]:
    """Give what the vendor sends of an invoice that changed, and its headers."""
    payload: Any
    if vendor == "quickbooks":
        event = {"specversion": "1.0", "id": "e1", "source": "intuit.x", "time": "2026-11-27T10:04:05Z"}
        payload = [{**event, "type": "qbo.invoice.updated.v1", "intuitentityid": invoice_id, "intuitaccountid": REALM}]
    else:
        event = {"resourceId": invoice_id, "eventDateUtc": "2026-11-27T10:04:05.1", "tenantId": TENANT}
        event |= {"eventCategory": "INVOICE", "eventType": "UPDATE", "tenantType": "ORGANISATION"}
        payload = {"events": [event], "firstEventSequence": 1, "lastEventSequence": 1, "entropy": "S0m3"}
    body = json.dumps(payload).encode()
    header = "intuit-signature" if vendor == "quickbooks" else "x-xero-signature"
    return body, {"Content-Type": "application/json", header: hmac_base64(SECRET, body)}


@pytest.mark.parametrize("is_lossy", [False, True])
@pytest.mark.parametrize("vendor", ["quickbooks", "xero"])
async def test_a_lead_is_invoiced_and_paid_once(
    make_stack: MakeStack, sandbox: Sandbox, vendor: str, is_lossy: bool
) -> None:
    stack = await make_stack(CONNECTIONS[vendor] + STACK, CODE)
    for path in ("*/customer", "*/invoice", "*/payment", "*/Contacts", "*/Invoices", "*/Payments") if is_lossy else ():
        for method in ("POST", "PUT"):
            sandbox.set_fault(vendor, "drop_after", method=method, path=path, count=1)
    await stack.submit("website", email="sarah@example.com", first_name="Sarah", last_name="Johnson")
    for _ in range(6 if is_lossy else 0):
        await stack.advance("5m")

    told = [message["text"] for message in sandbox.messages("slack")]
    assert told == ["Sarah Johnson: paid, 361.49 of 361.49 USD"]
    kinds = [effect["kind"] for effect in sandbox.effects(vendor)]
    made = [kind for kind in kinds if kind.endswith(".created")]
    assert made == [
        "customer.created" if vendor == "quickbooks" else "contact.created",
        "invoice.created",
        "payment.created",
    ]

    (invoice,) = sandbox.state(vendor)["invoices"]
    body, headers = announced(vendor, invoice.get("Id") or invoice["InvoiceID"])
    forged = {name: value if name == "Content-Type" else value[::-1] for name, value in headers.items()}
    async with delivering(stack) as deliver:
        assert (await deliver(body, forged))[0] == 401
        assert (await deliver(body, headers))[0] in {200, 202}
        assert (await deliver(body, headers))[0] == 200
    assert [message["text"] for message in sandbox.messages("slack")][1:] == ["the books say JOB-1042 is paid"]
    assert {state for _, _, state in await stack.runs()} == {"done"}


async def test_the_intent_to_receive(make_stack: MakeStack) -> None:
    stack = await make_stack(CONNECTIONS["xero"] + STACK, CODE)
    body = b'{"events":[],"lastEventSequence":0,"firstEventSequence":0,"entropy":"S0m3r4Nd0mt3xt"}'
    headers = {"Content-Type": "application/json", "x-xero-signature": hmac_base64(SECRET, body)}
    async with delivering(stack) as deliver:
        assert await deliver(body, headers) == (200, b"")
        assert await deliver(body, headers | {"x-xero-signature": "x"}) == (401, b"")
    assert await stack.runs() == []
