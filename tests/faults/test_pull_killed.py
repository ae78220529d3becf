"""A worker killed while it pulls what happened to invoices: nothing is lost, and nothing told twice."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mainstay.sandbox.client import Sandbox
from tests.faults.fleet import Books, Fleet, until

STACK = """
[workspace]
name = "Acme Plumbing"
slug = "acme"
timezone = "America/Chicago"
region = "US"
[connections]
slack = { connector = "slack", token = "${TOKEN}" }
stripe = { connector = "stripe", api_key = "${STRIPE_API_KEY}" }
[records.invoice]
system_of_record = "stripe"
[records.payment]
reconcile = "off"
[sources.stripe]
kind = "stripe"
secret = "${STRIPE_WEBHOOK_SECRET}"
"""
CODE = """
from mainstay import Contact, Context, workflow

@workflow("thank.v1", on="invoice.paid")
async def thank(ctx: Context, contact: Contact) -> None:
    await ctx.chat.post("#money", ctx.event["invoice"])
"""
INVOICES = [f"in_{number:024}" for number in range(3)]


@pytest.mark.parametrize(
    ("strike", "nth"),
    [
        ("answer: GET /stripe/v1/events", 1),
        # The first of three parts of a page is written, then the last, with the cursor.
        ("after commit: at RecordPuller._write", 1),
        ("before commit: at RecordPuller._write", 3),
    ],
)
async def test_killed_between_reading_and_cursor(
    strike: str, nth: int, fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books, tmp_path: Path
) -> None:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "workflow.py").write_text(CODE)
    (tmp_path / "stack.toml").write_text(STACK)
    sandbox.seed("stripe", "customers", [{"name": "Sarah Johnson", "email": "sarah@example.com"}])
    told = {"customer": sandbox.state("stripe")["customers"][0]["id"], "type": "invoice.paid"}
    events = [told | {"created": int(time.time()), "object": {"id": each, "status": "paid"}} for each in INVOICES]
    sandbox.seed("stripe", "events", events)

    victim = fleet.start(dsn, stack=tmp_path, strike=strike, nth=nth, rows=1)
    await victim.ready()
    await books.value("UPDATE pulls SET began_at = began_at - interval '1 hour'")
    await victim.killed()
    heir = fleet.start(dsn, stack=tmp_path, rows=1)
    await until(lambda: books.value("SELECT count(*) = 1 FROM pulls WHERE pulled_at IS NOT NULL"), "all is pulled")
    await books.all_done(deliveries=0)
    await heir.kill()

    assert sorted(message["text"] for message in sandbox.messages("slack")) == INVOICES
    assert await books.value("SELECT count(*) FROM events WHERE type = 'invoice.paid'") == 3
    kept = await books.rows("SELECT version, values ->> 'status' AS status, contact_id FROM records")
    assert [(row["version"], row["status"]) for row in kept] == [(1, "paid")] * 3
    assert len({row["contact_id"] for row in kept}) == 1
    assert (
        await books.value("SELECT count(*) FROM runs WHERE workflow = 'reconcile-records.v1' AND state = 'done'") == 1
    )
