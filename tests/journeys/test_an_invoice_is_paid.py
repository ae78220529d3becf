"""A lead is invoiced at Stripe; Stripe's event of the payment starts a workflow, once, for the same person."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from mainstay.db import acquire
from mainstay.kit import RawRequest
from mainstay.sandbox import Sandbox
from mainstay.sandbox.vendors.stripe_events import signed
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack
from tests.web.serving import taking_in

STACK = """
    [connections.stripe]
    connector = "stripe"
    api_key = "${STRIPE_API_KEY}"
    [connections.slack]
    connector = "slack"
    token = "${TOKEN}"
    [roles]
    billing = "stripe"
    chat = "slack"
    [sources.website]
    kind = "form"
    [sources.payments]
    kind = "stripe"
    secret = "${STRIPE_SECRET}"
    connection = "stripe"
"""
SECRET = "sample-stripe_secret"  # as the test environment gives it
CODE = """
    from decimal import Decimal
    from mainstay import Invoice, InvoiceLine

    @workflow("invoice.v1", on="contact.created")
    async def invoice(ctx: Context, contact: Contact) -> None:
        lines = (InvoiceLine("Boiler service", Decimal("120.50")), InvoiceLine("Hour", Decimal("80.33"), Decimal(3)))
        made = await ctx.billing.create_invoice(contact, Invoice("JOB-1042", "USD", lines))
        state = await ctx.billing.fetch_invoice(made.id)
        await ctx.chat.post("#money", f"{contact.name} owes {state.total} {state.currency}")
        mine = {"invoice": made.id}
        paid = await ctx.wait_for("payment.received", contact=contact, match=mine, timeout="30d")
        if paid:
            await ctx.chat.post("#money", f"{paid['amount']} {paid['currency']} of {paid['invoice_reference']} is in")

    @workflow("thank.v1", on="payment.received")
    async def thank(ctx: Context, contact: Contact) -> None:
        await ctx.chat.post("#thanks", f"Thank you, {contact.name}, for {ctx.event['amount']}")
"""
Tell = Callable[..., Awaitable[int]]


@pytest.fixture
async def stack(make_stack: MakeStack) -> StackUnderTest:
    return await make_stack(STACK, CODE)


@pytest.fixture
async def tell(stack: StackUnderTest) -> AsyncIterator[Tell]:
    """Posts an event as Stripe does; returns the answer's status."""
    async with taking_in(stack) as (session, base):
        url = f"{base}/in/acme/payments"

        async def telling(event: Any, secret: str = SECRET) -> int:
            made = signed(event, secret, datetime.now(UTC))
            async with session.post(url, data=made.body, headers=made.headers) as answer:
                status = answer.status
            await stack.settle()
            return status

        yield telling


def posted(sandbox: Sandbox) -> list[str]:
    return [message["text"] for message in sandbox.messages("slack")]


async def test_a_payment_starts_a_workflow_once(stack: StackUnderTest, tell: Tell, sandbox: Sandbox) -> None:
    await stack.submit("website", email="sarah@example.com", first_name="Sarah", last_name="Johnson")
    (invoice,) = sandbox.state("stripe")["invoices"]
    assert (invoice["status"], invoice["total"]) == ("open", 36149)
    assert posted(sandbox) == ["Sarah Johnson owes 361.49 USD"]

    sandbox.seed("stripe", "payments", [{"invoice": invoice["id"]}])
    events = sandbox.state("stripe")["events"]
    assert "payment_intent.succeeded" in [event["type"] for event in events]
    for event in [*events, *reversed(events)]:
        assert await tell(event) in {200, 202}

    assert sorted(posted(sandbox)[1:]) == ["361.49 USD of JOB-1042 is in", "Thank you, Sarah Johnson, for 361.49"]
    assert {state for _, _, state in await stack.runs()} == {"done"}
    async with acquire(stack.app.pool) as connection:
        contacts = await connection.fetch("SELECT email FROM contacts")
        assert [row["email"] for row in contacts] == ["sarah@example.com"]
    assert len(sandbox.state("stripe")["customers"]) == len(sandbox.state("stripe")["invoices"]) == 1


async def test_what_stripe_says_becomes_records_with_their_story(
    stack: StackUnderTest, tell: Tell, sandbox: Sandbox
) -> None:
    await stack.submit("website", email="sarah@example.com", first_name="Sarah", last_name="Johnson")
    (invoice,) = sandbox.state("stripe")["invoices"]
    sandbox.seed("stripe", "payments", [{"invoice": invoice["id"]}])
    events = sandbox.state("stripe")["events"]
    for event in reversed(events):
        await tell(event)

    async with acquire(stack.app.pool) as connection:
        [contact_id] = [row["id"] for row in await connection.fetch("SELECT id FROM contacts")]
        records = {row["type"]: row for row in await connection.fetch("SELECT * FROM records ORDER BY id")}
        ids = await connection.fetch("SELECT * FROM record_ids WHERE record_type <> 'contact'")
        lineage = await connection.fetch(
            """
            SELECT records.type, record_changes.*, deliveries.source AS brought_by
            FROM record_changes JOIN records ON records.id = record_id JOIN deliveries ON deliveries.id = delivery_id
            ORDER BY record_changes.id
            """
        )
    assert set(records) == {"invoice", "payment"}
    assert {row["contact_id"] for row in records.values()} == {contact_id}
    said = records["invoice"]["values"]
    assert (said["status"], said["total"], said["paid"], said["reference"]) == ("paid", "361.49", "361.49", "JOB-1042")
    paid = records["payment"]["values"]
    assert (paid["status"], paid["amount"], paid["invoice"]) == ("received", "361.49", "JOB-1042")
    assert {(row["connection"], row["external_id"]) for row in ids} == {
        ("stripe", invoice["id"]),
        ("stripe", paid["reference"]),
    }
    assert {(row["source"], row["brought_by"], row["connection"]) for row in lineage} == {
        ("payments", "payments", "stripe")
    }
    # The last event came first: what came after it is older, and changed nothing.
    assert [row["type"] for row in lineage].count("payment") == 1
    assert {row["after"].get("status") for row in lineage if row["type"] == "invoice"} == {"paid"}


async def test_a_lost_answer_bills_once(stack: StackUnderTest, sandbox: Sandbox) -> None:
    for path in ("/v1/customers", "/v1/invoices", "/v1/invoiceitems", "/v1/invoices/*/finalize"):
        sandbox.set_fault("stripe", "drop_after", method="POST", path=path, count=1)
    await stack.submit("website", email="sarah@example.com", first_name="Sarah", last_name="Johnson")
    for _ in range(6):
        await stack.advance("10m")
    assert posted(sandbox) == ["Sarah Johnson owes 361.49 USD"]
    kinds = [effect["kind"] for effect in sandbox.effects("stripe")]
    assert sorted(set(kinds) - {"customer.updated"}) == [
        "customer.created",
        "invoice.created",
        "invoice.finalized",
        "invoiceitem.created",
    ]
    assert [kinds.count(each) for each in ("customer.created", "invoice.created", "invoiceitem.created")] == [1, 1, 2]


async def test_a_forged_payment_changes_nothing(stack: StackUnderTest, tell: Tell, sandbox: Sandbox) -> None:
    event = {
        "id": "evt_1",
        "object": "event",
        "type": "customer.created",
        "data": {"object": {"email": "x@example.com"}},
    }
    assert await tell(event, "whsec_wrong") == 401
    assert await stack.runs() == []
    assert posted(sandbox) == []


@pytest.mark.parametrize("named", ["", 'connection = "stripe"'])
async def test_a_subscription_names_its_customer_by_the_id_alone(
    make_stack: MakeStack, sandbox: Sandbox, named: str
) -> None:
    stack = await make_stack(STACK.replace('connection = "stripe"', named), CODE)
    sandbox.seed("stripe", "customers", [{"email": "zoe@example.com", "name": "Zoë Groß"}])
    about = {"id": "sub_1", "object": "subscription", "customer": sandbox.state("stripe")["customers"][0]["id"]}
    event = {"id": "evt_1", "object": "event", "type": "customer.subscription.created", "data": {"object": about}}
    at = datetime.now(UTC)
    made = signed(event, SECRET, at)
    headers = {name.lower(): value for name, value in made.headers.items()}
    arrived = RawRequest("POST", "https://mainstay.example/in/acme/payments", headers, made.body, at)
    await stack.app.intake.receive(stack.app.by_slug["acme"].sources["payments"], arrived)
    await stack.settle()
    async with acquire(stack.app.pool) as connection:
        people = [row["email"] for row in await connection.fetch("SELECT email FROM contacts")]
        told = [row["type"] for row in await connection.fetch("SELECT type FROM events ORDER BY id")]
    assert people == (["zoe@example.com"] if named else [])
    assert "subscription.created" in told
