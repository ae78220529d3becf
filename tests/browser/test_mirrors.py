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
            INSERT INTO drifts (id, workspace_id, mirror, key, contact_id, kind, state, fields, found_in)
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
