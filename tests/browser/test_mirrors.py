"""What drifted in a mirror, in a real browser."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Served
from tests.browser.scenes import drift, swap

pytestmark = pytest.mark.browser


async def test_a_difference_is_taken_over(desk: Page, served: Served) -> None:
    await drift(served)
    await desk.get_by_role("link", name="Connections").first.click()
    await desk.get_by_role("link", name="Mirrors").click()
    await expect(desk.get_by_role("heading", name="Not what Mainstay wrote")).to_be_visible()
    changed = desk.locator("form.thing").filter(has_text="555-0199")
    await expect(changed).to_contain_text("+13125550147")

    await changed.get_by_role("button", name="Leave").click()
    await expect(desk.locator("form.thing").filter(has_text="555-0199")).to_have_count(0)
    await expect(desk.get_by_role("row").filter(has_text="Left")).to_contain_text("Phone, Company")
    await desk.locator("form.thing").filter(has_text="its row is gone").get_by_role("button", name="Revert").click()
    await expect(desk.get_by_role("row").filter(has_text="Reverted")).to_be_visible()


@pytest.mark.parametrize("width", [1280, 390])
async def test_a_swap_shows_how_far_it_is(desk: Page, served: Served, width: int) -> None:
    await swap(served)
    page = desk
    await page.set_viewport_size({"width": width, "height": 860})
    await page.goto("/w/acme/mirrors")
    await expect(page.get_by_role("progressbar")).to_be_visible()
    await expect(page.get_by_text("41,200 of 98,000")).to_be_visible()
    await expect(page.get_by_text("mainstay swap contact --from ghl --to hubspot")).to_be_visible()
    await expect(page.get_by_text("Not yet: not all contacts are in it yet.")).to_be_visible()
    await expect(page.get_by_role("button", name="Try again")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
