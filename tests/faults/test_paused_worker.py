"""A worker that is paused, taken for dead, and goes on: it records nothing, and is a worker like any other again."""

from __future__ import annotations

import signal

import pytest

from mainstay.sandbox.client import Sandbox
from tests.faults.fleet import MAIL, ONCE, POST, PUSH, Books, Fleet, until, vendor_copies
from tests.faults.sender import submit

SHORT = {"heartbeat": 0.2, "dead_after": 1.0}


async def test_a_paused_worker_records_nothing_of_what_was_taken_over(
    fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books
) -> None:
    email = "sarah@example.com"
    push, post = sandbox.set_fault("gohighlevel", "hold", path="/contacts/upsert"), sandbox.set_fault("slack", "hold")
    paused = fleet.start(dsn, strike=PUSH, action="stop", **SHORT)
    await paused.ready()
    await submit(dsn, sandbox, email=email, phone="", name="Sarah Johnson")
    await until(lambda: sandbox.hits(push) and sandbox.hits(post), "the push and the post are with their vendors")
    sandbox.clear(fault=push)
    await paused.struck()
    sandbox.clear(fault=post)
    survivor = fleet.start(dsn, **SHORT)
    await books.all_done()
    before = await books.rows("SELECT * FROM attempts ORDER BY run_id, step, number")

    paused.send(signal.SIGCONT)
    await until(lambda: "is no longer this worker's" in paused.log, "it is fenced off")
    worker_id = await paused.ready()
    await until(lambda: _is_listed(books, worker_id), "it is on the list of workers again")
    await survivor.kill()

    assert await books.rows("SELECT * FROM attempts ORDER BY run_id, step, number") == before
    assert not await books.problems(sandbox)
    copies = vendor_copies(sandbox, email)
    # The post was on its way beside the push: it was looked for, and not made again.
    assert copies == ONCE
    assert (await books.marked(), await books.found()) == ([], ["chat.post"])

    # It works again, and when it dies its runs are taken over as anybody's are.
    await paused.kill()
    victim = fleet.start(dsn, strike=MAIL, action="stop", **SHORT)
    await victim.ready()
    await submit(dsn, sandbox, email="omar@example.com", phone="", name="Omar Khan")
    await victim.struck()
    # Nobody else works: it is the first to see that the list has forgotten it.
    await books.value("DELETE FROM workers")
    victim.send(signal.SIGCONT)
    victim_id = await victim.ready()
    await until(lambda: _is_listed(books, victim_id), "it has put itself on the list")
    await books.all_done(deliveries=2)
    await victim.kill()
    assert not await books.problems(sandbox)
    assert vendor_copies(sandbox, "omar@example.com") == ONCE


async def test_a_worker_paused_right_before_a_call_does_not_make_it(
    fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books
) -> None:
    paused = fleet.start(dsn, strike="ask: POST /chat.postMessage", action="stop", **SHORT)
    await paused.ready()
    await submit(dsn, sandbox, email="sarah@example.com", phone="", name="Sarah Johnson")
    await paused.struck()
    survivor = fleet.start(dsn, **SHORT)
    await books.all_done()

    paused.send(signal.SIGCONT)
    await until(lambda: "is no longer this worker's" in paused.log, "it is fenced off")
    await survivor.kill()
    await paused.kill()

    assert not await books.problems(sandbox)
    assert vendor_copies(sandbox, "sarah@example.com") == ONCE


@pytest.mark.parametrize("write", ["process deliveries", "note pushes", "record a run's progress"])
async def test_a_worker_paused_in_a_transaction_holds_nobody_up(
    write: str, fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books
) -> None:
    email = "sarah@example.com"
    paused = fleet.start(dsn, strike=f"before commit: {write}", action="stop", **SHORT)
    await paused.ready()
    await submit(dsn, sandbox, email=email, phone="", name="Sarah Johnson")
    await paused.struck()
    survivor = fleet.start(dsn, **SHORT)
    await books.all_done()
    story = await books.rows("SELECT * FROM attempts ORDER BY run_id, step, number")

    paused.send(signal.SIGCONT)
    worker_id = await paused.ready()
    await until(lambda: _is_listed(books, worker_id), "it is on the list of workers again")
    # What it does next is done well: nothing of its broken transaction is left in it.
    await survivor.kill()
    await submit(dsn, sandbox, email="omar@example.com", phone="", name="Omar Khan")
    await books.all_done(deliveries=2)
    await paused.kill()

    assert not await books.problems(sandbox)
    own = await books.rows("SELECT * FROM attempts ORDER BY run_id, step, number")
    assert own[: len(story)] == story
    assert vendor_copies(sandbox, "omar@example.com") == ONCE
    copies = vendor_copies(sandbox, email)
    assert (copies["contacts"], copies["tags"]) == (1, 1)
    assert sum(copies.values()) - sum(ONCE.values()) == len(await books.marked())


async def test_runs_of_a_worker_that_is_on_no_list_are_taken_over(
    fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books
) -> None:
    victim = fleet.start(dsn, strike=POST, **SHORT)
    await victim.ready()
    await submit(dsn, sandbox, email="sarah@example.com", phone="", name="Sarah Johnson")
    await victim.killed()
    await books.value("DELETE FROM workers")

    survivor = fleet.start(dsn, **SHORT)
    await books.all_done()
    await survivor.kill()

    assert not await books.problems(sandbox)
    assert vendor_copies(sandbox, "sarah@example.com") == ONCE
    assert (await books.marked(), await books.found()) == ([], ["chat.post"])


async def _is_listed(books: Books, worker_id: str) -> bool:
    return bool(await books.value("SELECT count(*) FROM workers WHERE id = $1", worker_id))
