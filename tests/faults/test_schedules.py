"""Several workers, killed in turn: each tick of a schedule is one run; each child of a fan-out ends, and once."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from mainstay.sandbox.client import Sandbox
from tests.faults import invariants
from tests.faults.fleet import Books, Fleet, until
from tests.faults.sender import submit

CLOCK = Path(__file__).parent / "clock"


async def test_each_tick_is_one_run_whoever_dies(fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books) -> None:
    workers = [fleet.start(dsn, stack=str(CLOCK)) for _ in range(3)]
    for worker in workers:
        await worker.ready()

    async def fired(count: int) -> bool:
        found: int = await books.value("SELECT count(*) FROM runs WHERE workflow = 'second.v1' AND state = 'done'")
        return found >= count

    for place, worker in enumerate(workers[:3]):
        await until(partial(fired, 4 * (place + 1)), "ticks fire")
        await worker.kill()
        if place == 1:
            workers.append(fleet.start(dsn, stack=str(CLOCK)))
            await workers[-1].ready()
    await until(partial(fired, 20), "ticks fire after all of the first have died")
    await workers[-1].kill()

    rows = await books.rows("SELECT id, input FROM runs WHERE workflow = 'second.v1' ORDER BY id")
    ticks = [datetime.fromisoformat(row["input"]["tick"]["at"]) for row in rows]
    assert {later - earlier for earlier, later in pairwise(ticks)} == {timedelta(seconds=1)}
    before = [row["input"]["tick"]["previous"] for row in rows]
    assert [None, *(tick.isoformat() for tick in ticks[:-1])] == before
    assert not await invariants.problems(books, sandbox, but=["second.v1"])


async def test_a_fan_out_whose_drivers_are_killed_ends_each_child_once(
    fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books
) -> None:
    orders: dict[str, Any] = {"stack": str(CLOCK), "strike": "after commit: record a run's progress", "nth": 25}
    victims = [fleet.start(dsn, **orders) for _ in range(2)]
    for victim in victims:
        await victim.ready()
    await submit(dsn, sandbox, stack=CLOCK, email="sarah@example.com")
    for victim in victims:
        await victim.ended()
    survivor = fleet.start(dsn, stack=str(CLOCK))
    most = 0

    async def is_done() -> bool:
        nonlocal most
        under_way = await books.value(
            """
            SELECT count(*) FROM runs WHERE workflow = 'child.v1' AND state IN ('queued', 'running', 'waiting')
              AND waiting_for <> 'its place'
            """
        )
        most = max(most, under_way)
        found: bool = await books.value("SELECT bool_and(state = 'done') FROM runs WHERE workflow = 'parent.v1'")
        return found

    await until(is_done, "the parent is done")
    await survivor.kill()
    rows = await books.rows("SELECT place, result, state FROM runs WHERE workflow = 'child.v1' ORDER BY place")
    assert [(row["place"], row["result"], row["state"]) for row in rows] == [(n, 2 * n, "done") for n in range(400)]
    assert await books.value("SELECT result FROM runs WHERE workflow = 'parent.v1'") == 2 * sum(range(400))
    assert most <= 20
    assert not await invariants.problems(books, sandbox, but=["second.v1"])
