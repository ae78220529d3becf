"""The operator's day, on a whole stack: two things broke over night; by the end of the morning nothing has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from mainstay.sandbox.client import Sandbox
from mainstay.testing import StackUnderTest
from mainstay.web import create_sign_in_link
from mainstay.web.binding import Server
from tests.browser.conftest import Served, signed_in
from tests.conftest import MakeStack
from tests.web.serving import listen, serving

pytestmark = pytest.mark.browser

STACK = """
    [connections]
    slack = { connector = "slack", token = "${TOKEN}" }
    [roles]
    chat = "slack"
    [sources.website]
    kind = "form"
    map = { email = "Mail" }
"""
WORKFLOW = """
    @workflow("speed_to_lead.v1", on="contact.created", critical=True)
    async def speed_to_lead(ctx: Context, contact: Contact) -> None:
        await ctx.chat.post("#leads", f"A lead: {contact.email}")
"""


@asynccontextmanager
async def served(stack: StackUnderTest) -> AsyncIterator[str]:
    listener, url = listen()
    server = Server(stack.app, trust_url=False)
    async with serving(server, listener):
        yield url
        server.end_streams()


async def settle(stack: StackUnderTest) -> None:
    await stack.settle()
    await stack.app.watch_once()


@pytest.mark.timeout(240)
async def test_from_two_broken_things_to_none(make_stack: MakeStack, sandbox: Sandbox, chromium: Browser) -> None:
    stack = await make_stack(STACK, WORKFLOW)
    sandbox.set_fault("slack", "status", status=403)
    for name in ("sarah", "ahmed"):
        await stack.submit("website", Mail=f"{name}@example.com")
    assert (await stack.deliver("website", b'{"Electronic mail": "zoe@example.com"}')).state == "rejected"

    async with served(stack) as url:
        here: Any = Served(url, await create_sign_in_link(stack.app.pool, url), *[None] * 2)  # type: ignore[arg-type]
        async with signed_in(chromium, here, 1280, 860) as page:
            await _mend_the_vendor(page, stack, sandbox)
            mended = await make_stack(STACK.replace('"Mail"', '"Electronic mail"'), WORKFLOW)
            async with served(mended) as again:
                await _replay(page, mended, again)


async def _mend_the_vendor(page: Page, stack: StackUnderTest, sandbox: Sandbox) -> None:
    await expect(page.get_by_role("heading", level=1)).to_contain_text("2 things are broken")
    await page.locator(".thing.broken a[href*='/incidents/']").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("slack")
    await page.locator("tr[data-row] a[data-open]").first.click()
    await expect(page.get_by_role("heading", name="Stopped at step 1 of 1")).to_be_visible()
    await expect(page.get_by_text("Others with the same cause")).to_be_visible()
    await page.locator("#arrived > summary").click()
    await expect(page.locator("#arrived")).to_contain_text("@example.com")

    sandbox.clear("slack")
    await page.get_by_role("button", name="Retry from step 1").click()
    await expect(page.locator(".title .badge")).to_have_text("Queued")
    await settle(stack)
    # By itself: the page is told of the news.
    await expect(page.locator(".title .badge")).to_have_text("Done", timeout=30_000)
    await page.locator("section", has_text="Others with the same cause").locator("a[data-open]").first.click()
    await page.get_by_role("button", name="Retry from step 1").click()
    await settle(stack)
    await expect(page.locator(".verdict")).to_contain_text("1 thing is broken", timeout=30_000)
    assert [each["text"] for each in sandbox.messages("slack")] == [
        f"A lead: {name}@example.com" for name in ("ahmed", "sarah")
    ]


async def _replay(page: Page, stack: StackUnderTest, url: str) -> None:
    await page.goto(f"{url}/w/acme")
    await page.get_by_role("link", name="Deliveries from").click()
    await page.locator("tr[data-row] a[data-open]").first.click()
    await expect(page.get_by_role("heading", name="It could not be read")).to_be_visible()
    await page.get_by_role("button", name="Replay").click()
    await expect(page.get_by_role("status")).to_contain_text("has a new run")
    await page.goto(f"{url}/w/acme")
    await settle(stack)
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Nothing broke", timeout=45_000)
    await page.goto(f"{url}/w/acme/incidents?state=resolved")
    await expect(page.locator("tr[data-row]")).to_have_count(1)
    await page.goto(f"{url}/w/acme/contacts?q=zoe")
    await expect(page.locator("tr[data-row]")).to_have_count(1)
