"""The button that stops a connection, in a real browser."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from mainstay.db import acquire
from tests.browser.conftest import Served

pytestmark = pytest.mark.browser


async def test_pause_and_resume(desk: Page, served: Served) -> None:
    await served.backend.gates.declare()
    await desk.get_by_role("link", name="Connections").first.click()
    row = desk.get_by_role("row").filter(has_text="GoHighLevel")
    await expect(row).to_contain_text("Open")
    await expect(row).to_contain_text("0 of 100 in")

    await row.get_by_role("button", name="Pause ghl").click()
    await expect(desk.get_by_role("status")).to_contain_text("nothing is lost")
    await expect(row).to_contain_text("Paused")
    async with acquire(served.backend.pool) as connection:
        assert await connection.fetch("SELECT FROM connections WHERE name = 'ghl' AND paused_at IS NOT NULL")
    await expect(desk.get_by_role("row").filter(has_text="Postmark")).to_contain_text("Open")

    await row.get_by_role("button", name="Resume ghl").click()
    await expect(desk.get_by_role("status")).to_contain_text("go again")
    await expect(row).to_contain_text("Open")
