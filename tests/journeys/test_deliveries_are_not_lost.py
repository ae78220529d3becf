"""What could not be taken at once: rejected, suspect, announced only, or our own echo."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from mainstay.db import acquire
from mainstay.errors import MalformedError, NotAuthenticError
from mainstay.insight import verdict
from mainstay.intake import rules
from mainstay.kit import RawRequest
from mainstay.kit.signature import hmac_hex
from mainstay.model import first_id_at
from mainstay.sandbox.client import Sandbox
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack

ALERTED = """
    [connections]
    mail = { connector = "postmark", token = "${TOKEN}", from = "hello@acme.example" }
    [alerts]
    critical = ["email:ops@acme.example"]
    digest = "0s"
"""


def workspace(stack: StackUnderTest) -> UUID:
    return next(iter(stack.app.workspaces))


async def rows(stack: StackUnderTest, query: str, *values: Any) -> Any:
    async with acquire(stack.app.pool) as connection:
        return await connection.fetch(query, *values)


class TestRejected:
    UNMAPPED = "[sources.website]\nkind = 'json'\nmap = { email = 'contact.mail' }"
    MAPPED = "[sources.website]\nkind = 'json'\nmap = { email = 'contact.address' }"
    BODY = json.dumps({"contact": {"address": "sarah@example.com"}}).encode()

    async def test_a_rejected_delivery_is_replayed_once_the_map_is_mended(self, make_stack: MakeStack) -> None:
        stack = await make_stack(self.UNMAPPED)
        receipt = await stack.deliver("website", self.BODY)
        assert receipt.state == "rejected"
        with pytest.raises(MalformedError):
            await stack.app.replay_delivery(workspace(stack), receipt.delivery_id)

        mended = await make_stack(self.MAPPED)
        await mended.app.replay_delivery(workspace(mended), receipt.delivery_id)
        await mended.settle()

        (delivery,) = await rows(mended, "SELECT state, reason FROM deliveries")
        assert tuple(delivery) == ("processed", "")
        assert len(await rows(mended, "SELECT FROM contacts WHERE email = 'sarah@example.com'")) == 1

    async def test_what_is_sent_again_after_its_replay_is_a_repeat(self, make_stack: MakeStack) -> None:
        toml = "[sources.website]\nkind = 'json'\nrepeat_window = 600\nmap = {{ email = '{}' }}"
        stack = await make_stack(toml.format("contact.mail"))
        receipt = await stack.deliver("website", self.BODY)
        mended = await make_stack(toml.format("contact.address"))
        await mended.app.replay_delivery(workspace(mended), receipt.delivery_id)

        again = await mended.deliver("website", self.BODY)

        assert (again.state, again.delivery_id) == ("repeated", receipt.delivery_id)

    async def test_a_replay_needs_the_delivery_and_its_source(self, make_stack: MakeStack) -> None:
        stack = await make_stack(self.UNMAPPED)
        receipt = await stack.deliver("website", self.BODY)
        with pytest.raises(LookupError, match="there is no delivery"):
            await stack.app.replay_delivery(workspace(stack), UUID(int=1))

        without = await make_stack("[sources.other]\nkind = 'json'")
        with pytest.raises(LookupError, match='the source "website" is no longer in stack.toml; restore it'):
            await without.app.replay_delivery(workspace(without), receipt.delivery_id)


class TestSuspect:
    STACK = ALERTED + "[sources.website]\nkind = 'form'\nsecret = '${SECRET}'\n"

    @staticmethod
    async def suspect(stack: StackUnderTest, number: int = 0, size: int = 0) -> None:
        body = json.dumps({"email": f"lead{number}@example.com", "more": "x" * size}).encode()
        with pytest.raises(NotAuthenticError):
            await stack.deliver("website", body)

    async def test_it_is_kept_apart_and_released_by_hand_once(self, make_stack: MakeStack) -> None:
        stack = await make_stack(self.STACK)
        await self.suspect(stack)
        assert await rows(stack, "SELECT FROM runs WHERE workflow = 'inbound.v1'") == []
        ((quarantine_id,),) = await rows(stack, "SELECT id FROM quarantine")

        await stack.app.release_quarantined(workspace(stack), quarantine_id)
        await stack.settle()

        (delivery,) = await rows(stack, "SELECT state, verified FROM deliveries")
        assert tuple(delivery) == ("processed", "released from quarantine by hand")
        assert len(await rows(stack, "SELECT FROM contacts")) == 1
        with pytest.raises(LookupError, match="in quarantine"):
            await stack.app.release_quarantined(workspace(stack), quarantine_id)
        assert await rows(stack, "SELECT FROM quarantine") == []

    async def test_released_and_still_unreadable_it_says_so_and_is_broken(self, make_stack: MakeStack) -> None:
        stack = await make_stack(self.STACK)
        with pytest.raises(NotAuthenticError):
            await stack.deliver("website", b'{"colour": "red"}')
        ((quarantine_id,),) = await rows(stack, "SELECT id FROM quarantine")

        receipt = await stack.app.release_quarantined(workspace(stack), quarantine_id)

        assert receipt.state == "rejected"
        assert "no e-mail, phone or name was found" in receipt.reason
        # The open incident of the quarantine must not hide it.
        async with acquire(stack.app.pool) as connection:
            found = await verdict(connection, workspace(stack), datetime.now(UTC))
        assert {thing.kind for thing in found.broken} == {"incident", "rejected"}

    async def test_its_place_is_bounded_by_count_size_and_age(
        self, make_stack: MakeStack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("mainstay.intake.QUARANTINE_PER_SECOND", 1000)
        monkeypatch.setattr("mainstay.intake.store.QUARANTINE_COUNT", 4)
        monkeypatch.setattr("mainstay.intake.store.QUARANTINE_BYTES", 2000)
        stack = await make_stack(self.STACK)
        for number in range(6):
            await self.suspect(stack, number)
        kept = await rows(stack, "SELECT body FROM quarantine ORDER BY id")
        assert [json.loads(row["body"])["email"] for row in kept] == [f"lead{n}@example.com" for n in (2, 3, 4, 5)]

        await self.suspect(stack, 6, size=1900)
        ((size, count),) = await rows(stack, "SELECT sum(length(body)), count(*) FROM quarantine")
        assert size <= 2000
        assert count < 4

        async with acquire(stack.app.pool) as connection:
            await connection.execute("UPDATE quarantine SET received_at = received_at - interval '49 hours'")
        await self.suspect(stack, 7)
        assert len(await rows(stack, "SELECT FROM quarantine")) == 1

    async def test_after_two_days_it_is_gone_though_nothing_new_came(self, make_stack: MakeStack) -> None:
        stack = await make_stack(self.STACK)
        for number in range(2):
            await self.suspect(stack, number)
        async with acquire(stack.app.pool) as connection:
            old = first_id_at(datetime.now(UTC) - timedelta(hours=48, minutes=1))
            await connection.execute(
                "UPDATE quarantine SET id = $1 WHERE id = (SELECT id FROM quarantine LIMIT 1)", old
            )

        await stack.app.watch_once()

        (kept,) = await rows(stack, "SELECT id FROM quarantine")
        assert kept["id"] != old

    async def test_a_flood_is_refused_without_being_written(
        self, make_stack: MakeStack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("mainstay.intake.time.monotonic", lambda: 1000.5)
        stack = await make_stack(self.STACK)
        for number in range(rules.QUARANTINE_PER_SECOND + 7):
            await self.suspect(stack, number)
        assert len(await rows(stack, "SELECT FROM quarantine")) == rules.QUARANTINE_PER_SECOND

    async def test_a_burst_is_one_incident_and_one_alert(self, make_stack: MakeStack, sandbox: Sandbox) -> None:
        stack = await make_stack(self.STACK)
        for number in range(4):
            await self.suspect(stack, number)
        await stack.settle()

        (incident,) = await rows(stack, "SELECT * FROM incidents")
        assert (incident["title"], incident["source"]) == ('Deliveries to "website" are not authentic', "website")
        assert incident["occurrences"] >= 2
        assert [mail["To"] for mail in sandbox.messages("postmark")] == ["ops@acme.example"]


class TestFacebook:
    @staticmethod
    def stack(sandbox: Sandbox) -> str:
        return f"""
    [sources.facebook]
    kind = "facebook_lead_ads"
    app_secret = "${{SECRET}}"
    verify_token = "${{VERIFY}}"
    page_token = "${{PAGE}}"
    base_url = "{sandbox.url("meta")}"
    """

    @staticmethod
    async def announce(stack: StackUnderTest, lead: str) -> None:
        value = {"leadgen_id": lead, "form_id": "7", "page_id": "8", "created_time": 1767225600}
        body = json.dumps({"object": "page", "entry": [{"changes": [{"field": "leadgen", "value": value}]}]}).encode()
        signature = "sha256=" + hmac_hex("sample-secret", body)
        headers = {"content-type": "application/json", "x-hub-signature-256": signature}
        request = RawRequest("POST", "http://test/in/acme/facebook", headers, body, stack.clock())
        binding = stack.app.workspaces[workspace(stack)].sources["facebook"]
        assert (await stack.app.intake.receive(binding, request)).state == "accepted"
        await stack.settle()

    async def test_a_notice_is_followed_by_the_lead_itself(self, make_stack: MakeStack, sandbox: Sandbox) -> None:
        answers = [
            {"name": "email", "values": ["Sarah@Example.com"]},
            {"name": "full_name", "values": ["Sarah Johnson"]},
        ]
        sandbox.seed("meta", "leads", [{"id": "4711", "form_id": "7", "field_data": answers}])
        stack = await make_stack(self.stack(sandbox))

        await self.announce(stack, "4711")

        (contact,) = await rows(stack, "SELECT * FROM contacts")
        assert (contact["email"], contact["first_name"], contact["source"]) == (
            "sarah@example.com",
            "Sarah",
            "facebook",
        )

    async def test_an_outage_there_delays_the_lead_and_does_not_lose_it(
        self, make_stack: MakeStack, sandbox: Sandbox
    ) -> None:
        answers = [{"name": "email", "values": ["sarah@example.com"]}]
        sandbox.seed("meta", "leads", [{"id": "4711", "form_id": "7", "field_data": answers}])
        sandbox.set_fault("meta", "status", status=503, count=2)
        stack = await make_stack(self.stack(sandbox))
        await self.announce(stack, "4711")
        assert await rows(stack, "SELECT FROM contacts") == []

        await stack.advance("1m")

        assert len(await rows(stack, "SELECT FROM contacts")) == 1
        assert [tuple(row) for row in await rows(stack, "SELECT state FROM deliveries")] == [("processed",)]

    async def test_a_lead_that_cannot_be_read_is_shown_as_failed_and_retried(
        self, make_stack: MakeStack, sandbox: Sandbox
    ) -> None:
        sandbox.seed(
            "meta", "leads", [{"id": "4711", "form_id": "7", "field_data": [{"name": "city", "values": ["Rome"]}]}]
        )
        stack = await make_stack(self.stack(sandbox))
        await self.announce(stack, "4711")

        (delivery,) = await rows(stack, "SELECT state, reason, run_id FROM deliveries")
        assert delivery["state"] == "failed"
        assert "neither" in delivery["reason"] or "no " in delivery["reason"]
        (attempt,) = await rows(stack, "SELECT * FROM attempts")
        assert (attempt["name"], attempt["state"], len(attempt["exchanges"])) == ("source.fetch", "failed", 1)

        answers = [{"name": "email", "values": ["sarah@example.com"]}]
        sandbox.seed("meta", "leads", [{"id": "4711", "form_id": "7", "field_data": answers}])
        assert await stack.app.retry_run(workspace(stack), delivery["run_id"])
        await stack.settle()
        assert len(await rows(stack, "SELECT FROM contacts")) == 1


class TestEcho:
    STACK = """
    [connections]
    ghl = { connector = "gohighlevel", token = "${TOKEN}", location_id = "ve9EPM428h8vShlRW1KT" }
    [sources.website]
    kind = "form"
    [sources.crm]
    kind = "gohighlevel"
    connection = "ghl"
    secret = "${SECRET}"
    """

    @staticmethod
    async def webhook(stack: StackUnderTest, **fields: Any) -> None:
        headers = {"content-type": "application/json", "x-webhook-secret": "sample-secret"}
        body = json.dumps(fields).encode()
        request = RawRequest("POST", "http://test/in/acme/crm", headers, body, stack.clock())
        binding = stack.app.workspaces[workspace(stack)].sources["crm"]
        assert (await stack.app.intake.receive(binding, request)).state == "accepted"
        await stack.settle()

    async def test_what_the_system_of_record_says_back_is_not_pushed_to_it(
        self, make_stack: MakeStack, sandbox: Sandbox
    ) -> None:
        stack = await make_stack(self.STACK)
        await stack.submit("website", email="sarah@example.com", name="Sarah Johnson")
        (record,) = sandbox.state("gohighlevel")["contacts"]
        pushes = len(await stack.runs("push.v1"))

        echo = {"contact_id": record["id"], "first_name": "Sarah", "last_name": "Johnson", "email": "sarah@example.com"}
        await self.webhook(stack, **echo, tags="vip")

        assert len(await stack.runs("push.v1")) == pushes
        (contact,) = await rows(stack, "SELECT * FROM contacts")
        assert contact["tags"] == ["vip"]

    async def test_a_contact_that_begins_there_is_linked_and_not_pushed(
        self, make_stack: MakeStack, sandbox: Sandbox
    ) -> None:
        stack = await make_stack(self.STACK)
        await self.webhook(stack, contact_id="abc123", first_name="Sarah", email="sarah@example.com")

        assert await stack.runs("push.v1") == []
        (link,) = await rows(stack, "SELECT connection, external_id FROM crosswalk")
        assert tuple(link) == ("ghl", "abc123")
        assert sandbox.request_count("gohighlevel") == 0

    async def test_what_it_does_not_know_is_pushed(self, make_stack: MakeStack, sandbox: Sandbox) -> None:
        stack = await make_stack(self.STACK)
        await stack.submit("website", email="sarah@example.com", phone="(312) 555-0147", name="Sarah Johnson")
        (record,) = sandbox.state("gohighlevel")["contacts"]
        before = len(await stack.runs("push.v1"))

        await self.webhook(stack, contact_id=record["id"], first_name="Sara", email="sarah@example.com")

        assert len(await stack.runs("push.v1")) == before + 1
