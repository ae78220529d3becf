"""PostgreSQL dies and comes back while leads are under way: what was accepted is kept, and all goes on by itself."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import aiohttp

from mainstay.db.embedded import EmbeddedServer
from mainstay.sandbox.client import Sandbox
from tests.faults.fleet import ONCE, Books, Fleet, postmaster, until, vendor_copies
from tests.faults.sender import insist, post

LEADS = 40
DEAD_AFTER = 4.0


async def test_all_goes_on_by_itself(
    fleet: Fleet, sandbox: Sandbox, own_server: EmbeddedServer, own_dsn: str, tmp_path: Path
) -> None:
    dsn = own_dsn
    web = fleet.start(dsn, kind="web")
    workers = [fleet.start(dsn, dead_after=DEAD_AFTER) for _ in range(2)]
    port = await web.ready()
    for worker in workers:
        await worker.ready()

    async with aiohttp.ClientSession() as session:
        first = [_lead(number) for number in range(LEADS // 2)]
        accepted = await asyncio.gather(*(post(session, port, "website", lead, key=lead["email"]) for lead in first))
        assert {answer.status for answer in accepted} == {202}

        os.kill(postmaster(tmp_path), signal.SIGKILL)
        away = await until(lambda: _refused(session, port), "a delivery is refused")
        second = [_lead(number) for number in range(LEADS // 2, LEADS)]
        insisting = [asyncio.create_task(insist(session, port, lead, key=lead["email"])) for lead in second]
        # Each worker is silent for longer than it takes to be counted as dead.
        await asyncio.sleep(DEAD_AFTER + 1)
        assert await _refused(session, port)
        await asyncio.to_thread(own_server.start)
        statuses = await asyncio.gather(*insisting)
        books = await Books.open(dsn)
        await books.all_done(deliveries=LEADS)

        # Nothing hangs on: the next lead is quick again, and both workers are alive and known.
        lead = _lead(LEADS)
        assert (await post(session, port, "website", lead, key=lead["email"])).status == 202
        await books.all_done(deliveries=LEADS + 1)
    problems = await books.problems(sandbox)
    listed = {row["id"] for row in await books.rows("SELECT id FROM workers")}
    repeated = await books.marked()
    emails = {row["email"] for row in await books.rows("SELECT email FROM contacts")}
    await books.close()
    living = {await worker.ready() for worker in workers}
    for process in (web, *workers):
        await process.kill()

    assert away == (429, "5")
    assert {status for tried in statuses for status in tried} <= {200, 202, 429}
    assert not problems
    assert emails == {_lead(number)["email"] for number in range(LEADS + 1)}
    assert living == listed
    # Each was cut off, so neither may take the other for dead.
    assert not [line for worker in workers for line in worker.log.splitlines() if "is dead" in line]
    for number in range(LEADS + 1):
        copies = vendor_copies(sandbox, _lead(number)["email"])
        assert (copies["contacts"], copies["tags"]) == (1, 1)
        assert all(copies[name] >= count for name, count in ONCE.items()), copies
    # The workers lived on, so what their vendors had done was not forgotten.
    doubled = sum(len(group) > 1 for vendor in ("slack", "postmark") for group in sandbox.repeated(vendor))
    assert doubled <= len(repeated)


def _lead(number: int) -> dict[str, str]:
    return {"email": f"lead{number}@example.com", "name": f"Lead Number{number}"}


async def _refused(session: aiohttp.ClientSession, port: str) -> tuple[int, str] | None:
    answer = await post(session, port, "website", _lead(0), key=_lead(0)["email"])
    return (answer.status, answer.retry_after) if answer.status not in {200, 202} else None
