"""A web process killed while a sender waits for a sync workflow: the queue finishes the run, once."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import aiohttp
import pytest

from mainstay.sandbox.client import Sandbox
from tests.faults import invariants
from tests.faults.fleet import Books, Fleet

SYNC = str(Path(__file__).parent / "sync")
FIELDS = {"email": "sarah@example.com", "name": "Sarah Johnson"}
STRIKES = [
    ("before commit: keep a delivery", 1),
    ("after commit: keep a delivery", 1),
    ("after commit: claim an execution", 1),
    ("before commit: process deliveries", 1),
    ("after commit: process deliveries", 1),
    ("before commit: record a run's progress", 1),
    ("after commit: record a run's progress", 1),
    ("before commit: record a run's progress", 2),
    ("after commit: record a run's progress", 2),
    ("before commit: record a run's progress", 3),
    ("after commit: record a run's progress", 3),
]


async def send(port: str, session: aiohttp.ClientSession) -> tuple[int, dict[str, object]]:
    url = f"http://127.0.0.1:{port}/in/acme/website"
    async with session.post(url, data=FIELDS, headers={"idempotency-key": "d-1"}) as response:
        return response.status, await response.json(content_type=None)


async def require_once(books: Books, sandbox: Sandbox) -> None:
    """Check that each thing has happened once, whoever did it."""
    await books.all_done()
    assert await books.value("SELECT count(*) FROM deliveries") == 1
    runs = await books.rows("SELECT workflow, state, result FROM runs WHERE workflow <> 'inbound.v1' ORDER BY workflow")
    assert [(row["workflow"], row["state"]) for row in runs] == [("quote.v1", "done"), ("tell.v1", "done")]
    assert runs[0]["result"] == {"price": 4000, "for": "sarah@example.com"}
    steps = await books.rows(
        "SELECT attempts.* FROM attempts JOIN runs ON id = run_id WHERE workflow = 'quote.v1' ORDER BY step, number"
    )
    assert [(row["step"], row["name"], row["state"]) for row in steps] == [
        (1, "price", "ok"),
        (2, "crm.add_tag", "ok"),
        (3, "crm.add_note", "ok"),
    ]
    assert sum(str(each["text"]).endswith("sarah@example.com") for each in sandbox.messages("slack")) == 1
    assert not await invariants.problems(books, sandbox)


@pytest.mark.parametrize(("strike", "nth"), STRIKES)
async def test_killed_while_the_sender_waits(
    strike: str, nth: int, fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books
) -> None:
    victim = fleet.start(dsn, kind="web", stack=SYNC, strike=strike, nth=nth)
    port = await victim.ready()
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError):
            await send(port, session)
        await victim.killed()
        # What stands behind the dead process's drive is due in 25 s; nobody need wait so long here.
        await books.value("UPDATE dbos.workflow_status SET delay_until_epoch_ms = 0 WHERE status = 'DELAYED'")
        worker = fleet.start(dsn, stack=SYNC)
        await worker.ready()
        successor = fleet.start(dsn, kind="web", stack=SYNC)
        status, said = await send(await successor.ready(), session)
    await require_once(books, sandbox)
    await worker.kill()
    await successor.kill()

    # Sent again, it is the same delivery; its sender hears the result that the queue came to.
    assert (status, said["result"]) == (200, {"price": 4000, "for": "sarah@example.com"})


async def test_answered_and_then_killed(fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books) -> None:
    web = fleet.start(dsn, kind="web", stack=SYNC)
    port = await web.ready()
    async with aiohttp.ClientSession() as session:
        status, said = await send(port, session)
    await web.kill()
    worker = fleet.start(dsn, stack=SYNC)
    await require_once(books, sandbox)
    await worker.kill()

    assert (status, said["state"], said["result"]) == (200, "answered", {"price": 4000, "for": "sarah@example.com"})


async def test_paused_in_the_middle_it_can_finish_nothing_twice(
    fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books
) -> None:
    web = fleet.start(dsn, kind="web", stack=SYNC, strike="after commit: record a run's progress", nth=1, action="stop")
    port = await web.ready()
    async with aiohttp.ClientSession() as session:
        request = asyncio.create_task(send(port, session))
        await web.struck()
        await books.value("UPDATE dbos.workflow_status SET delay_until_epoch_ms = 0 WHERE status = 'DELAYED'")
        worker = fleet.start(dsn, stack=SYNC)
        await require_once(books, sandbox)
        web.send(signal.SIGCONT)
        status, _ = await request
        assert status in {200, 202}
    await require_once(books, sandbox)
    await web.kill()
    await worker.kill()
