"""An operator's morning, in a real browser."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Served

pytestmark = pytest.mark.browser


async def test_from_the_verdict_to_the_retry(desk: Page, served: Served) -> None:
    await expect(desk.get_by_role("heading", level=1)).to_contain_text("2 things are broken")
    await desk.get_by_role("link", name="speed_to_lead.v1 fails at voice").click()
    await expect(desk.get_by_role("heading", level=1)).to_have_text("speed_to_lead.v1 fails at voice")

    await desk.locator("tr[data-row] .story").first.click()
    stop = desk.get_by_role("heading", name="Stopped at step 3 of 3")
    await expect(stop).to_be_in_viewport()
    retry = desk.get_by_role("button", name="Retry from step 3")
    await expect(retry).to_be_in_viewport()
    await desk.locator("#attempt-3-1 > summary").click()
    await expect(desk.locator("#attempt-3-1 pre").first).to_contain_text("qualifier")

    await retry.click()
    await expect(desk.get_by_role("status")).to_contain_text("back on the queue")
    await expect(desk.locator(".title .badge")).to_have_text("Queued")
    assert served.backend.asked == [("retry", served.story.failed_run)]


async def test_a_run_under_way_refreshes_and_keeps_what_was_opened(desk: Page, served: Served) -> None:
    await desk.goto(f"/w/acme/runs/{served.story.waiting_run}")
    await desk.locator("#attempt-1-1 > summary").click()
    await expect(desk.locator("#attempt-1-1")).to_have_attribute("open", "")

    async with desk.expect_response(lambda response: "/runs/" in response.url and response.status == 200) as refreshed:
        await refreshed.value
    await expect(desk.locator("#attempt-1-1")).to_have_attribute("open", "")
    await expect(desk.locator("#attempt-1-1 pre").first).to_be_visible()


async def test_filtering_by_typing_changes_the_list_and_the_address(desk: Page) -> None:
    await desk.goto("/w/acme/contacts")
    await expect(desk.locator("tr[data-row]")).to_have_count(4)

    await desk.keyboard.press("/")
    await desk.keyboard.type("sarah")

    await expect(desk.locator("tr[data-row]")).to_have_count(1)
    await expect(desk).to_have_url("/w/acme/contacts?q=sarah")
    await desk.reload()
    await expect(desk.get_by_role("searchbox")).to_have_value("sarah")
    await expect(desk.locator("tr[data-row]")).to_have_count(1)


async def test_the_list_goes_by_keyboard(desk: Page) -> None:
    await desk.goto("/w/acme/runs")
    links = desk.locator("tr[data-row] a[data-open]")

    await desk.keyboard.press("j")
    await expect(links.nth(0)).to_be_focused()
    await desk.keyboard.press("j")
    await desk.keyboard.press("j")
    await expect(links.nth(2)).to_be_focused()
    await desk.keyboard.press("k")
    await expect(links.nth(1)).to_be_focused()
    wanted = await links.nth(1).get_attribute("href")
    await desk.keyboard.press("Enter")
    await expect(desk).to_have_url(str(wanted))


async def test_letters_that_are_typed_into_a_search_are_only_letters(desk: Page) -> None:
    await desk.goto("/w/acme/runs")
    box = desk.get_by_role("searchbox")
    await box.click()
    await desk.keyboard.type("jk/")
    await expect(box).to_have_value("jk/")
    await expect(box).to_be_focused()
    await desk.keyboard.press("Escape")
    await expect(box).not_to_be_focused()


async def test_an_id_is_copied_whole(desk: Page, served: Served) -> None:
    await desk.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await desk.goto(f"/w/acme/runs/{served.story.failed_run}")
    await desk.locator(".title .copy").click()
    await expect(desk.locator(".title .copy")).to_have_class("copy copied")
    assert await desk.evaluate("navigator.clipboard.readText()") == str(served.story.failed_run)


async def test_a_phone_shows_where_a_run_stopped_and_the_way_on_at_once(phone: Page, served: Served) -> None:
    await phone.goto(f"/w/acme/runs/{served.story.failed_run}")

    await expect(phone.get_by_role("heading", name="Stopped at step 3 of 3")).to_be_in_viewport()
    await expect(phone.get_by_role("button", name="Retry from step 3")).to_be_in_viewport()
