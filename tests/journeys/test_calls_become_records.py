"""What a workflow does through its roles is in our book, once, whoever died and whatever got lost on the way."""

from __future__ import annotations

from typing import Any

import pytest

from mainstay.db import acquire
from mainstay.errors import ConfigError
from mainstay.sandbox.client import Sandbox
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack

STACK = """
    [connections.books]
    connector = "quickbooks"
    access_token = "${BOOKS_TOKEN}"
    realm_id = "9341455600000000"
    item = "Services"
    [connections.work]
    connector = "linear"
    api_key = "${TOKEN}"
    team = "OPS"
    [connections.mail]
    connector = "postmark"
    token = "${TOKEN}"
    from = "hello@acme.example"
    [connections.slack]
    connector = "slack"
    token = "${TOKEN}"
    [roles]
    tasks = "work"
    [sources.website]
    kind = "form"
"""
CODE = """
    from datetime import date
    from decimal import Decimal
    from mainstay import Invoice, InvoiceLine, Payment

    @workflow("job.v1", on="contact.created")
    async def job(ctx: Context, contact: Contact) -> None:
        await ctx.email.send(contact, "Your job, {first_name}", "What was said stays between us.")
        await ctx.email.send("office@acme.example", "A job", "Look.")
        await ctx.chat.post("#jobs", "a job")
        lines = (InvoiceLine("Boiler service", Decimal("120.50")),)
        made = await ctx.accounting.create_invoice(contact, Invoice("JOB-1", "usd", lines, due=date(2026, 12, 24)))
        task = await ctx.tasks.create("Service the boiler", due=date(2026, 12, 20))
        await ctx.tasks.complete(task.id)
        await ctx.accounting.add_payment(made.id, Payment("pi_1", Decimal("120.50"), "USD", date(2026, 11, 27)))
        await ctx.accounting.fetch_invoice(made.id)
        assert await ctx.accounting.fetch_invoice("999999") is None
"""


async def records(stack: StackUnderTest, kind: str = "") -> list[dict[str, Any]]:
    """Return the records, the oldest first, each with how often something was said of it, and by which workflows."""
    async with acquire(stack.app.pool) as connection:
        rows = await connection.fetch(
            """
            SELECT records.*, count(said.*) AS words, array_agg(DISTINCT said.source) AS sources,
                   bool_and(said.run_id IS NOT NULL) AS have_runs
            FROM records JOIN record_changes AS said ON said.record_id = records.id
            WHERE $1 = '' OR type = $1 GROUP BY records.id ORDER BY records.id
            """,
            kind,
        )
    return [dict(row) for row in rows]


@pytest.mark.parametrize("is_lossy", [False, True])
async def test_what_a_workflow_does_is_in_our_book_once(
    make_stack: MakeStack, sandbox: Sandbox, *, is_lossy: bool
) -> None:
    stack = await make_stack(STACK, CODE)
    for vendor, path in (("quickbooks", "*/invoice"), ("quickbooks", "*/payment"), ("linear", "*"), ("postmark", "*")):
        if is_lossy:
            sandbox.set_fault(vendor, "drop_after", method="POST", path=path, count=1)
    lead = await stack.submit("website", email="sarah@example.com", first_name="Sarah", last_name="Johnson")
    for _ in range(8 if is_lossy else 0):
        await stack.advance("5m")

    assert {state for _, _, state in await stack.runs()} == {"done"}
    told = await records(stack)
    assert {each["type"] for each in told} == {"message", "invoice", "task", "payment"}
    assert all(list(each["sources"]) == ["job.v1"] for each in told)
    assert all(each["have_runs"] for each in told)
    to_sarah, to_office = (each for each in told if each["type"] == "message")
    sent = to_sarah["values"]
    assert sent.pop("sent_at")
    assert sent == {
        "channel": "email",
        "direction": "out",
        "recipient": "sarah@example.com",
        "subject": "Your job, Sarah",
        "status": "sent",
    }
    assert (to_sarah["contact_id"], to_office["contact_id"]) == (lead.contact.id, None)
    (invoice,) = (each for each in told if each["type"] == "invoice")
    assert invoice["contact_id"] == lead.contact.id
    values = invoice["values"]
    assert {name: values[name] for name in ("reference", "status", "total", "paid", "currency", "due")} == {
        "reference": "JOB-1",
        "status": "paid",
        "total": "120.50",
        "paid": "120.50",
        "currency": "USD",
        "due": "2026-12-24",
    }
    (task,) = (each for each in told if each["type"] == "task")
    assert (task["values"]["status"], task["values"]["title"]) == ("done", "Service the boiler")
    (payment,) = (each for each in told if each["type"] == "payment")
    assert (payment["values"]["status"], payment["values"]["amount"]) == ("received", "120.50")
    async with acquire(stack.app.pool) as connection:
        ids = await connection.fetch("SELECT external_id FROM record_ids WHERE record_type = 'invoice'")
    assert [row["external_id"] for row in ids] == [sandbox.state("quickbooks")["invoices"][0]["Id"]]
    assert all(each["gone_at"] is None for each in told)


AGAIN = """
    from decimal import Decimal
    from mainstay import Invoice, InvoiceLine

    @workflow("again.v1", on="contact.submitted", overlap="allow")
    async def again(ctx: Context, contact: Contact) -> None:
        lines = (InvoiceLine("Boiler service", Decimal("120.50")),)
        await ctx.accounting.create_invoice(contact, Invoice("JOB-1", "USD", lines))
        if contact.custom.get("void"):
            await ctx.accounting.void_invoice("1")
"""


async def test_an_invoice_that_is_ordered_again_is_not_open_again(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK, AGAIN)
    await stack.submit("website", email="sarah@example.com")
    await stack.submit("website", email="sarah@example.com", void="yes")
    await stack.submit("website", email="sarah@example.com", void="")

    (invoice,) = await records(stack)
    assert invoice["values"]["status"] == "void"
    assert (invoice["words"], invoice["version"]) == (2, 2)


COPY = """
    [connections.files]
    connector = "table_file"
    folder = "copies"
    [records.contact]
    mirrors = ["files"]
    [mirrors.files]
    table = "Leads"
    [sources.website]
    kind = "form"
"""
HIDDEN = """
    @workflow("hidden.v1", on="contact.created")
    async def hidden(ctx: Context, contact: Contact) -> None:
        await ctx.table.upsert("Lea" + "ds", "id", [{"id": "1"}])
"""


async def test_a_mirror_is_not_written_where_the_source_does_not_show_it(make_stack: MakeStack) -> None:
    stack = await make_stack(COPY, HIDDEN)
    await stack.submit("website", email="sarah@example.com")

    async with acquire(stack.app.pool) as connection:
        (failed,) = await connection.fetch("SELECT error, failed_step, fate FROM runs WHERE state = 'failed'")
    assert (failed["failed_step"], failed["fate"]) == (1, "permanent")
    assert 'the table "Leads" of "files" is the mirror "files"' in failed["error"]
    with pytest.raises(ConfigError, match="RUN009"):
        await make_stack(COPY, HIDDEN.replace('"Lea" + "ds"', '"Leads"'))
