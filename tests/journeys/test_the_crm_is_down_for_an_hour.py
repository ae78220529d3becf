"""The CRM is away for an hour while leads come in: chat hears of each at once, and afterwards all are there, once."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from mainstay.db import acquire
from mainstay.inbound import read as read_delivery
from mainstay.intake import Intake
from mainstay.model import Lane
from mainstay.sandbox.client import Sandbox
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack
from tests.journeys.visiting import read, visiting
from tests.sources import request

LEADS, EVERY = 60, "1m"
IMPORTED = 20
CALLS, SECONDS = 20, 10
STACK = f"""
    [connections]
    slack = {{ connector = "slack", token = "${{TOKEN}}" }}
    [connections.crm]
    connector = "gohighlevel"
    token = "${{TOKEN}}"
    location_id = "ve9EPM428h8vShlRW1KT"
    rate = "{CALLS} in {SECONDS}s"
    # Each call is counted below: one request a call, as in a test's clock nothing waits between two of them.
    look_first = false
    [records.contact]
    system_of_record = "crm"
    [sources.website]
    kind = "form"
"""
CODE = """
    @workflow("speed_to_lead.v1", on="contact.created", critical=True)
    async def speed_to_lead(ctx: Context, contact: Contact) -> None:
        await ctx.chat.post("#leads", contact.email)
        await ctx.crm.add_tag(contact, "speed-to-lead")
        await ctx.crm.add_note(contact, f"Asked for a quote: {contact.email}")
"""
OUTAGES: dict[str, dict[str, Any]] = {
    "answers 503": {"kind": "status", "status": 503},
    "hangs": {"kind": "timeout_before", "hold_ms": 20},
    "does it, and hangs": {"kind": "timeout_after", "hold_ms": 20},
}


async def bring(stack: StackUnderTest, count: int) -> None:
    """Bring a list in while the CRM is away: it may take its time."""

    async def never(*_: object) -> None:
        raise AssertionError

    app, (workspace,) = stack.app, stack.app.workspaces.values()
    intake = Intake(app.pool, app.commit, read_delivery, on_quarantined=never, lane=Lane.BACKFILL)
    for number in range(count):
        await intake.receive(workspace.sources["website"], request({"email": f"old{number}@example.com"}))
    await stack.settle()


async def drain(stack: StackUnderTest, sandbox: Sandbox, *, until: int) -> list[int]:
    """Let time pass by the second until as many notes are in the CRM; returns the calls to it of each second."""
    calls, before = [], sandbox.request_count("gohighlevel")
    while len(sandbox.state("gohighlevel")["notes"]) < until:
        await stack.advance("1s")
        now = sandbox.request_count("gohighlevel")
        calls.append(now - before)
        before = now
        assert len(calls) < 3600, "it goes on within the hour"
    return calls


@pytest.mark.parametrize("outage", OUTAGES)
async def test_an_hour_without_the_crm(make_stack: MakeStack, sandbox: Sandbox, outage: str) -> None:
    stack = await make_stack(STACK, CODE)
    sandbox.set_fault("gohighlevel", **OUTAGES[outage])
    calls_by_minute = []
    for number in range(LEADS):
        await stack.submit("website", email=f"lead{number}@example.com", first_name="Lead")
        if number == LEADS // 2:
            await bring(stack, IMPORTED)
        told = number + 1 + IMPORTED * (number >= LEADS // 2)
        assert len(sandbox.messages("slack")) == told, "chat hears of it at once"
        await stack.advance(EVERY)
        calls_by_minute.append(sandbox.request_count("gohighlevel"))

    # Nothing has failed, nobody is woken, the vendor is left in peace, and the pages say what is the matter.
    assert {state for _, _, state in await stack.runs()} == {"done", "waiting"}
    # Until it counts as out, the first leads try again by themselves, at moments that chance has a part in.
    assert calls_by_minute[9] <= 40
    assert calls_by_minute[-1] - calls_by_minute[9] <= 50 // 5 + 1, "a probe every five minutes at the most"
    async with visiting(stack) as browser:
        page = await read(browser, "/w/acme/connections")
    people = LEADS + IMPORTED
    assert "Healing: Nothing is lost. crm does not answer: " in page
    assert re.search(
        rf"GoHighLevel · crm Out since .* tried again in .* {people} \d+ of {CALLS} in {SECONDS} s", page
    ), page

    # That calls merely wait is one incident, which is over by itself.
    await stack.app.watch_once()
    await stack.settle()
    (alert,) = stack.alerts
    assert (alert.title, alert.connection) == ("crm does not answer", "crm")
    assert "runs wait; nothing is lost." in alert.cause

    sandbox.clear("gohighlevel")
    calls = await drain(stack, sandbox, until=people)
    # Three calls a person, within the rate; the next probe is at most five minutes off.
    assert sum(calls) <= 3 * people + 40
    assert max(sum(calls[at : at + SECONDS]) for at in range(len(calls))) <= CALLS
    assert len(calls) <= 300 + sum(calls) * SECONDS / CALLS * 1.1
    made = [each["email"] for each in sandbox.state("gohighlevel")["contacts"]]
    before_leads = made[: max(made.index(f"lead{number}@example.com") for number in range(LEADS))]
    assert sum(email.startswith("old") for email in before_leads) <= IMPORTED / 10, "leads first"

    assert {state for _, _, state in await stack.runs()} == {"done"}
    assert stack.alerts == [alert]
    await stack.app.watch_once()
    async with acquire(stack.app.pool) as connection:
        assert await connection.fetchval("SELECT state FROM incidents") == "resolved"
    state = sandbox.state("gohighlevel")
    everybody = [f"lead{number}@example.com" for number in range(LEADS)]
    everybody += [f"old{number}@example.com" for number in range(IMPORTED)]
    assert sorted(each["email"] for each in state["contacts"]) == sorted(everybody)
    assert {tuple(each["tags"]) for each in state["contacts"]} == {("speed-to-lead",)}
    assert set(Counter(note["contactId"] for note in state["notes"]).values()) == {1}
    assert len(sandbox.messages("slack")) == people
