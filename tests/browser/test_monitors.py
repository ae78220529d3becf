"""Monitors, in a real browser."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Served
from tests.browser.scenes import watched

pytestmark = pytest.mark.browser


async def test_an_operator_finds_why_a_job_is_down_and_gives_it_a_new_address(desk: Page, served: Served) -> None:
    await watched(served)
    await desk.get_by_role("link", name="Incidents").first.click()
    await desk.get_by_role("link", name="Monitors").click()
    first = desk.locator("tbody tr").first
    await expect(first).to_contain_text("Down")
    await expect(first).to_contain_text("nightly-backup")
    await expect(desk.get_by_role("row").filter(has_text="n8n-reviews")).to_contain_text("Late")
    await expect(desk.get_by_role("row").filter(has_text="yearly")).to_contain_text("after its first ping")
    await first.get_by_role("link", name="nightly-backup").click()
    await expect(desk.get_by_text("exit code 137")).to_be_visible()
    await desk.get_by_role("button", name="Make a new address").click()
    await expect(desk.get_by_role("status")).to_contain_text("It has a new address")
    await desk.get_by_role("link", name="its incident").click()
    await expect(desk.get_by_role("heading", name="nightly-backup failed")).to_be_visible()
    await expect(desk.get_by_role("button", name="Resolve: I have seen to it")).to_be_visible()
