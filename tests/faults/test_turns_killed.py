"""A worker killed between any two writes while runs of one contact take turns: all begin, in order, one by one."""

from __future__ import annotations

import asyncio
from itertools import groupby
from pathlib import Path

from mainstay.sandbox.client import Sandbox
from mainstay.testing.database import Databases
from tests.faults import invariants
from tests.faults.boundaries import Telling, kill_at_each
from tests.faults.fleet import Books, Fleet, until
from tests.faults.sender import submit
from tests.faults.victim import READY

VISITS = 2
NTH = 4
TURNS = Path(__file__).parent / "turns"


async def test_killed_at_every_boundary(fleet: Fleet, sandbox: Sandbox, mainstay_databases: Databases) -> None:
    # Long enough that the one behind looks for its turn while the other has it.
    sandbox.set_fault("slack", "latency", latency_ms=250)
    passes = {"after commit: look for a turn", "before commit: record a run's progress"}

    async def visits(telling: Telling) -> tuple[list[str], list[str]]:
        return await _killed_once(fleet, sandbox, telling)

    await kill_at_each(visits, mainstay_databases, passes=passes, most=NTH, struck=0.7)


async def _killed_once(fleet: Fleet, sandbox: Sandbox, telling: Telling) -> tuple[list[str], list[str]]:
    dsn, email = telling.dsn, f"lead{telling.number}@example.com"
    books = await Books.open(dsn)
    for visit in range(VISITS):
        await submit(dsn, sandbox, stack=TURNS, email=email, company=f"Visit {visit}")
    victim = fleet.start(dsn, stack=str(TURNS), strike=telling.strike, nth=telling.nth)
    survivor = None
    try:
        if telling.strike:
            await until(lambda: _is_over(victim.code, books), f"{telling.strike} or all done", pause=0.05)
        if victim.code is not None:
            await victim.killed()
            survivor = fleet.start(dsn, stack=str(TURNS))
        await books.all_done(deliveries=VISITS)
        problems = [*await _problems(books, sandbox, email), *await invariants.problems(books, sandbox)]
    except AssertionError as error:
        problems = [f"{error}\n{survivor.log if survivor else victim.log}"]
    finally:
        for process in filter(None, (victim, survivor)):
            await process.kill()
        await books.close()
    return problems, [line for line in victim.passed if not line.startswith(READY)]


async def _is_over(code: int | None, books: Books) -> bool:
    return code is not None or await books.value("SELECT count(*) FROM runs WHERE state = 'done'") == 2 * VISITS


async def _problems(books: Books, sandbox: Sandbox, email: str) -> list[str]:
    problems = []
    rows = await books.rows("SELECT id::text, state FROM runs WHERE workflow = 'visit.v1' ORDER BY id")
    if [row["state"] for row in rows] != ["done"] * VISITS:
        problems.append(f"the visits are {rows}")
    messages = await asyncio.to_thread(sandbox.messages, "slack")
    said = [text.split()[:2] for text in (str(each["text"]) for each in messages) if text.endswith(f"about {email}")]
    expected = [[row["id"], word] for row in rows for word in ("begins", "ends")]
    # A post that the kill came after is made once more, at its place.
    if [each for each, _ in groupby(said)] != expected or len(said) > len(expected) + 1:
        problems.append(f"said was {said}")
    return problems
