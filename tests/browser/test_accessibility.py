"""axe-core on every page: a finding that is serious or critical fails, in light and in dark."""

from __future__ import annotations

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

from mainstay.web.render import STATIC
from tests.browser.conftest import Served
from tests.web.people import People

pytestmark = pytest.mark.browser

_GRAVE = {"serious", "critical"}
# Colours alone differ between the schemes.
_RULES = {"light": None, "dark": {"runOnly": ["color-contrast"]}}


async def _findings(page: Page, scheme: str) -> list[str]:
    response = (await Axe().run(page, options=_RULES[scheme])).response
    return [
        f"{found['id']} ({found['impact']}): {node['html'][:160]}: {node['failureSummary'][:200]}"
        for found in response["violations"]
        if found["impact"] in _GRAVE
        for node in found["nodes"]
    ]


async def test_no_page_has_a_serious_finding(desk: Page, served: Served, people: People) -> None:
    root = "/w/acme"
    paths = served.story.paths() | {
        "approvals": f"{root}/reviews/approvals",
        "records": f"{root}/records/invoice",
        "mirrors": f"{root}/mirrors",
        "monitors": f"{root}/monitors",
        "retries": f"{root}/retries",
        "incidents resolved": f"{root}/incidents?state=resolved",
        "nothing here": f"{root}/contacts?q=nobody+at+all",
        "no such page": f"{root}/nowhere",
        "a bad address": f"{root}/runs/{people.survivor if hasattr(people, 'survivor') else served.story.contact}",
    }
    found: dict[tuple[str, str], list[str]] = {}
    for name, path in paths.items():
        await desk.emulate_media(color_scheme="light")
        await desk.goto(path)
        # What is folded away is read as well.
        await desk.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        for scheme in _RULES:
            await desk.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            grave = await _findings(desk, scheme)
            if grave:
                found[name, scheme] = grave
    assert found == {}


def test_a_page_brings_less_than_100_kb_of_script() -> None:
    assert sum(file.stat().st_size for file in STATIC.glob("*.js")) < 100_000
