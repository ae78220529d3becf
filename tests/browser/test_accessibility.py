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
_RULES = {"light": {}, "dark": {"runOnly": ["color-contrast"]}}


async def _findings(page: Page, scheme: str) -> list[str]:
    response = (await Axe().run(page, options=_RULES[scheme] | {"resultTypes": ["violations"]})).response
    return [
        f"{found['id']} ({found['impact']}): {node['html'][:160]}: {node['failureSummary'][:200]}"
        for found in response["violations"]
        if found["impact"] in _GRAVE
        for node in found["nodes"]
    ]


@pytest.mark.timeout(300)
async def test_no_page_has_a_serious_finding(desk: Page, served: Served, people: People) -> None:
    assert people
    story = served.story.paths()
    paths = [path for name, path in story.items() if name not in {"runs search", "contacts search", "run done"}]
    paths += [f"/w/acme/{path}" for path in ("reviews/approvals", "records/invoice", "mirrors", "monitors", "retries")]
    in_dark = [story[name] for name in ("overview", "run failed", "contact", "delivery rejected", "incident")]
    found: dict[tuple[str, str], list[str]] = {}
    for path in paths:
        await desk.goto(path)
        # What is folded away is read as well.
        await desk.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        for scheme in _RULES if path in in_dark else ("light",):
            await desk.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            grave = await _findings(desk, scheme)
            if grave:
                found[path, scheme] = grave
        await desk.emulate_media(color_scheme="light")
    assert found == {}
    await desk.set_content("<html lang='en'><title>a</title><main><h1>a</h1><button></button></main>")
    assert ["button-name" in each for each in await _findings(desk, "light")] == [True]


def test_a_page_brings_less_than_100_kb_of_script() -> None:
    assert sum(file.stat().st_size for file in STATIC.glob("*.js")) < 100_000
