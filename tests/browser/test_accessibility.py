"""axe-core on every page: a finding that is serious or critical fails, in light and in dark."""

from __future__ import annotations

import pytest
from playwright.async_api import Page

from mainstay.web.render import STATIC
from tests.browser.axe import findings
from tests.browser.conftest import Served
from tests.browser.scenes import MONITORS, watched
from tests.web.people import People
from tests.web.watched_told import fill

pytestmark = pytest.mark.browser


@pytest.mark.timeout(300)
async def test_no_page_has_a_serious_finding(desk: Page, served: Served, people: People) -> None:
    await watched(served)
    await fill(served.backend.pool, served.story.card.id)
    story = served.story.paths()
    paths = [path for name, path in story.items() if name not in {"runs search", "contacts search", "run done"}]
    paths += [f"/w/acme/{path}" for path in ("reviews/approvals", "records/invoice", "mirrors", "settings", "retries")]
    paths += [f"/w/acme/{path}" for path in MONITORS]
    paths += [f"{people.root}/reviews", people.contact(people.merged)]
    in_dark = [story[name] for name in ("overview", "run failed", "contact", "delivery rejected", "incident")]
    found: dict[tuple[str, str], list[str]] = {}
    for path in paths:
        await desk.goto(path)
        # What is folded away is read as well.
        await desk.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        found[path, "light"] = await findings(desk)
        if path in in_dark:
            await desk.emulate_media(color_scheme="dark")
            found[path, "dark"] = await findings(desk, colours_alone=True)
            await desk.emulate_media(color_scheme="light")
    assert {where: grave for where, grave in found.items() if grave} == {}
    await desk.set_content("<html lang='en'><title>a</title><main><h1>a</h1><button></button></main>")
    assert ["button-name" in each for each in await findings(desk)] == [True]


def test_a_page_brings_less_than_100_kb_of_script() -> None:
    assert sum(file.stat().st_size for file in STATIC.glob("*.js")) < 100_000
