"""A person asks to be forgotten while runs wait, retry, or are in the middle of a call (USERS.md, fault 18)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import pytest

from mainstay.db import acquire
from mainstay.model import RawRequest
from mainstay.sandbox.client import Sandbox
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack
from tests.faults.fleet import until

STACK = """
    [connections]
    ghl = { connector = "gohighlevel", token = "${TOKEN}", location_id = "ve9EPM428h8vShlRW1KT" }
    slack = { connector = "slack", token = "${SLACK_TOKEN}" }
    mail = { connector = "postmark", token = "${TOKEN}", from = "hello@acme.example" }
    [roles]
    crm = "ghl"
    chat = "slack"
    email = "mail"
    [records.contact]
    system_of_record = "ghl"
    [sources.website]
    kind = "form"
"""
WORKFLOW = """
    @workflow("welcome.v1", on="contact.created")
    async def welcome(ctx: Context, contact: Contact):
        await ctx.chat.post("#leads", f"{contact.name} {contact.email} {contact.phone}")
        await ctx.email.send(contact, "Welcome", f"Dear {contact.name}")
        await ctx.sleep("1h")
        await ctx.chat.post("#leads", f"still there: {contact.name}")
        return {"told": contact.email}
"""
WORDS = ("sarah", "johnson", "5550142", "roofing needs")


async def left(stack: StackUnderTest) -> dict[str, list[str]]:
    """Return every row of ours that still says a word of the person, by table."""
    found: dict[str, list[str]] = {}
    async with acquire(stack.app.pool) as connection:
        tables = await connection.fetch(
            """
            SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname IN ('public', 'dbos')
            """
        )
        for (name,) in tables:
            # A raw body is kept as bytes: those are looked through as text too.
            rows = await connection.fetch(f"SELECT row_to_json(t)::text AS told FROM {name} AS t")  # noqa: S608 - a table of ours
            told = [str(row["told"]).lower() for row in rows]
            bad = [row[:400] for row in told if any(word in row or word.encode().hex() in row for word in WORDS)]
            if bad:
                found[name] = bad
    return found


async def lead(stack: StackUnderTest) -> UUID:
    await stack.submit(
        "website", email="sarah@example.com", name="Sarah Johnson", phone="(312) 555-0142", message="Roofing needs"
    )
    return await sarah(stack)


async def sarah(stack: StackUnderTest) -> UUID:
    async with acquire(stack.app.pool) as connection:
        found: UUID = await connection.fetchval("SELECT id FROM contacts")
    return found


async def forget(stack: StackUnderTest, contact: UUID) -> None:
    await stack.app.contacts.delete(next(iter(stack.app.workspaces)), contact)


def calls(sandbox: Sandbox) -> int:
    """Count what vendors were told, but for the deletion itself, which goes to the system of record."""
    heard = [each for vendor in ("gohighlevel", "slack", "postmark") for each in sandbox.requests(vendor)]
    return len([each for each in heard if each["method"] != "DELETE"])


@pytest.mark.parametrize("away", ["", "slack", "postmark", "gohighlevel"])
async def test_while_runs_wait_or_retry_nothing_is_sent_or_kept_from_then_on(
    make_stack: MakeStack, sandbox: Sandbox, away: str
) -> None:
    stack = await make_stack(STACK, WORKFLOW)
    fault = sandbox.set_fault(away, "status", status=503) if away else 0
    contact = await lead(stack)
    await forget(stack, contact)
    if away:
        sandbox.clear(away, fault)
    before = calls(sandbox)
    await stack.advance("2d")
    assert calls(sandbox) == before
    assert await left(stack) == {}
    assert {state for _, workflow, state in await stack.runs() if workflow != "inbound.v1"} <= {"cancelled", "done"}


async def test_a_delivery_that_is_queued_meanwhile_makes_nobody_anew_and_is_not_kept(
    make_stack: MakeStack, sandbox: Sandbox
) -> None:
    stack = await make_stack(STACK, WORKFLOW)
    contact = await lead(stack)
    source = next(iter(stack.app.workspaces.values())).sources["website"]
    body = b'{"email": "sarah@example.com", "name": "Sarah Johnson", "message": "Roofing needs, again"}'
    again = RawRequest(
        "POST", "http://t/in/acme/website", {"content-type": "application/json"}, body, datetime.now(UTC)
    )
    receipt = await stack.app.intake.receive(source, again)
    await forget(stack, contact)
    before = calls(sandbox)
    await stack.advance("2d")
    assert calls(sandbox) == before
    assert await left(stack) == {}
    async with acquire(stack.app.pool) as connection:
        state = await connection.fetchval("SELECT state FROM deliveries WHERE id = $1", receipt.delivery_id)
        assert await connection.fetchval("SELECT count(*) FROM contacts WHERE deleted_at IS NULL") == 0
    assert state == "ignored", "accepted, and it says what became of it"


@pytest.mark.parametrize("vendor", ["slack", "postmark", "gohighlevel"])
async def test_a_call_under_way_comes_to_its_end_and_leaves_no_word(
    make_stack: MakeStack, sandbox: Sandbox, vendor: str
) -> None:
    stack = await make_stack(STACK, WORKFLOW)
    fault = sandbox.set_fault(vendor, "hold")
    under_way = asyncio.create_task(lead(stack))
    await until(lambda: sandbox.hits(fault), "the call is at the vendor")
    await forget(stack, await sarah(stack))
    sandbox.clear(vendor, fault)
    await under_way
    before = calls(sandbox)
    await stack.advance("2d")
    assert calls(sandbox) == before
    assert await left(stack) == {}
