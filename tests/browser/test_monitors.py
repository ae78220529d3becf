"""Monitors, in a real browser."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from mainstay.db import acquire
from tests.browser.conftest import Served

pytestmark = pytest.mark.browser


async def watched(served: Served) -> None:
    """Let four jobs of the story's workspace ping, each in its own state."""
    workspace_id = served.story.card.id
    async with acquire(served.backend.pool) as connection:
        await connection.execute(
            """
            INSERT INTO monitors (workspace_id, kind, name, rule, state, seen_at, started_at, took, expected_at,
                                  alert_at)
            VALUES
                ($1, 'ping', 'nightly-backup', 'At 03:00 AM, America/Chicago', 'down', now() - interval '30 hours',
                 NULL, interval '4 minutes', now() - interval '6 hours', NULL),
                ($1, 'ping', 'invoices-to-the-bookkeeper', 'Every 1 hour, within business hours', 'up',
                 now() - interval '10 minutes', NULL, NULL, now() + interval '50 minutes', now() + interval '2 hours'),
                ($1, 'ping', 'n8n-reviews', 'Every 15 minutes', 'up', now() - interval '16 minutes', NULL, NULL,
                 now() - interval '1 minute', now() + interval '4 minutes'),
                ($1, 'ping', 'yearly', 'Every 365 days', 'new', NULL, NULL, NULL, NULL, NULL)
            """,
            workspace_id,
        )
        await connection.execute(
            """
            INSERT INTO incidents (id, workspace_id, fingerprint, state, title, cause, mend, first_seen, last_seen)
            VALUES (gen_random_uuid(), $1, 'monitor|ping|nightly-backup', 'open', 'nightly-backup failed',
                    'It ended with exit code 137. out of memory', 'Look at the job where it runs.', now(), now())
            """,
            workspace_id,
        )
        await connection.execute(
            """
            INSERT INTO pings (workspace_id, monitor, number, at, signal, method, exit_status, took, body)
            SELECT $1, 'nightly-backup', n, now() - make_interval(hours => 12 * (6 - n)),
                   CASE WHEN n = 6 THEN 'fail' WHEN n % 2 = 1 THEN 'start' ELSE 'success' END, 'POST',
                   CASE WHEN n = 6 THEN 137 WHEN n % 2 = 0 THEN 0 END,
                   CASE WHEN n % 2 = 0 THEN interval '4 minutes' END,
                   CASE WHEN n = 6 THEN repeat('dumping table contacts ... ', 20) || 'out of memory' ELSE '' END
            FROM generate_series(1, 6) AS t (n)
            """,
            workspace_id,
        )


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


@pytest.mark.parametrize("path", ["monitors", "monitors/nightly-backup", "incidents"])
async def test_the_pages_on_a_phone_go_no_wider_than_it(phone: Page, served: Served, path: str) -> None:
    await watched(served)
    await phone.goto(f"/w/acme/{path}")
    assert await phone.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
