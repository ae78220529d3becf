"""A workflow keeps records in our own book: once, whoever died, and only where our book is right about them."""

from __future__ import annotations

import pytest

from mainstay.db import acquire
from mainstay.errors import ConfigError
from tests.conftest import MakeStack
from tests.journeys.test_calls_become_records import records

STACK = """
    [connections]
    stripe = { connector = "stripe", api_key = "${TOKEN}" }
    [records.payment]
    system_of_record = "mainstay"
    [sources.website]
    kind = "form"
"""
CODE = """
    from datetime import date
    from decimal import Decimal

    @workflow("job.v1", on="contact.created", mode="sync")
    async def job(ctx: Context, contact: Contact) -> str:
        deal = await ctx.records.put("deal", title="Roof", amount=Decimal("4000.50"), closes_on=date(2026, 12, 24))
        won = await ctx.records.put("deal", record=deal, status="won", closes_on=None, custom={"roof": "slate"})
        found = await ctx.records.get("deal", record=won)
        assert found == won, found
        return f"{found.fields['title']} {found.fields['amount']} {found.version}"

    @workflow("pay.v1", on="contact.submitted", overlap="allow")
    async def pay(ctx: Context, contact: Contact) -> None:
        assert await ctx.records.get("payment", reference="none") is None
        for amount in (5, 6):
            await ctx.records.put("payment", reference="pi_1", amount=amount, currency="usd")
        known = await ctx.records.get("payment", reference="pi_1")
        assert known.fields["amount"] == "6"
        await ctx.sleep("1h")
        await ctx.records.put("payment", reference="pi_1", status="received")
"""


async def test_a_workflow_keeps_records_in_our_book_once(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK, CODE)
    lead = await stack.submit("website", email="sarah@example.com")
    await stack.submit("website", email="sarah@example.com")
    await stack.advance("2h")

    assert {state for _, _, state in await stack.runs()} == {"done"}
    (deal,) = await records(stack, "deal")
    assert deal["values"] == {
        "title": "Roof",
        "amount": "4000.50",
        "closes_on": "",
        "status": "won",
        "custom.roof": "slate",
    }
    assert (deal["contact_id"], deal["version"], list(deal["sources"])) == (lead.contact.id, 2, ["job.v1"])
    (payment,) = await records(stack, "payment")
    assert payment["values"] == {"reference": "pi_1", "amount": "6", "currency": "USD", "status": "received"}
    assert payment["have_runs"]
    async with acquire(stack.app.pool) as connection:
        assert await connection.fetchval("SELECT result FROM runs WHERE workflow = 'job.v1'") == "Roof 4000.50 2"


async def test_a_write_whose_answer_was_lost_is_not_done_again(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK, CODE)
    await stack.submit("website", email="sarah@example.com")
    async with acquire(stack.app.pool) as connection:
        # As though the worker had died behind the write, before its step was recorded.
        await connection.execute(
            """
            WITH gone AS (DELETE FROM attempts USING runs WHERE runs.id = run_id AND workflow = 'job.v1')
            UPDATE runs SET state = 'running', finished_at = NULL WHERE workflow = 'job.v1'
            """
        )
        execution = await connection.fetchval("SELECT execution_id FROM runs WHERE workflow = 'job.v1'")
    await stack.app.driver.drive(execution)

    (deal,) = await records(stack, "deal")
    assert (deal["version"], deal["words"]) == (2, 2)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ('put("invoice", total="5")', '"stripe" is the system of record of invoice records'),
        ('put("deal", titel="Roof")', "there is no field 'titel'"),
        ('put("deal", amount="much")', "deal.amount is a decimal number"),
        ('put("deal", record=ctx.run_id, title="Roof")', "there is no deal"),
    ],
)
async def test_what_cannot_be_stops_the_run_at_its_step(make_stack: MakeStack, call: str, said: str) -> None:
    code = f"""
    @workflow("job.v1", on="contact.created")
    async def job(ctx: Context, contact: Contact) -> None:
        await ctx.records.{call}
    """
    stack = await make_stack(STACK, code)
    await stack.submit("website", email="sarah@example.com")

    async with acquire(stack.app.pool) as connection:
        (failed,) = await connection.fetch("SELECT error, failed_step, fate FROM runs WHERE state = 'failed'")
    assert (failed["failed_step"], failed["fate"]) == (1, "permanent")
    assert said in failed["error"]
    assert await records(stack) == []


async def test_four_puts_are_too_many_for_a_sync_workflow(make_stack: MakeStack) -> None:
    code = """
    @workflow("job.v1", on="contact.created", mode="sync")
    async def job(ctx: Context, contact: Contact) -> None:
        for title in ("a", "b", "c", "d"):
            await ctx.records.put("deal", title=title)
    """
    with pytest.raises(ConfigError, match="RUN001"):
        await make_stack(STACK, code)
