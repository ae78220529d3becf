"""PostgreSQL stops answering without dying: senders are told to come back, and nothing that was accepted is missing."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import aiohttp
import psutil

from mainstay.db.embedded import EmbeddedServer
from mainstay.sandbox.client import Sandbox
from tests.faults.fleet import ONCE, Books, Fleet, postmaster, vendor_copies
from tests.faults.sender import insist, post


async def test_a_sender_is_answered_and_all_goes_on(
    fleet: Fleet, sandbox: Sandbox, own_server: EmbeddedServer, own_dsn: str, tmp_path: Path
) -> None:
    dsn = own_dsn
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
    problems = await books.problems(sandbox)
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
    first = psutil.Process(postmaster(home))
    return [first, *first.children()]


def _send(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        process.send_signal(number)
