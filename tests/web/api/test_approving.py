"""Approvals over HTTP and on the page: asked, answered once, told who was first."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from mainstay.model import new_id
from mainstay.web.binding import Server
from mainstay.web.tokens import create_token
from tests.conftest import MakeStack
from tests.web.api.conftest import Client
from tests.web.api.test_openapi import Description
from tests.web.serving import listen, serving

STACK = """
    [connections]
    slack = { connector = "slack", token = "${TOKEN}" }
    [sources.website]
    kind = "form"
"""

QUOTE = """
    @workflow("quote.v1", on="contact.created")
    async def quote(ctx, contact):
        answer = await ctx.approval("Send the quote of $4,000?", timeout="2d")
        return [answer.approved, answer.by, answer.note]
"""


@pytest.fixture
async def asker(make_stack: MakeStack) -> AsyncIterator[Client]:
    """A client of a stack whose workflow asks people."""
    stack = await make_stack(STACK, QUOTE)
    listener, url = listen()
    session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
    async with serving(Server(stack.app, trust_url=False), listener), session:
        token = await create_token(stack.app.pool, next(iter(stack.app.workspaces)), "zapier")
        yield Client(url, session, token, stack)


async def test_a_program_answers_for_a_person(asker: Client) -> None:
    stack = asker.stack
    assert stack is not None
    await stack.submit("website", email="sarah@example.com", first_name="Sarah")

    (asked,) = (await asker.ask("GET", "/approvals")).json["approvals"]
    assert (asked["question"], asked["state"], asked["workflow"]) == ("Send the quote of $4,000?", "open", "quote.v1")
    address = f"/approvals/{asked['id']}"
    description = Description((await asker.get("/openapi.json")).json)
    taken = await asker.ask("POST", f"{address}/approve", json={"note": "go ahead", "by": "Dana"})
    description.check("POST", "/approvals/{approval_id}/approve", taken)
    assert (taken.status, taken.json["state"], taken.json["decided_by"]) == (200, "approved", "Dana")
    await stack.settle()

    late = await asker.ask("POST", f"{address}/decline")
    description.check("POST", "/approvals/{approval_id}/decline", late)
    description.check("GET", "/approvals", await asker.ask("GET", "/approvals?state=decided"))
    assert (late.status, late.problem) == (409, "conflict")
    assert late.json["detail"] == "Dana has approved it already"
    assert (await asker.ask("GET", "/approvals")).json["approvals"] == []
    (decided,) = (await asker.ask("GET", "/approvals?state=decided")).json["approvals"]
    assert decided["note"] == "go ahead"


async def test_what_was_never_asked_is_not_found(asker: Client) -> None:
    assert (await asker.ask("POST", f"/approvals/{new_id()}/approve")).status == 404
    assert (await asker.ask("POST", f"/approvals/{new_id()}/approve", json={"nte": "x"})).status == 422
