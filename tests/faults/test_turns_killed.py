"""A worker killed between any two writes while runs of one contact take turns: all begin, in order, one by one."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import groupby
from pathlib import Path

from mainstay.sandbox.client import Sandbox
from mainstay.testing.database import fresh_database
from tests.faults.fleet import Books, Fleet, until
from tests.faults.sender import submit
from tests.faults.victim import READY, STRUCK

AT_ONCE = 3
VISITS = 2
NTH = 4
TURNS = Path(__file__).parent / "turns"


async def test_killed_at_every_boundary(
    fleet: Fleet, sandbox: Sandbox, mainstay_server: str, mainstay_template: str
) -> None:
    # Long enough that the one behind looks for its turn while the other has it.
    sandbox.set_fault("slack", "latency", latency_ms=250)
    places = asyncio.Semaphore(AT_ONCE)

    async def visits(number: int, strike: str, nth: int) -> tuple[list[str], list[str]]:
        async with places:
            with fresh_database(mainstay_server, mainstay_template) as dsn:
                return await _killed_once(fleet, sandbox, dsn, f"lead{number}@example.com", strike=strike, nth=nth)

    problems, passed = await visits(0, "", 0)
    assert not problems
    boundaries = [(name, nth + 1) for name, count in Counter(passed).items() for nth in range(min(count, NTH))]
    assert {"after commit: look for a turn", "before commit: record a run's progress"} <= set(passed)

    outcomes = await asyncio.gather(*(visits(number, name, nth) for number, (name, nth) in enumerate(boundaries, 1)))

    assert not (found := [problem for problems, _ in outcomes for problem in problems]), "\n".join(found)
    struck = sum(STRUCK in passed for _, passed in outcomes)
    assert struck >= 0.7 * len(boundaries), struck


async def _killed_once(
    fleet: Fleet, sandbox: Sandbox, dsn: str, email: str, *, strike: str, nth: int
) -> tuple[list[str], list[str]]:
    """Return what was wrong, and the boundaries passed until the kill."""
    books = await Books.open(dsn)
    for visit in range(VISITS):
        await submit(dsn, sandbox, stack=TURNS, email=email, company=f"Visit {visit}")
    victim = fleet.start(dsn, stack=str(TURNS), strike=strike, nth=nth)
    survivor = None
    try:
        if strike:
            await until(lambda: _is_over(victim.code, books), f"{strike} or all done", pause=0.05)
        if victim.code is not None:
            await victim.killed()
            survivor = fleet.start(dsn, stack=str(TURNS))
        await books.all_done(deliveries=VISITS)
        problems = await _problems(books, sandbox, email)
    except AssertionError as error:
        problems = [f"{error}\n{survivor.log if survivor else victim.log}"]
    finally:
        for process in filter(None, (victim, survivor)):
            await process.kill()
        await books.close()
    passed = [line for line in victim.passed if not line.startswith(READY)]
    return [f"killed at {strike} ({nth}): {problem}" for problem in problems], passed


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
