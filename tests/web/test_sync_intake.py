"""Senders that a sync workflow answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest

from mainstay.db import acquire
from mainstay.kit.http import open_session
from mainstay.testing import StackUnderTest
from mainstay.web.binding import Server
from tests.conftest import MakeStack
from tests.web.serving import listen, serving

STACK = """
    [connections]
    ghl = { connector = "gohighlevel", token = "${TOKEN}", location_id = "ve9EPM428h8vShlRW1KT" }
    [sources.website]
    kind = "form"
    [sources.page]
    kind = "form"
    redirect = "https://acme.example/thanks"
    [sources.facebook]
    kind = "facebook_lead_ads"
    app_secret = "${SECRET}"
    verify_token = "${VERIFY}"
    page_token = "${PAGE}"
"""
WORKFLOWS = """
async def price():
    return 4000

@workflow("quote.v1", on="contact.created", mode="sync", answer_within="20s")
async def quote(ctx: Context, contact: Contact):
    if contact.first_name == "Fails":
        raise PermanentError("the price list is at /srv/prices")
    if contact.first_name == "Waits":
        await ctx.sleep("1h")
    return [await ctx.step("price", price), contact.email]

@workflow("tell.v1", on="contact.created")
async def tell(ctx: Context, contact: Contact):
    await ctx.crm.add_tag(contact, "lead")
"""
LEAD = {"email": "sarah@example.com", "first_name": "Sarah"}


class Sender:
    def __init__(self, stack: StackUnderTest, session: aiohttp.ClientSession, base: str) -> None:
        self.stack = stack
        self._session = session
        self._base = base

    async def send(
        self, fields: Mapping[str, str], *, source: str = "website", key: str = "", **options: Any
    ) -> tuple[int, Any]:
        headers = {"idempotency-key": key} if key else {}
        body = options or {"json": fields}
        url = f"{self._base}/in/acme/{source}"
        async with self._session.post(url, headers=headers, allow_redirects=False, **body) as answer:
            return answer.status, await answer.json() if answer.content_type.endswith("json") else await answer.text()

    async def states(self) -> dict[str, str]:
        return {workflow: state for _, workflow, state in await self.stack.runs()}


@pytest.fixture
async def sender(make_stack: MakeStack) -> AsyncIterator[Sender]:
    stack = await make_stack(STACK, WORKFLOWS)
    listener, base = listen()
    async with serving(Server(stack.app, trust_url=False), listener), open_session() as session:
        yield Sender(stack, session, base)


async def test_the_sender_hears_the_result_and_the_rest_waits_for_a_worker(sender: Sender) -> None:
    status, said = await sender.send(LEAD)

    assert (status, said["state"], said["result"]) == (200, "answered", [4000, "sarah@example.com"])
    assert said["runs"] == [{"run": said["run"], "workflow": "quote.v1", "result": said["result"]}]
    # No vendor was called meanwhile: what calls one is left to the queue.
    assert await sender.states() == {"inbound.v1": "done", "quote.v1": "done", "tell.v1": "queued", "push.v1": "queued"}
    await sender.stack.settle()
    assert set((await sender.states()).values()) == {"done"}
    assert len(sender.stack.sandbox.state("gohighlevel")["contacts"]) == 1


async def test_a_delivery_that_starts_nothing_sync_is_answered_as_ever(sender: Sender) -> None:
    await sender.send(LEAD)
    status, said = await sender.send(LEAD | {"last_name": "Johnson"})
    assert (status, said["state"], "result" in said) == (202, "accepted", False)


async def test_sent_again_it_is_answered_again_but_only_who_sends_the_same(sender: Sender) -> None:
    both = await asyncio.gather(*(sender.send(LEAD, key="d-1") for _ in range(3)))
    again = await sender.send(LEAD, key="d-1")
    guessed = await sender.send({"email": "eve@example.com"}, key="d-1")

    assert {status for status, _ in (*both, again)} == {200}
    assert all(said["result"] == [4000, "sarah@example.com"] for _, said in (*both, again))
    assert guessed == (200, {"delivery": again[1]["delivery"], "state": "repeated"})
    async with acquire(sender.stack.app.pool) as connection:
        assert await connection.fetchval("SELECT count(*) FROM runs WHERE workflow = 'quote.v1'") == 1


@pytest.mark.parametrize("name", ["Fails", "Waits"])
async def test_what_has_no_result_yet_is_accepted_and_tells_nothing_of_why(sender: Sender, name: str) -> None:
    status, said = await sender.send(LEAD | {"first_name": name})
    assert (status, sorted(said)) == (202, ["delivery", "run", "state", "workflow"])
    assert said["state"] == "accepted"


async def test_a_browser_that_is_sent_on_waits_for_nothing(sender: Sender) -> None:
    status, _ = await sender.send({}, source="page", data=LEAD)
    assert status == 303
    assert await sender.states() == {"inbound.v1": "queued"}


async def test_what_cannot_be_read_is_rejected_as_ever(sender: Sender) -> None:
    status, said = await sender.send({"nothing": "here"})
    assert (status, "result" in said) == (422, False)


async def test_a_source_whose_records_are_fetched_keeps_nobody_waiting(sender: Sender) -> None:
    workspace = sender.stack.app.by_slug["acme"]
    assert not workspace.sources["facebook"].answers
    assert set(workspace.sources["website"].answers) == {"contact.created"}
