"""Pings over real HTTP, as healthchecks.io's clients and strangers send them; and the pages of monitors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from mainstay.db import acquire
from mainstay.errors import DatabaseUnavailableError
from mainstay.insight.monitors import PingRow, list_pings
from mainstay.kit.http import open_session
from mainstay.testing import StackUnderTest
from mainstay.web import pinging
from mainstay.web.binding import Server
from tests.conftest import MakeStack
from tests.web.conftest import Browser, Site
from tests.web.serving import listen, serving


@dataclass
class Jobs:
    stack: StackUnderTest
    session: aiohttp.ClientSession
    base: str
    path: str
    """The path of the monitor nightly."""

    async def ask(self, path: str, method: str = "GET", **options: Any) -> tuple[int, str, Any]:
        async with self.session.request(method, self.base + path, allow_redirects=False, **options) as answer:
            return answer.status, await answer.text(), answer.headers

    async def pings(self) -> tuple[PingRow, ...]:
        async with acquire(self.stack.app.pool) as connection:
            return await list_pings(connection, next(iter(self.stack.app.workspaces)), "nightly")


@pytest.fixture
async def jobs(make_stack: MakeStack) -> AsyncIterator[Jobs]:
    stack = await make_stack('[monitors.nightly]\nschedule = "0 3 * * *"\n')
    listener, base = listen()
    path = await stack.app.ping_url(next(iter(stack.app.workspaces)), "nightly")
    async with serving(Server(stack.app, trust_url=False), listener), open_session() as session:
        yield Jobs(stack, session, base, path)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_each_method_of_the_convention_is_a_ping(jobs: Jobs, method: str) -> None:
    status, text, headers = await jobs.ask(jobs.path, method)
    assert (status, text) == (200, "" if method == "HEAD" else "OK")
    assert headers["ping-body-limit"] == "10000"
    (ping,) = await jobs.pings()
    assert (ping.signal, ping.method) == ("success", method)


async def test_start_fail_log_and_exit_codes(jobs: Jobs) -> None:
    for ending in ("/start", "/log", "/fail", "/0", "/137"):
        assert (await jobs.ask(jobs.path + ending, "POST", data=f"at {ending}"))[0] == 200
    told = [(ping.signal, ping.exit_status, ping.body) for ping in reversed(await jobs.pings())]
    assert told == [
        ("start", None, "at /start"),
        ("log", None, "at /log"),
        ("fail", None, "at /fail"),
        ("success", 0, "at /0"),
        ("fail", 137, "at /137"),
    ]


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("/256", 400),
        ("/-1", 400),
        ("/maybe", 400),
        ("?rid=1", 400),
        ("/", 200),
        ("/start/now", 404),
        ("%00", 404),
        ("%2f..%2f..", 404),
        ("?rid=0190a3a0-0000-7000-8000-000000000001", 200),
        ("?" + "a=1&" * 15, 200),
        ("?" + "a=1&" * 500, 400),
        ("/" + "1" * 400, 404),
        ("?rid=%ff%fe", 400),
    ],
)
async def test_endings_that_somebody_may_try(jobs: Jobs, ending: str, status: int) -> None:
    assert (await jobs.ask(jobs.path + ending))[0] == status


@pytest.mark.parametrize(
    "path", ["/ping/", "/ping/acme", "/ping/acme/x", "/ping/acme/x/nightly", "/ping/other/x/nightly"]
)
async def test_who_has_no_key_learns_nothing(jobs: Jobs, path: str) -> None:
    assert (await jobs.ask(path))[:2] == (404, "not found")
    assert (await jobs.ask("/ping/acme/x/no-such-monitor"))[:2] == (404, "not found")
    assert await jobs.pings() == ()


async def test_other_methods_and_browsers_elsewhere(jobs: Jobs) -> None:
    assert (await jobs.ask(jobs.path, "DELETE"))[0] == 405
    assert (await jobs.ask(jobs.path, "OPTIONS"))[0] == 204
    assert (await jobs.ask(jobs.path, headers={"origin": "https://elsewhere.example"}))[2][
        "access-control-allow-origin"
    ] == "*"


async def test_a_job_that_says_very_much_is_heard_all_the_same(jobs: Jobs) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(300):
            yield b"\xff\x00line\n" * 1000

    try:
        status, _, _ = await jobs.ask(jobs.path, "POST", data=endless())
        assert status == 200
    except aiohttp.ClientError:
        pass  # The server closes a connection on which nobody listens any more.
    (ping,) = await jobs.pings()
    assert 0 < len(ping.body.encode()) <= 10_000


async def test_half_a_ping_is_none_and_a_slow_one_is_cut_off(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    host, port = jobs.base.removeprefix("http://").split(":")
    monkeypatch.setattr(pinging, "_BODY_SECONDS", 0.2)
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"POST {jobs.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf".encode())
    assert b"408" in await reader.readline()
    writer.close()
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"POST {jobs.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf".encode())
    writer.close()
    await writer.wait_closed()
    assert (await jobs.ask(jobs.path))[0] == 200
    assert len(await jobs.pings()) == 1


async def test_without_the_database_a_job_is_asked_to_try_again(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: Any) -> Any:
        raise DatabaseUnavailableError("away")

    monkeypatch.setattr(jobs.stack.app.pinged, "receive", away)
    status, text, headers = await jobs.ask(jobs.path)
    assert (status, text, headers["retry-after"]) == (503, "not kept: try again", "5")


async def declare(site: Site, name: str, **more: Any) -> None:
    async with acquire(site.backend.pool) as connection:
        await connection.execute(
            """
            INSERT INTO monitors (workspace_id, kind, name, rule, state, seen_at, expected_at, alert_at)
            VALUES ($1, 'ping', $2, 'Every 1 hour', $3, now(), now() + interval '1 hour', now() + interval '2 hours')
            """,
            site.story.card.id,
            name,
            more.get("state", "up"),
        )
        await connection.execute(
            """
            INSERT INTO pings (workspace_id, monitor, number, at, signal, method, exit_status, body)
            VALUES ($1, $2, 1, now(), 'fail', 'POST', 3, $3)
            """,
            site.story.card.id,
            name,
            more.get("body", "<script>alert(1)</script>"),
        )


async def test_the_pages_of_monitors(site: Site, operator: Browser) -> None:
    root = f"/w/{site.story.card.slug}"
    assert "[monitors.nightly-backup]" in (await operator.get(f"{root}/monitors")).text
    await declare(site, "nightly")
    await declare(site, "invoices", state="down")
    page = (await operator.get(f"{root}/monitors")).text
    assert page.index("invoices") < page.index("nightly"), "what is down comes first"
    assert f'href="{root}/monitors"' in (await operator.get(f"{root}/incidents")).text
    shown = (await operator.get(f"{root}/monitors/nightly")).text
    assert "/ping/acme/a-key/nightly" in shown
    assert "&lt;script&gt;" in shown
    assert "<script>alert" not in shown
    assert "exit code 3" in shown
    assert (await operator.get(f"{root}/monitors/no-such")).status == 404
    answer = await operator.post(f"{root}/monitors/nightly/renew")
    assert answer.headers["location"] == f"{root}/monitors/nightly?done=renewed"
    assert site.backend.asked[-1] == ("renew nightly", site.story.card.id)
    assert (await operator.post(f"{root}/monitors/unknown/renew")).status == 404
    assert (await site.stranger.get(f"{root}/monitors/nightly")).status == 303
