"""PostgreSQL stops answering without dying: senders are told to come back, and nothing that was accepted is missing."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import psutil
import pytest_asyncio

from mainstay.db.embedded import EmbeddedServer
from mainstay.sandbox.client import Sandbox
from mainstay.testing.database import template, with_database
from tests.faults.fleet import ONCE, Books, Fleet, vendor_copies
from tests.faults.sender import insist, post


@pytest_asyncio.fixture
async def own_server(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    server = EmbeddedServer(tmp_path)
    await asyncio.to_thread(server.start)
    yield server
    await asyncio.to_thread(server.stop)


async def test_a_sender_is_answered_and_all_goes_on(
    fleet: Fleet, sandbox: Sandbox, own_server: EmbeddedServer, tmp_path: Path
) -> None:
    base = await asyncio.to_thread(own_server.start)
    dsn = with_database(base, await asyncio.to_thread(template, base))
    web = fleet.start(dsn, kind="web", patience=0.5)
    port = await web.ready()
    lead = {"email": "sarah@example.com", "name": "Sarah Johnson"}

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        # A connection in use, so that it is a query that hangs, not a connect.
        assert (await post(session, port, "website", {"email": "omar@example.com"}, key="d-0")).status == 202
        hanging = _all_of(tmp_path)
        _send(hanging, signal.SIGSTOP)
        try:
            answers = await asyncio.gather(*(post(session, port, "website", lead, key="d-1") for _ in range(3)))
        finally:
            _send(hanging, signal.SIGCONT)
        statuses = await insist(session, port, lead, key="d-1")
    worker = fleet.start(dsn)
    books = await Books.open(dsn)
    await books.all_done(deliveries=2)
    problems = await books.problems()
    deliveries = await books.value("SELECT count(*) FROM deliveries")
    await books.close()
    for process in (web, worker):
        await process.kill()

    assert {(answer.status, answer.retry_after) for answer in answers} == {(429, "5")}
    # What had been turned away was kept all the same when the server went on, so this was the same delivery.
    assert statuses[-1] == 200
    assert deliveries == 2
    assert not problems
    assert vendor_copies(sandbox, lead["email"]) == ONCE


def _all_of(home: Path) -> list[psutil.Process]:
    postmaster = psutil.Process(int(next(home.rglob("postmaster.pid")).read_text("utf-8").split()[0]))
    return [postmaster, *postmaster.children()]


def _send(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        process.send_signal(number)
