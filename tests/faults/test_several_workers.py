"""Several workers: one leaves in the middle of its work, one is paused among others; nothing is lost or done twice."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable
from typing import Any

import pytest

from mainstay.sandbox.client import Sandbox
from tests.faults.fleet import ONCE, PUSH, Books, Fleet, until, vendor_copies
from tests.faults.sender import submit
from tests.faults.victim import TAKE

# Look-ups are trusted late: what a vendor has in hand when a worker is paused must be there when it is asked.
SHORT: dict[str, Any] = {"heartbeat": 0.2, "dead_after": 1.0, "lookup_after": 2.0}
PAUSES = "SELECT polling_interval_sec FROM dbos.queues WHERE name = 'executions'"


async def test_a_worker_that_is_told_to_leave_ends_what_is_under_way(
    fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books
) -> None:
    held = sandbox.set_fault("slack", "hold")
    leaving = fleet.start(dsn)
    leaving_id = await leaving.ready()
    await submit(dsn, sandbox, email="sarah@example.com", phone="", name="Sarah Johnson")
    await until(lambda: sandbox.hits(held), "the call is with the vendor")
    leaving.send(signal.SIGTERM)
    # It takes no more: this one is left to others.
    await submit(dsn, sandbox, email="omar@example.com", phone="", name="Omar Khan")
    assert leaving.code is None
    sandbox.clear("slack")

    assert await leaving.ended() == 0, leaving.log
    assert not await books.rows("SELECT FROM workers WHERE id = $1", leaving_id)
    assert not await books.rows("SELECT FROM runs WHERE state = 'running'")
    states = await books.rows("SELECT state FROM attempts WHERE name = 'chat.post'")
    assert [row["state"] for row in states] == ["ok"]
    successor = fleet.start(dsn)
    await books.all_done(deliveries=2)
    await successor.kill()

    assert not await books.problems(sandbox)
    assert vendor_copies(sandbox, "sarah@example.com") == vendor_copies(sandbox, "omar@example.com") == ONCE
    # Nothing was in doubt: nobody had to ask a vendor what had happened.
    assert (await books.marked(), await books.found()) == ([], [])


@pytest.mark.parametrize("nth", [1, 5])
async def test_one_of_several_that_is_paused_finishes_nothing_twice(
    fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books, nth: int
) -> None:
    emails = [f"lead{number}@example.com" for number in range(12)]
    paused = fleet.start(dsn, strike=PUSH, nth=nth, action="stop", **SHORT)
    await paused.ready()
    leads: list[Awaitable[Any]] = [submit(dsn, sandbox, email=each, phone="", name="Some One") for each in emails]
    await asyncio.gather(*leads)
    await paused.struck()
    others = [fleet.start(dsn, **SHORT) for _ in range(3)]
    await books.all_done(deliveries=len(emails), seconds=60)
    before = await books.rows("SELECT * FROM attempts ORDER BY run_id, step, number")

    paused.send(signal.SIGCONT)
    await until(lambda: "is no longer this worker's" in paused.log, "it is fenced off")
    paused_id = await paused.ready()
    await until(lambda: books.rows("SELECT FROM workers WHERE id = $1", paused_id), "it is on the list again")
    for worker in (*others, paused):
        await worker.kill()

    assert await books.rows("SELECT * FROM attempts ORDER BY run_id, step, number") == before
    assert not await books.problems(sandbox)
    assert {each: vendor_copies(sandbox, each) for each in emails} == dict.fromkeys(emails, ONCE)


async def test_one_that_is_paused_while_it_takes_from_the_queue_keeps_nothing_to_itself(
    fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books
) -> None:
    paused = fleet.start(dsn, strike=TAKE, action="stop", **SHORT)
    await paused.ready()
    await submit(dsn, sandbox, email="sarah@example.com", phone="", name="Sarah Johnson")
    await paused.struck()
    other = fleet.start(dsn, **SHORT)

    await books.all_done(seconds=40)
    paused.send(signal.SIGCONT)
    for worker in (other, paused):
        await worker.kill()

    assert not await books.problems(sandbox)
    assert vendor_copies(sandbox, "sarah@example.com") == ONCE


async def test_the_more_workers_the_seldomer_each_looks(fleet: Fleet, dsn: str, books: Books) -> None:
    workers = [fleet.start(dsn, heartbeat=0.1) for _ in range(5)]

    async def pause() -> Any:
        return await books.value(PAUSES)

    async def is_slow() -> bool:
        return bool(await pause() == pytest.approx(0.125))

    async def is_quick() -> bool:
        return bool(await pause() == pytest.approx(0.05))

    await until(is_slow, "five share the looking")
    for worker in workers[1:]:
        await worker.kill()
    await until(is_quick, "one that is left looks for itself")
    await workers[0].kill()
