"""Who is who, decided by keyboard, in a real browser; and without scripts."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect

from mainstay.db import acquire
from tests.browser.conftest import Served, signed_in
from tests.browser.contrast import CONTRAST
from tests.web.people import People

pytestmark = pytest.mark.browser


async def states(people: People) -> list[str]:
    async with acquire(people.backend.pool) as connection:
        rows = await connection.fetch(
            "SELECT state FROM suggestions WHERE id = ANY($1) ORDER BY array_position($1, id)",
            [suggestion for suggestion, _, _ in people.pairs],
        )
    return [row["state"] for row in rows]


async def test_a_morning_of_reviews_without_the_mouse(desk: Page, people: People) -> None:
    await desk.goto(f"{people.root}/reviews")
    sides = desk.locator(".side-head h2")
    await expect(sides).to_have_text(["Wilhelmina Overbeck", "Wilhelmina Overbeck"])
    await expect(desk.get_by_role("button", name="The same: merge")).to_be_in_viewport()

    await desk.keyboard.press("l")
    await expect(desk.get_by_label("left")).to_be_checked()
    await desk.keyboard.press("r")
    await expect(desk.get_by_label("right")).to_be_checked()
    await desk.keyboard.press("m")
    await expect(desk.get_by_role("status")).to_contain_text("are one contact now.")
    await expect(sides).to_have_text(["Elizabeth Tanaka", "Liz Tanaka"])
    await desk.keyboard.press("n")
    await expect(desk.get_by_role("status")).to_contain_text("Elizabeth Tanaka and Liz Tanaka stay two.")
    await expect(sides).to_have_text(["J. Okafor", "James Okafor"])
    await desk.keyboard.press("Enter")
    await expect(sides).to_have_text(["Ines Fischer", "Tom Berg"])
    assert await states(people) == ["accepted", "rejected", "accepted", "open"]

    await desk.keyboard.press("u")
    await expect(sides).to_have_text(["J. Okafor", "James Okafor"])
    assert await states(people) == ["accepted", "rejected", "open", "open"]
    async with acquire(people.backend.pool) as connection:
        company = await connection.fetchval("SELECT company FROM contacts WHERE id = $1", people.pairs[0][1])
    assert company == "Oak Interiors Ltd"


async def test_moving_decides_nothing(desk: Page, people: People) -> None:
    await desk.goto(f"{people.root}/reviews")
    sides = desk.locator(".side-head h2")

    await desk.keyboard.press("j")
    await expect(sides.first).to_have_text("Elizabeth Tanaka")
    await desk.keyboard.press("j")
    await expect(sides.first).to_have_text("J. Okafor")
    await desk.keyboard.press("k")
    await expect(sides.first).to_have_text("Elizabeth Tanaka")

    assert await states(people) == ["open"] * 4


async def test_a_key_that_is_held_down_decides_once(desk: Page, people: People) -> None:
    await desk.goto(f"{people.root}/reviews")

    for _ in range(5):
        await desk.keyboard.down("m")  # without a release in between, which a browser reports as repeats
    await expect(desk.locator(".side-head h2").first).to_have_text("Elizabeth Tanaka")

    assert await states(people) == ["accepted", "open", "open", "open"]


async def test_two_quick_presses_are_one_decision(desk: Page, people: People) -> None:
    await desk.goto(f"{people.root}/reviews")

    await desk.evaluate(
        """() => { for (const key of ["m", "n"]) document.body.dispatchEvent(
            new KeyboardEvent("keydown", { key, bubbles: true })); }"""
    )
    await expect(desk.locator(".side-head h2").first).to_have_text("Elizabeth Tanaka")

    assert await states(people) == ["accepted", "open", "open", "open"]


async def test_keys_with_a_modifier_belong_to_the_browser(desk: Page, people: People) -> None:
    await desk.goto(f"{people.root}/reviews")

    for keys in ("Control+m", "Alt+n", "Meta+u", "Shift+M"):
        await desk.keyboard.press(keys)
    await desk.keyboard.press("j")
    await expect(desk.locator(".side-head h2").first).to_have_text("Elizabeth Tanaka")

    assert await states(people) == ["open"] * 4


async def test_after_a_choice_by_mouse_the_keys_still_work(desk: Page, people: People) -> None:
    await desk.goto(f"{people.root}/reviews")

    await desk.get_by_text("right").first.click()
    await desk.get_by_label("left").check()
    await desk.keyboard.press("m")
    await expect(desk.locator(".side-head h2").first).to_have_text("Elizabeth Tanaka")

    async with acquire(people.backend.pool) as connection:
        company = await connection.fetchval("SELECT company FROM contacts WHERE id = $1", people.pairs[0][1])
    assert company == "Oak Interiors"


async def test_reviews_merge_and_un_merge_without_scripts(chromium: Browser, served: Served, people: People) -> None:
    async with signed_in(chromium, served, 1280, 860, scripts=False) as page:
        await page.goto(f"{people.root}/reviews")
        await page.get_by_label("left").check()
        await page.get_by_role("button", name="The same: merge").click()
        await expect(page.locator(".side-head h2").first).to_have_text("Elizabeth Tanaka")
        await page.get_by_role("button", name="Not the same").click()
        await page.get_by_role("button", name="Undo").click()
        await expect(page.locator(".side-head h2").first).to_have_text("Elizabeth Tanaka")
        assert await states(people) == ["accepted", "open", "open", "open"]

        await page.goto(people.contact(people.merged))
        await page.locator(".merges li").nth(1).locator("summary").click()
        await page.get_by_role("button", name="Yes, un-merge").click()
        await expect(page.get_by_role("status")).to_contain_text("the two stay two")
        await page.get_by_text("Edit by hand").click()
        await page.get_by_label("Company").fill("Pine Dental Ltd")
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator(".person .meta")).to_contain_text("Pine Dental Ltd")
        await expect(page.locator(".facts .lineage summary").filter(has_text="set by hand")).to_have_count(1)


async def test_another_is_found_by_typing_and_merged(desk: Page, people: People) -> None:
    await desk.goto(people.contact(people.plain))
    await desk.get_by_role("link", name="Merge with another").click()
    await expect(desk.get_by_role("searchbox")).to_be_focused()
    await desk.keyboard.type("rosa")
    await desk.get_by_role("link", name="Rosa Diaz").click()

    await expect(desk.locator(".side-head h2")).to_have_text(["Sarah Ann Johnson", "Rosa Diaz"])
    await desk.keyboard.press("r")
    await desk.keyboard.press("m")
    await expect(desk.get_by_role("heading", level=1)).to_have_text("Rosa Diaz")
    await expect(desk.get_by_text("Do not contact.")).to_be_in_viewport()


async def test_typed_letters_are_no_commands(desk: Page, people: People) -> None:
    await desk.goto(people.contact(people.plain))
    await desk.get_by_text("Edit by hand").click()
    box = desk.get_by_label("Company")
    await box.fill("")
    await desk.keyboard.type("jmlnru")
    await expect(box).to_have_value("jmlnru")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_pages_of_people_fit_a_phone_and_can_be_read(phone: Page, people: People, scheme: str) -> None:
    await phone.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    await people.backend.contacts.accept(people.card.id, people.pairs[2][0], by="Dana")
    last = people.pairs[2][0]
    paths = [
        people.contact(people.plain), people.contact(people.flagged), people.contact(people.merged),
        people.contact(people.pairs[0][1]), f"{people.root}/reviews?last={last}", f"{people.root}/reviews/decided",
        f"{people.contact(people.plain)}/merge/{people.flagged}", f"{people.contact(people.plain)}/merge?q=r",
    ]  # fmt: skip
    for path in paths:
        await phone.goto(path)
        await phone.evaluate("for (const each of document.querySelectorAll('main details')) each.open = true")
        assert await phone.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
        assert await phone.evaluate(CONTRAST) == [], path


async def test_a_phone_has_both_answers_in_reach(phone: Page, people: People) -> None:
    await phone.goto(f"{people.root}/reviews")

    await expect(phone.get_by_role("button", name="The same: merge")).to_be_in_viewport()
    await expect(phone.get_by_role("button", name="Not the same")).to_be_in_viewport()
    await phone.get_by_role("button", name="Not the same").click()
    await expect(phone.locator(".side-head h2").first).to_have_text("Elizabeth Tanaka")
    assert await states(people) == ["rejected", "open", "open", "open"]
