"""An incident, in a real browser: followed from an alert's button, acknowledged by a key."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from mainstay.db import acquire
from tests.browser.conftest import Served
from tests.browser.scenes import told

pytestmark = pytest.mark.browser


async def test_whoever_follows_an_alert_acknowledges_by_one_key(desk: Page, served: Served) -> None:
    await told(served)
    await desk.goto(f"/w/acme/incidents/{served.story.incident}?acknowledge=1")
    button = desk.get_by_role("button", name="Acknowledge: I see to it")
    await expect(button).to_be_focused()
    await expect(desk.get_by_text("Not told")).to_be_visible()
    async with acquire(served.backend.pool) as connection:
        assert await connection.fetchval("SELECT count(*) FROM incidents WHERE acknowledged_at IS NOT NULL") == 0
    await desk.keyboard.press("a")
    await expect(desk.get_by_role("status")).to_contain_text("nobody else is called")
    await expect(desk.get_by_text("acknowledged by")).to_be_visible()
    await expect(button).to_have_count(0)
    await desk.goto("/w/acme/incidents")
    row = desk.get_by_role("row").filter(has=desk.locator(f"a[href$='{served.story.incident}']"))
    await expect(row).to_contain_text("Acknowledged")
    await expect(row).to_contain_text("critical")
