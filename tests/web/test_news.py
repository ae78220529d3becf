from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from mainstay.db import acquire
from mainstay.insight.mark import mark_of
from mainstay.web import news
from tests.web.conftest import Browser, Site


async def _mark(site: Site) -> str:
    async with acquire(site.backend.pool) as connection:
        return await mark_of(connection, site.story.seed.workspace_id)


@asynccontextmanager
async def _stream(browser: Browser, since: str) -> AsyncIterator[aiohttp.ClientResponse]:
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    address = f"{browser.url}/w/acme/news?since={since}"
    async with browser.session.get(address, headers={"Cookie": cookies}, allow_redirects=False) as answer:
        yield answer


async def _until(answer: aiohttp.ClientResponse, word: str) -> None:
    async with asyncio.timeout(30):
        async for line in answer.content:
            if line == f"event: {word}\n".encode():
                return
    raise AssertionError(f"the stream ended without {word}")


async def test_a_stream_tells_of_what_changes_and_ends_with_the_session(site: Site, operator: Browser) -> None:
    async with _stream(operator, await _mark(site)) as one, _stream(operator, "what-it-was-long-ago") as other:
        assert one.headers["Content-Type"].startswith("text/event-stream")
        assert "Content-Encoding" not in one.headers
        await _until(other, "news")
        for change in (
            "UPDATE runs SET handled_at = now() WHERE id = $1",
            "UPDATE runs SET state = 'queued', handled_at = NULL WHERE id = $1",
        ):
            before = await _mark(site)
            async with acquire(site.backend.pool) as connection:
                await connection.execute(change, site.story.failed_run)
            assert await _mark(site) != before
            await _until(one, "news")
            await _until(other, "news")
        await operator.post("/sign-out")
        await _until(one, "over")
        await _until(other, "over")
        assert await one.content.read() == f"data: {await _mark(site)}\n\n".encode()


async def test_a_session_that_ends_elsewhere_ends_its_streams(site: Site, operator: Browser) -> None:
    async with _stream(operator, await _mark(site)) as answer:
        async with acquire(site.backend.pool) as connection:
            await connection.execute("UPDATE sessions SET expires_at = now()")
        await _until(answer, "over")


async def test_no_stream_for_strangers_nor_beyond_the_most(operator: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(news, "MOST_STREAMS", 0)
    assert (await operator.get("/w/acme/news")).status == 503
    operator.cookies.clear()
    assert (await operator.get("/w/acme/news")).status == 303


async def test_a_page_of_older_incidents_says_what_opened_since(site: Site, operator: Browser) -> None:
    async with acquire(site.backend.pool) as connection:
        resolved = await connection.fetchval("SELECT id FROM incidents WHERE state = 'resolved'")
    address = f"/w/acme/incidents?before={resolved}"
    opened = (await operator.get(address)).text
    assert "new incident" not in opened
    assert f"before={resolved}&amp;seen=" in opened, "it asks anew with the moment at which it was opened"
    assert "1 new incident</a>" in (await operator.get(f"{address}&seen=2020-01-01T00:00:00Z")).text
    assert (await operator.get(f"{address}&seen=yesterday")).status == 404
