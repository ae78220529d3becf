"""A worker that no longer reaches the database, though both live: another goes on, and it can finish nothing twice."""

from __future__ import annotations

import asyncio

from mainstay.sandbox.client import Sandbox
from tests.faults.fleet import ONCE, Books, Fleet, until, vendor_copies
from tests.faults.partition import Wire
from tests.faults.sender import submit

SHORT = {"heartbeat": 0.2, "dead_after": 3.0}


async def test_cut_off_while_a_vendor_has_its_call(fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books) -> None:
    async with Wire(dsn).laid() as wire:
        far = fleet.start(wire.dsn, **SHORT)
        await far.ready()
        posting = sandbox.set_fault("slack", "hold")
        await submit(dsn, sandbox, email="sarah@example.com", phone="", name="Sarah Johnson")
        await until(lambda: sandbox.hits(posting), "the post is with its vendor")
        wire.is_whole.clear()
        sandbox.clear(fault=posting)
        near = fleet.start(dsn, **SHORT)
        await books.all_done()
        story = await books.rows("SELECT * FROM attempts ORDER BY run_id, step, number")

        wire.is_whole.set()
        far_id = await far.ready()

        async def is_back() -> bool:
            return bool(await books.value("SELECT TRUE FROM workers WHERE id = $1", far_id))

        await until(is_back, "it is on the list of workers again")
        await near.kill()
        # What it does next is done well.
        await submit(dsn, sandbox, email="omar@example.com", phone="", name="Omar Khan")
        await books.all_done(deliveries=2)
        await far.kill()

    after = await books.rows("SELECT * FROM attempts ORDER BY run_id, step, number")
    assert after[: len(story)] == story
    assert not await books.problems(sandbox)
    for email in ("sarah@example.com", "omar@example.com"):
        assert vendor_copies(sandbox, email) == ONCE
    assert await books.marked() == []


async def test_a_wire_that_flickers_only_delays(fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books) -> None:
    async with Wire(dsn).laid() as wire:
        workers = [fleet.start(each, heartbeat=0.2) for each in (wire.dsn, dsn)]
        for worker in workers:
            await worker.ready()
        for number in range(10):
            await submit(dsn, sandbox, email=f"lead{number}@example.com", phone="", name="Sarah Johnson")
            wire.is_whole.clear()
            await asyncio.sleep(0.3)
            wire.is_whole.set()
        await books.all_done(deliveries=10)
        for worker in workers:
            assert worker.code is None, worker.log
            await worker.kill()
    assert not await books.problems(sandbox)
    for number in range(10):
        assert vendor_copies(sandbox, f"lead{number}@example.com") == ONCE
