"""A worker killed by SIGKILL at every boundary of a lead's journey: all is done in the end, and nothing is doubled."""

from __future__ import annotations

import asyncio
import signal
import time

import pytest

from mainstay.sandbox.client import Sandbox
from mainstay.testing.database import Databases
from tests.faults.boundaries import Telling, kill_at_each
from tests.faults.fleet import HANGS_SECONDS, ONCE, POST, UNKEYED, Books, Fleet, Process, until, vendor_copies
from tests.faults.sender import submit
from tests.faults.victim import READY

# A push that outlasts the workflow's short wait for it makes the workflow park until the contact is there; what is new
# then are the commits around parking and waking.
PACES = {"a quick CRM": "", "a slow CRM": "after commit"}


@pytest.mark.parametrize("pace", PACES)
async def test_killed_at_every_boundary(
    pace: str, fleet: Fleet, sandbox: Sandbox, mainstay_databases: Databases
) -> None:
    kind, is_slow = PACES[pace], pace == "a slow CRM"
    passes = {POST, "after commit: process deliveries", "before commit: record a run's progress"}

    async def journey(telling: Telling) -> tuple[list[str], list[str]]:
        email = f"{pace.split()[1]}{telling.number}@example.com"
        return await _killed_once(fleet, sandbox, telling, email, is_slow=is_slow)

    await kill_at_each(journey, mainstay_databases, passes=passes, kind=kind, fewest=20, of_each=True)


async def _killed_once(
    fleet: Fleet, sandbox: Sandbox, telling: Telling, email: str, *, is_slow: bool
) -> tuple[list[str], list[str]]:
    dsn, strike = telling.dsn, telling.strike
    local_wait = 0.02 if is_slow else HANGS_SECONDS
    books = await Books.open(dsn)
    victim = fleet.start(dsn, strike=strike, nth=telling.nth, local_wait=local_wait)
    survivor = None
    holding = asyncio.create_task(_hold_the_push(sandbox, dsn, email, victim)) if is_slow else None
    try:
        await victim.ready()
        await submit(dsn, sandbox, email=email, phone="", name="Sarah Johnson")
        if strike:
            over = f"{strike} or through"
            await until(lambda: victim.code is not None or _is_through(victim.passed), over, pause=0.05)
        swallowed: set[str] = set()
        if victim.code is not None:
            await victim.killed()
            swallowed = await _swallowed(sandbox, books, email)
            survivor = fleet.start(dsn, local_wait=local_wait)
        await books.all_done()
        copies, marked = vendor_copies(sandbox, email), await books.marked()
        problems = await books.problems(sandbox)
        if await books.value("SELECT count(*) FROM contacts") != 1:
            problems.append("there is not one contact")
        # Where the kill fell between the vendor's success and our record, the vendor was asked: nothing is there twice.
        if copies != ONCE:
            problems.append(f"the vendors hold {copies}, not {ONCE}")
        if marked or not swallowed.issubset(found := await books.found()):
            problems.append(f"marked are {marked}; found {found}, of what was swallowed: {swallowed}")
    except AssertionError as error:
        problems = [f"{error}\n{survivor.log if survivor else victim.log}"]
    finally:
        for process in filter(None, (victim, survivor)):
            await process.kill()
        if holding is not None:
            await holding
        await books.close()
    return problems, [line for line in victim.passed if not line.startswith(READY)]


async def _hold_the_push(sandbox: Sandbox, dsn: str, email: str, victim: Process) -> None:
    """Let the CRM keep its answer until the workflow no longer waits for it in the worker, or the worker is gone."""
    fault = sandbox.set_fault("gohighlevel", "hold", path="/contacts/upsert", contains=email)
    books = await Books.open(dsn)
    parked = "SELECT EXISTS (SELECT FROM waits WHERE event_type = 'contact.pushed')"

    async def is_over() -> bool:
        return victim.code is not None or bool(await books.value(parked))

    try:
        await until(is_over, "the workflow waits for its contact")
    finally:
        sandbox.clear(fault=fault)
        await books.close()


async def _swallowed(sandbox: Sandbox, books: Books, email: str) -> set[str]:
    """Return the steps without a key that a vendor has done and our books do not have."""
    recorded = {row["name"] for row in await books.rows("SELECT name FROM attempts WHERE state = 'ok'")}
    done = {name for name, count in vendor_copies(sandbox, email).items() if count}
    return (done & set(UNKEYED)) - recorded


def _is_through(passed: list[str]) -> bool:
    return any("/notes" in line for line in passed[:-3])


async def test_a_dead_worker_of_this_host_is_noticed_at_the_next_heartbeat(
    fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books
) -> None:
    victim = fleet.start(dsn, strike=POST, action="hold")
    await victim.ready()
    await submit(dsn, sandbox, email="sarah@example.com", phone="", name="Sarah Johnson")
    await victim.struck()
    survivor = fleet.start(dsn, heartbeat=2.0, dead_after=60.0)
    victim_id = await victim.ready()
    await survivor.ready()

    victim.send(signal.SIGKILL)
    killed = time.monotonic()

    async def is_gone() -> bool:
        return not await books.rows("SELECT FROM workers WHERE id = $1", victim_id)

    await until(is_gone, "the dead worker's runs are taken over")
    took = time.monotonic() - killed
    await books.all_done()
    await survivor.kill()

    # By its silence it would be known after this long; that it is gone, at the next look.
    assert took < survivor.orders.dead_after, took
    assert not await books.problems(sandbox)
    assert vendor_copies(sandbox, "sarah@example.com") == ONCE
    assert (await books.marked(), await books.found()) == ([], ["chat.post"])
