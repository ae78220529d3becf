"""What axe-core finds on a page that is serious or critical."""

from __future__ import annotations

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

_GRAVE = {"serious", "critical"}


async def findings(page: Page, *, colours_alone: bool = False) -> list[str]:
    """Return each with the element; ``colours_alone`` looks at contrast only, which is quick."""
    rules = {"runOnly": ["color-contrast"]} if colours_alone else {}
    response = (await Axe().run(page, options=rules | {"resultTypes": ["violations"]})).response
    return [
        f"{found['id']} ({found['impact']}): {node['html'][:160]}: {node['failureSummary'][:200]}"
        for found in response["violations"]
        if found["impact"] in _GRAVE
        for node in found["nodes"]
    ]
