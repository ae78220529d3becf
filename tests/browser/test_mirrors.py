"""What drifted in a mirror, in a real browser."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from mainstay.db import acquire
from mainstay.model import new_id
from tests.browser.conftest import Served

pytestmark = pytest.mark.browser


async def drift(served: Served) -> None:
    """Let three contacts of the story differ in two mirrors, each in its own way."""
    workspace_id = served.story.card.id
    phone = {"ours": "+13125550147", "theirs": "555-0199 (after six, ask for the elder of the two)"}
    said = [("changed", {"Phone": phone, "Company": {"ours": "", "theirs": "Acme"}}), ("missing", {}), ("double", {})]
    async with acquire(served.backend.pool) as connection:
        people = await connection.fetch(
            "SELECT id FROM contacts WHERE workspace_id = $1 AND merged_into IS NULL ORDER BY id LIMIT 3", workspace_id
        )
        await connection.executemany(
            """
            INSERT INTO mirrors (workspace_id, name, layout, loaded_at, written_at, compared_at)
            VALUES ($1, $2, 'x', now() - interval '2 days', now() - interval '1 hour', now() - interval '5 minutes')
            """,
            [(workspace_id, "sheet"), (workspace_id, "warehouse")],
        )
        await connection.executemany(
            """
            INSERT INTO drifts (id, workspace_id, mirror, key, record_id, kind, state, fields, found_in)
            VALUES ($1, $2, 'sheet', $3::uuid::text, $3, $4, 'open', $5, 1)
            """,
            [
                (new_id(), workspace_id, person["id"], kind, fields)
                for person, (kind, fields) in zip(people, said, strict=True)
            ],
        )


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


async def test_the_page_on_a_phone(phone: Page, served: Served) -> None:
    await drift(served)
    await phone.goto("/w/acme/mirrors")
    await expect(phone.get_by_role("button", name="Take over")).to_be_visible()
    assert await phone.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


async def swap(served: Served) -> None:
    """Let a swap be under way: the new system is half filled, and does not take one contact."""
    workspace_id = served.story.card.id
    async with acquire(served.backend.pool) as connection:
        await connection.execute(
            """
            INSERT INTO mirrors (workspace_id, name, layout, loaded, to_load)
            VALUES ($1, 'hubspot', 'x', 41200, 98000)
            """,
            workspace_id,
        )
        await connection.execute(
            """
            INSERT INTO swaps (id, workspace_id, record_type, old, new, state, began_by)
            VALUES (gen_random_uuid(), $1, 'contact', 'ghl', 'hubspot', 'running', 'dana')
            """,
            workspace_id,
        )
        reason = "the contact has no e-mail and no phone, so HubSpot could not find it again and would double it"
        await connection.execute(
            """
            INSERT INTO drifts (id, workspace_id, mirror, key, record_id, kind, state, fields, found_in)
            SELECT gen_random_uuid(), $1, 'hubspot', id::text, id, 'refused', 'open', $2, 0 FROM contacts
            WHERE workspace_id = $1 AND merged_into IS NULL ORDER BY contacts.id LIMIT 1
            """,
            workspace_id,
            {"": {"ours": reason, "theirs": ""}},
        )


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
