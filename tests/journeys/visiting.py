"""The pages of a stack under test, as the server serves them, to a person who has signed in."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape

import aiohttp

from mainstay.testing import StackUnderTest
from mainstay.web import create_sign_in_link
from mainstay.web.binding import Server
from tests.web.conftest import Browser
from tests.web.serving import listen, serving


@asynccontextmanager
async def visiting(stack: StackUnderTest) -> AsyncIterator[Browser]:
    """Serve a stack, and sign somebody in."""
    listener, url = listen()
    session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
    async with serving(Server(stack.app, trust_url=False), listener), session:
        browser = Browser(url, session)
        token = (await create_sign_in_link(stack.app.pool, url)).partition("token=")[2]
        assert (await browser.post("/sign-in", data={"token": token})).status == 303
        yield browser


async def read(browser: Browser, path: str) -> str:
    """Return a page's words, without its tags and with single spaces."""
    answer = await browser.get(path)
    assert answer.status == 200, answer.text
    return re.sub(r"\s+", " ", unescape(re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", answer.text, flags=re.DOTALL)))
