"""The lists of runs and incidents follow what happens, and leave whoever reads them alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Page, expect

from mainstay.db import acquire
from tests.browser.conftest import Served
from tests.insight.seed import Seed

pytestmark = pytest.mark.browser

SELECTED = "() => getSelection().toString()"


async def _happen(served: Served) -> None:
    """Let a run begin, another be done, and something else break."""
    async with acquire(served.backend.pool) as connection:
        seed = Seed(connection, served.story.card.id, datetime.now(UTC))
        await seed.run(at=seed.now, workflow="speed_to_lead.v1", state="queued")
        await connection.execute(
            "UPDATE runs SET state = 'done', finished_at = now() WHERE id = $1", served.story.waiting_run
        )
        later = seed.now + timedelta(seconds=1)
        await seed.incident(at=later, title="The mail is refused", fingerprint="mail is refused")


async def test_rows_come_and_change_under_a_reader_who_goes_on_undisturbed(desk: Page, served: Served) -> None:
    runs, incidents, older = desk, *[await desk.context.new_page() for _ in range(2)]
    await runs.goto("/w/acme/runs")
    async with acquire(served.backend.pool) as connection:
        first = await connection.fetchval("SELECT id FROM runs ORDER BY id DESC LIMIT 1")
    await older.goto(f"/w/acme/runs?before={first}")
    await incidents.goto("/w/acme/incidents")
    kept, waiting = (f"#run-{run}" for run in (served.story.failed_run, served.story.waiting_run))
    many, below = [await page.locator("tr[data-row]").count() for page in (runs, older)]

    # Half-way through a search, with words marked in a row, in the middle of the page, on a row by key.
    await runs.set_viewport_size({"width": 1280, "height": 300})
    await runs.locator("[data-search]").evaluate("(box) => { box.value = 'half a word'; }")
    await runs.locator(f"{kept} a[data-open]").focus()
    await runs.locator(f"{kept} .story").evaluate("(cell) => getSelection().selectAllChildren(cell)")
    marked = await runs.evaluate(SELECTED)
    assert await runs.evaluate("scrollY") > 0
    top = await runs.locator(kept).evaluate("(row) => row.getBoundingClientRect().top")
    await expect(runs.locator(f"{waiting} .badge")).to_have_text("Trying again")

    await _happen(served)
    await runs.bring_to_front()
    await expect(runs.locator("tr[data-row]")).to_have_count(many + 1, timeout=20_000)
    await expect(runs.locator("tr[data-row] .badge").first).to_have_text("Queued")
    await expect(runs.locator(f"{waiting} .badge")).to_have_text("Done")
    await expect(runs.locator(f"{kept} a[data-open]")).to_be_focused()
    await expect(runs.locator("[data-search]")).to_have_value("half a word")
    assert marked
    assert await runs.evaluate(SELECTED) == marked
    assert await runs.locator(kept).evaluate("(row) => row.getBoundingClientRect().top") == pytest.approx(top, abs=2)
    await expect(runs.locator("#verdict")).to_contain_text("3 things are broken")

    await incidents.bring_to_front()
    await expect(incidents.get_by_role("link", name="The mail is refused", exact=True)).to_be_visible(timeout=20_000)
    # A page of older ones moves nothing: it says that there is more, and leads there.
    await older.bring_to_front()
    await expect(older.get_by_role("link", name="1 new run")).to_be_visible(timeout=20_000)
    await expect(older.locator("tr[data-row]")).to_have_count(below)
    await older.get_by_role("link", name="1 new run").click()
    await expect(older.locator("tr[data-row]")).to_have_count(many + 1)
