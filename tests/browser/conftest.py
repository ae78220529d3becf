"""The pages in a real browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from playwright.async_api import Browser, Page, async_playwright

from mainstay.db import Pool, acquire
from mainstay.web import create_app, create_sign_in_link
from tests.web.pages_backend import PagesBackend
from tests.web.people import People
from tests.web.people import people as make_people
from tests.web.serving import listen, serving
from tests.web.story import CONNECTIONS, SOURCES, Story, tell

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


@dataclass
class Served:
    url: str
    link: str
    story: Story
    backend: PagesBackend


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-screenshots", action="store_true", help="write docs/images anew")


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    path = os.environ.get("MAINSTAY_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not path:
        pytest.skip("Chromium is missing: apt-get install chromium, or set MAINSTAY_CHROMIUM to its path")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture
async def served(pool: Pool) -> AsyncIterator[Served]:
    listener, url = listen()
    async with acquire(pool) as connection, connection.transaction():
        story = await tell(connection)
    backend = PagesBackend(pool, url, [story.card], list(SOURCES), list(CONNECTIONS))
    async with serving(create_app(backend), listener):
        yield Served(url, await create_sign_in_link(pool, url), story, backend)


@pytest.fixture
async def people(served: Served) -> People:
    """A workspace of people, plain, flagged, merged, and pairs that wait for a review."""
    return await make_people(served.backend)


@pytest.fixture
async def desk(chromium: Browser, served: Served) -> AsyncIterator[Page]:
    """A signed-in page of a desk's width."""
    async with signed_in(chromium, served, 1280, 860) as page:
        yield page


@pytest.fixture
async def phone(chromium: Browser, served: Served) -> AsyncIterator[Page]:
    """A signed-in page of a phone's width."""
    async with signed_in(chromium, served, 390, 844) as page:
        yield page


@asynccontextmanager
async def signed_in(
    chromium: Browser, served: Served, width: int, height: int, *, scripts: bool = True
) -> AsyncIterator[Page]:
    """Sign a new browser profile in. Whatever it logs as an error, a breach of the CSP too, fails the test."""
    context = await chromium.new_context(
        viewport={"width": width, "height": height}, base_url=served.url, java_script_enabled=scripts
    )
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    await page.goto(served.link)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url("**/w/acme")
    yield page
    await context.close()
    assert errors == []
