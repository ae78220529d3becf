"""Of three webhooks about new people one comes, one is late, one is dropped: all are greeted, and one is a gap."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from mainstay.db import acquire
from mainstay.kit.pulling import utc
from mainstay.sandbox.client import Sandbox
from mainstay.sandbox.senders import SignedRequest, hubspot
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack
from tests.journeys.visiting import read, visiting
from tests.web.conftest import Browser

STACK = """
    [connections]
    crm   = { connector = "hubspot", token = "${TOKEN}" }
    slack = { connector = "slack", token = "${TOKEN}" }
    [records.contact]
    system_of_record = "crm"
    [sources.hooks]
    kind          = "hubspot"
    connection    = "crm"
    client_secret = "${APP_SECRET}"
"""
CODE = """
    @workflow("greet.v1", on="contact.created")
    async def greet(ctx: Context, contact: Contact) -> None:
        await ctx.chat.post("#leads", f"{contact.name} is new in the CRM")
"""
GAP = "1 change came by the pull that no webhook had brought"


@dataclass(frozen=True)
class Desk:
    """Where the CRM's webhooks arrive, and the operator looks."""

    stack: StackUnderTest
    sandbox: Sandbox
    browser: Browser

    def add(self, name: str, number: int) -> SignedRequest:
        """Let somebody enter a person in HubSpot's own screens; returns the webhook that HubSpot means to send."""
        person = {"email": f"{name.lower()}@example.com", "first_name": name, "last_name": "Li"}
        url, at = f"{self.browser.url}/in/acme/hooks", datetime.now(UTC)
        made = hubspot(person, "sample-app_secret", key=name, at=at, url=url, object_id=number)
        assert made.seed is not None
        properties = made.seed["properties"] | {"lastmodifieddate": utc(at)}
        self.sandbox.seed("hubspot", "contacts", [{**made.seed, "properties": properties}])
        return made

    async def arrive(self, sent: SignedRequest) -> int:
        answer = await self.browser.ask("POST", "/in/acme/hooks", data=sent.body, headers=dict(sent.headers))
        await self.stack.settle()
        return answer.status

    async def pull(self) -> None:
        """Let the quarter of an hour pass after which HubSpot is asked what changed."""
        async with acquire(self.stack.app.pool) as connection:
            await connection.execute(
                "UPDATE pulls SET pulled_at = pulled_at - interval '1 hour', began_at = began_at - interval '1 hour'"
            )
        await self.stack.app.watch_once()
        await self.stack.settle()

    def greeted(self) -> list[str]:
        return [message["text"].partition(" ")[0] for message in self.sandbox.messages("slack")]


async def test_one_webhook_of_three_is_dropped(make_stack: MakeStack, sandbox: Sandbox) -> None:
    sandbox.configure("hubspot", properties=["hs_email_optout", "mainstay_tags"])
    stack = await make_stack(STACK, CODE)
    async with visiting(stack) as browser:
        desk = Desk(stack, sandbox, browser)
        await desk.pull()
        assert GAP not in await read(browser, "/w/acme")

        in_time, late, dropped = desk.add("Ada", 7001), desk.add("Ben", 7002), desk.add("Cleo", 7003)
        assert await desk.arrive(in_time) == 202
        assert desk.greeted() == ["Ada"]
        await desk.pull()
        assert sorted(desk.greeted()) == ["Ada", "Ben", "Cleo"], "the pull brings who is missing"
        assert await desk.arrive(late) == 202

        # What no webhook has brought five minutes later is a gap, and is shown.
        async with acquire(stack.app.pool) as connection:
            await connection.execute("UPDATE pulled_changes SET changed_at = changed_at - interval '6 minutes'")
        await desk.pull()
        overview, connections = await read(browser, "/w/acme"), await read(browser, "/w/acme/connections")
        assert f"crm : {GAP}, since" in overview
        assert "in 7 days 1 change that no webhook had brought" in connections

        # It comes after all, an hour later, twice.
        assert await desk.arrive(dropped) == 202
        assert await desk.arrive(dropped) == 200
        await desk.pull()
        assert f"crm : {GAP}, since" in await read(browser, "/w/acme")
        assert sorted(desk.greeted()) == ["Ada", "Ben", "Cleo"], "each once"
        people = await read(browser, "/w/acme/contacts")
        assert [people.count(f"{name} Li") for name in ("Ada", "Ben", "Cleo")] == [1, 1, 1]
    assert {state for _, _, state in await stack.runs()} == {"done"}
    assert not stack.alerts
