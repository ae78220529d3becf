"""A synthetic lead goes the real way, is no lead anywhere, and names the hop that is broken."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from mainstay.db import acquire
from mainstay.insight import open_incidents, verdict
from mainstay.insight.canaries import CanaryRow, list_canaries
from mainstay.insight.monitors import find_monitor
from mainstay.kit import Composed
from mainstay.testing import StackUnderTest
from mainstay.web.binding import Server
from tests.web.serving import listen, serving

MakeStack = Callable[..., Awaitable[StackUnderTest]]
STACK = """
[connections.crm]
connector = "hubspot"
token = "${HUBSPOT_TOKEN}"

[connections.slack]
connector = "slack"
token = "${SLACK_TOKEN}"

[sources.website]
kind = "form"
secret = "${WEBSITE_SECRET}"
map = { email = "E-mail", name = "Your name" }

[alerts]
critical = ["slack:#alerts"]

[outcomes.speed-to-lead]
expect = ["chat.post"]
within = "1m"

[canary]
source = "website"
email = "Canary@acme.example"
every = "1h"
within = "5m"
"""
WORKFLOW = """
@workflow("speed_to_lead.v1", on="contact.created")
async def speed_to_lead(ctx: Context, contact: Contact) -> None:
    await ctx.chat.post("#leads", f"New lead: {contact.first_name} {contact.last_name}")
"""


class Flights:
    """The canary of a stack, and what is seen of it."""

    def __init__(self, stack: StackUnderTest) -> None:
        self.stack, self.app = stack, stack.app
        self.workspace_id: UUID = next(iter(stack.app.workspaces))

    async def pass_by(self, length: str) -> list[str]:
        """Let time pass with the watch at work; returns the causes of what is open."""
        await self.app.silence.canaries.look()
        await self.stack.advance(length)
        await self.app.silence.canaries.look()
        await self.app.silence.outcomes.look()
        await self.stack.settle()
        async with acquire(self.app.pool) as connection:
            return [each.cause.partition(". ")[0] for each in await open_incidents(connection, self.workspace_id)]

    async def latest(self) -> CanaryRow:
        async with acquire(self.app.pool) as connection:
            return (await list_canaries(connection, self.workspace_id))[0]

    async def fetch(self, query: str) -> Any:
        async with acquire(self.app.pool) as connection:
            return await connection.fetchval(query)


async def test_a_canary_arrives_and_then_the_chat_is_broken(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK, WORKFLOW)
    flights = Flights(stack)
    assert await flights.pass_by("10s") == []
    arrived = await flights.latest()
    assert (arrived.state, arrived.hop) == ("arrived", "")
    assert [hop.name for hop in arrived.hops] == ["website", "crm", "speed_to_lead.v1", "slack"]
    assert [each["text"] for each in stack.sandbox.messages("slack")] == ["New lead: Mainstay Canary"]

    # It was no lead, and is nowhere any more.
    async with acquire(stack.app.pool) as connection:
        told = await verdict(connection, flights.workspace_id, stack.clock())
    assert (told.leads, told.deliveries, told.is_broken) == (0, 0, False)
    counted = await flights.fetch("SELECT array_agg(DISTINCT name) FROM tallies WHERE name LIKE 'run %'")
    assert counted in (None, ["run delete-elsewhere.v1"]), "only its cleaning up is work of its own"
    assert await flights.fetch("SELECT count(*) FROM contacts WHERE deleted_at IS NULL") == 0
    assert await flights.fetch("SELECT count(*) FROM identifiers") == 0
    assert await flights.fetch("SELECT count(*) FROM tallies WHERE label = 'canary'") == 1
    assert arrived.cleaned_at is not None or (await flights.latest()).cleaned_at is not None

    fault = stack.sandbox.set_fault("slack", "status", status=503)
    assert await flights.pass_by("1h") == []
    assert await flights.pass_by("5m 10s") == ["Broken: chat slack"]
    lost = await flights.latest()
    assert (lost.state, lost.hop) == ("lost", "chat slack")
    assert [hop.name for hop in lost.hops] == ["website", "crm"]
    assert (
        await flights.fetch(
            "SELECT count(*) FROM runs WHERE state IN ('queued', 'running', 'waiting') "
            "AND workflow = 'speed_to_lead.v1'"
        )
        == 0
    ), "it goes on no further"
    assert await flights.fetch("SELECT count(*) FROM outcome_breaches") == 0, "nobody was promised anything"

    stack.sandbox.clear(fault=fault)
    await flights.pass_by("1h")
    assert await flights.pass_by("10s") == []
    async with acquire(stack.app.pool) as connection:
        row = await find_monitor(connection, flights.workspace_id, "canary", stack.clock())
    assert row is not None
    assert row.state == "up"
    assert row.rule == "Every 1 hour through website, crm, its workflows, slack, within 5 minutes"


SIGNED = """
[sources.website]
kind = "json"
secret = "${WEBSITE_SECRET}"
"""
TYPEFORM = """
[sources.website]
kind = "typeform"
secret = "${TYPEFORM_SECRET}"
map = { email = "Where can we write to you?", first_name = "hidden.first", last_name = "Your family" }
"""


@pytest.mark.parametrize(
    ("source", "proof", "signature"),
    [(SIGNED, "signature", "webhook-signature"), (TYPEFORM, "signature ok", "typeform-signature")],
    ids=["generic", "vendor"],
)
async def test_a_canary_is_signed_and_comes_over_http(
    make_stack: MakeStack, source: str, proof: str, signature: str
) -> None:
    of_form = STACK[STACK.index("[sources.website]") : STACK.index("[alerts]")]
    stack = await make_stack(STACK.replace(of_form, source), WORKFLOW)
    flights = Flights(stack)
    listener, url = listen()
    app: Any = stack.app
    app.silence._public_url = url
    async with serving(Server(stack.app, trust_url=False), listener):
        assert await flights.pass_by("10s") == []
        assert [each["text"] for each in stack.sandbox.messages("slack")] == ["New lead: Mainstay Canary"]
        assert [hop.name for hop in (await flights.latest()).hops] == ["website", "crm", "speed_to_lead.v1", "slack"]
        assert proof in await flights.fetch("SELECT verified FROM deliveries")
        assert await flights.fetch("SELECT count(*) FROM tallies WHERE label = 'canary'") == 1

        # A signature that does not fit is met as a sender would meet it, and named.
        canary = app.silence.canary(flights.workspace_id)
        forged = Composed(b"{}", {**canary.compose("key", stack.clock()).headers, signature: "v1,Zm9yZ2Vk"})
        app.silence.canary = lambda _workspace_id: replace(canary, compose=lambda _key, _at: forged)
        await flights.pass_by("1h")
        broken, quarantined = sorted(await flights.pass_by("5m 10s"))
        assert broken == "Broken: source website"
        assert "does not fit: another secret" in quarantined
        assert "Zm9yZ2Vk" not in (await flights.latest()).error


async def test_a_canary_that_its_source_refuses_and_one_that_the_crm_refuses(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK, WORKFLOW)
    flights = Flights(stack)
    stack.sandbox.set_fault("hubspot", "status", status=401)
    assert await flights.pass_by("10s") == ["Broken: crm crm"]
    assert (await flights.fetch("SELECT count(*) FROM incidents WHERE workflow <> ''")) == 0, "one cause, one incident"
    stack.sandbox.clear("hubspot")
    edited = await make_stack(STACK.replace('"E-mail"', '"Mail"'), WORKFLOW)
    again = Flights(edited)
    edited.app.workspaces[again.workspace_id].sources.pop("website")
    await again.pass_by("1h")
    assert await again.pass_by("10s") == ["Broken: source website"]
