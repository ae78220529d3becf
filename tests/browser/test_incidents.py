"""An incident, in a real browser: followed from an alert's button, acknowledged by a key, at both widths."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from mainstay.db import acquire
from tests.browser.conftest import Served

pytestmark = pytest.mark.browser

SHOTS = os.environ.get("MAINSTAY_SHOTS", "")
"""A folder, where somebody wants to look at the pages."""


async def told(served: Served) -> None:
    """Let the story's incident be critical, and told over three channels."""
    async with acquire(served.backend.pool) as connection:
        await connection.execute(
            "UPDATE incidents SET severity = 'critical', reopened = 2 WHERE id = $1", served.story.incident
        )
        await connection.execute(
            """
            INSERT INTO alerts (id, workspace_id, incident_id, run_id, kind, route, begun_at, told_at, error)
            SELECT gen_random_uuid(), $1, $2, gen_random_uuid(), kind, jsonb_build_object('written', route),
                   now() - ago, CASE WHEN error = '' AND kind <> 'escalated' THEN now() - ago END, error
            FROM (VALUES ('opened', 'slack:#alerts', interval '20 minutes', '503: the service is away'),
                         ('opened', 'email:operations-of-the-whole-company@acme.example', interval '19 minutes', ''),
                         ('escalated', 'sms:+13125550111', interval '1 second', '')) AS v (kind, route, ago, error)
            """,
            served.story.card.id,
            served.story.incident,
        )


async def shoot(page: Page, name: str) -> None:
    if SHOTS:
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            await page.screenshot(path=Path(SHOTS) / f"{name}-{scheme}.png", full_page=True)


async def test_whoever_follows_an_alert_acknowledges_by_one_key(desk: Page, served: Served) -> None:
    await told(served)
    await desk.goto(f"/w/acme/incidents/{served.story.incident}?acknowledge=1")
    button = desk.get_by_role("button", name="Acknowledge: I see to it")
    await expect(button).to_be_focused()
    await expect(desk.get_by_text("Not told")).to_be_visible()
    async with acquire(served.backend.pool) as connection:
        assert await connection.fetchval("SELECT count(*) FROM incidents WHERE acknowledged_at IS NOT NULL") == 0
    await shoot(desk, "incident-desk")
    await desk.keyboard.press("a")
    await expect(desk.get_by_role("status")).to_contain_text("nobody else is called")
    await expect(desk.get_by_text("acknowledged by")).to_be_visible()
    await expect(button).to_have_count(0)
    await desk.goto("/w/acme/incidents")
    row = desk.get_by_role("row").filter(has=desk.locator(f"a[href$='{served.story.incident}']"))
    await expect(row).to_contain_text("Acknowledged")
    await expect(row).to_contain_text("critical")
    await shoot(desk, "incidents-desk")


async def test_an_incident_and_who_was_told_go_no_wider_than_a_phone(phone: Page, served: Served) -> None:
    await told(served)
    for name, path in (("incident", f"incidents/{served.story.incident}"), ("incidents", "incidents")):
        await phone.goto(f"/w/acme/{path}")
        assert await phone.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        await shoot(phone, f"{name}-phone")
