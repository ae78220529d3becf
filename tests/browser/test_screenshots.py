"""The pictures in the docs, made of the story: ``python3 dev.py screenshots`` writes them anew.

The same walk asks of every page that it is no wider than a phone.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Page

from mainstay.db import acquire
from tests.browser.conftest import Served
from tests.browser.scenes import MONITORS, drift, told, watched
from tests.web.people import People
from tests.web.story import HUGE_ERROR
from tests.web.watched_told import fill

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
DESK, HALF, PHONE = (1120, 700), (1120, 480), (390, 844)
LARGEST, LARGEST_TOGETHER = 150_000, 1_000_000


@dataclass(frozen=True)
class Picture:
    """One page as a picture; ``in_doc`` is the document that shows it."""

    path: str
    in_doc: str
    size: tuple[int, int] = DESK
    scheme: Literal["light", "dark"] = "light"


def pictures(served: Served, people: People) -> dict[str, Picture]:
    story = served.story.paths()
    root = story["overview"]
    return {
        "overview": Picture(root, "README.md"),
        "overview-dark": Picture(root, "README.md", scheme="dark"),
        "overview-phone": Picture(root, "docs/operating.md", PHONE),
        "run": Picture(story["run failed"], "docs/operating.md"),
        "reviews": Picture(f"{people.root}/reviews", "docs/operating.md"),
        "incident": Picture(story["incident"], "docs/watching.md", HALF),
        "monitors": Picture(f"{root}/monitors", "docs/watching.md", HALF),
        "rhythm": Picture(f"{root}/monitors/source/website", "docs/watching.md", (1120, 590)),
        "contact": Picture(people.contact(people.merged), "docs/identity.md", HALF),
        "connections": Picture(f"{root}/connections", "docs/connections.md", HALF),
        "drift": Picture(f"{root}/mirrors", "docs/mirrors.md"),
    }


@pytest.mark.timeout(240)
async def test_the_pictures_in_the_docs(
    phone: Page, served: Served, people: People, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    await served.backend.gates.declare()
    await told(served)
    await watched(served)
    await fill(served.backend.pool, served.story.card.id)
    await drift(served)
    shown = pictures(served, people)
    others = (*MONITORS, "mirrors", "settings", "reviews/proposals", "reviews/approvals", "retries")
    pages = {
        *served.story.paths().values(),
        *(f"/w/acme/{path}" for path in others),
        *(picture.path for picture in shown.values()),
    }
    assert await _too_wide(phone, sorted(pages)) == []

    await _brief(served)
    is_written = request.config.getoption("--write-screenshots", default=False)
    folder = IMAGES if is_written else tmp_path
    folder.mkdir(exist_ok=True)
    for name, picture in shown.items():
        await _take(phone, picture, folder / f"{name}.png")
        assert _size(folder / f"{name}.png") == picture.size

    kept = {file.stem: file for file in IMAGES.iterdir()}
    assert set(kept) == set(shown), (
        "python3 dev.py screenshots writes them; one that is no longer made is to be deleted"
    )
    assert {name: _size(file) for name, file in kept.items()} == {name: each.size for name, each in shown.items()}
    weights = {name: file.stat().st_size for name, file in kept.items()}
    assert max(weights.values()) < LARGEST, weights
    assert sum(weights.values()) < LARGEST_TOGETHER, weights
    for name, picture in shown.items():
        assert re.search(rf"{name}\.png[\")]", (ROOT / picture.in_doc).read_text()), (
            f"{picture.in_doc} lacks {name}.png"
        )


async def _too_wide(page: Page, paths: list[str]) -> list[str]:
    """Return the pages that scroll sideways, what is folded away on them too."""
    found = []
    for path in paths:
        await page.goto(path)
        if await page.evaluate(
            """() => {
              const wider = () => document.documentElement.scrollWidth > innerWidth;
              const folded = wider();
              for (const each of document.querySelectorAll("main details")) each.open = true;
              return folded || wider();
            }"""
        ):
            found.append(path)
    return found


async def _brief(served: Served) -> None:
    """Let the story's error, which is long to try the pages, be as long as such errors are."""
    short = HUGE_ERROR[: HUGE_ERROR.index(" The account has", 60)]
    async with acquire(served.backend.pool) as connection:
        for table, column in (("runs", "error"), ("attempts", "error"), ("incidents", "cause")):
            await connection.execute(
                f"UPDATE {table} SET {column} = $1 WHERE {column} LIKE '402: Account out of credit%'",  # noqa: S608
                short,
            )


async def _take(page: Page, picture: Picture, file: Path) -> None:
    width, height = picture.size
    await page.set_viewport_size({"width": width, "height": height})
    await page.emulate_media(color_scheme=picture.scheme, reduced_motion="reduce")
    await page.goto(picture.path)
    beyond = "main => [...main.querySelectorAll('*')].filter(each => each.scrollWidth > main.clientWidth).length"
    assert await page.locator("main").evaluate(beyond) == 0, f"{picture.path} has what is wider than its column"
    await page.screenshot(path=file, animations="disabled")


def _size(file: Path) -> tuple[int, int]:
    """Return the width and height that a PNG states in its first chunk."""
    head = file.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n", file
    width, height = struct.unpack(">II", head[16:24])
    return width, height
