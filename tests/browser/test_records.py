"""Records in a real browser."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from mainstay.db import acquire
from tests.browser.conftest import Served
from tests.web.records_told import tell

pytestmark = pytest.mark.browser


async def told(served: Served) -> None:
    async with acquire(served.backend.pool) as connection:
        contact = await connection.fetchval(
            "SELECT id FROM contacts WHERE workspace_id = $1 AND merged_into IS NULL LIMIT 1", served.story.card.id
        )
    await tell(served.backend.pool, served.story.card.id, contact)


async def test_an_invoice_is_found_and_tells_its_story(desk: Page, served: Served) -> None:
    await told(served)
    await desk.get_by_role("link", name="Records").click()
    await desk.get_by_role("link", name="Invoices").click()
    await desk.get_by_label("Search invoices by name, number, reference or id").fill("roof-10")
    await desk.get_by_role("link", name="INV-1045").click()

    await expect(desk.get_by_role("heading", name="INV-1045")).to_be_visible()
    await expect(desk.get_by_text("does not stand: books is right about it")).to_be_visible()


async def test_the_pages_on_a_phone(phone: Page, served: Served) -> None:
    await told(served)
    for path in ("records/invoice", "records/appointment", "records/message"):
        await phone.goto(f"/w/acme/{path}")
        assert await phone.evaluate("document.documentElement.scrollWidth") <= 390
    await phone.goto("/w/acme/records/invoice")
    await phone.get_by_role("link", name="INV-1045").click()
    await expect(phone.get_by_role("heading", name="What stands")).to_be_visible()
    assert await phone.evaluate("document.documentElement.scrollWidth") <= 390
