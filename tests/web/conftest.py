from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from mainstay.db import Pool, acquire
from mainstay.web import create_app, create_sign_in_link
from mainstay.web.app import create_pages
from mainstay.web.scopes import ALL
from tests.web.pages_backend import PagesBackend
from tests.web.people import People
from tests.web.people import people as make_people
from tests.web.serving import listen, serving
from tests.web.story import CONNECTIONS, SOURCES, Story, tell


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str


@dataclass
class Browser:
    """Asks as a browser would, without following redirects."""

    url: str
    session: aiohttp.ClientSession
    cookies: dict[str, str] = field(default_factory=dict)

    async def ask(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **options: Any) -> Answer:
        own = {"Origin": self.url, "Sec-Fetch-Site": "same-origin"} if method == "POST" else {}
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = own | ({"Cookie": cookies} if cookies else {}) | dict(headers or {})
        async with self.session.request(
            method, self.url + path, headers=sent, allow_redirects=False, **options
        ) as response:
            for name, morsel in response.cookies.items():
                self.cookies[name] = morsel.value
                if not morsel.value or morsel["max-age"] == "0":
                    del self.cookies[name]
            return Answer(response.status, response.headers, await response.text())

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.ask("GET", path, **options)

    async def post(self, path: str, **options: Any) -> Answer:
        return await self.ask("POST", path, **options)


@dataclass
class Site:
    url: str
    backend: PagesBackend
    story: Story
    stranger: Browser
    pages: FastAPI

    async def sign_in(self, name: str = "", *, scopes: Iterable[str] = ALL) -> Browser:
        """Return a browser that has signed in."""
        browser = Browser(self.url, self.stranger.session)
        token = (await create_sign_in_link(self.backend.pool, self.url, name=name, scopes=scopes)).partition("token=")[
            2
        ]
        answer = await browser.post("/sign-in", data={"token": token})
        assert answer.status == 303
        return browser


@pytest.fixture
async def site(pool: Pool) -> AsyncIterator[Site]:
    listener, url = listen()
    async with acquire(pool) as connection, connection.transaction():
        story = await tell(connection)
        other = await tell(connection, "bell", "Bell Roofing")
    backend = PagesBackend(pool, url, [story.card, other.card], list(SOURCES), list(CONNECTIONS))

    async def take(request: Request) -> PlainTextResponse:
        return PlainTextResponse("kept", 202)

    app = create_app(backend, [Route("/in/{workspace}/{source}", take, methods=["POST"])])
    session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
    async with serving(app, listener), session:
        yield Site(url, backend, story, Browser(url, session), create_pages(backend))
        await backend.close()


@pytest.fixture
async def operator(site: Site) -> Browser:
    """A browser that has signed in."""
    return await site.sign_in()


@pytest.fixture
async def people(site: Site) -> People:
    """A workspace of people, plain, flagged, merged, and pairs that wait for a review."""
    return await make_people(site.backend)
