"""An event comes in the instants in which a wait is being recorded, and the worker dies before it looks again."""

from __future__ import annotations

import asyncio
from pathlib import Path

from mainstay.model import new_id
from mainstay.sandbox.client import Sandbox
from tests.faults import invariants
from tests.faults.fleet import Books, Fleet, until
from tests.faults.sender import submit

WAITING = Path(__file__).parent / "waiting"
SETTLED = "after commit: record a run's progress"


async def test_the_run_hears_it_all_the_same(fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books) -> None:
    posting = sandbox.set_fault("slack", "hold")
    victim = fleet.start(dsn, stack=str(WAITING), strike=SETTLED)
    await victim.ready()
    await submit(dsn, sandbox, stack=WAITING, email="sarah@example.com")
    await until(lambda: sandbox.hits(posting), "the post is with its vendor")
    run = await until(lambda: _run(books), "the workflow has begun")

    async with books.held(run["id"]):
        sandbox.clear(fault=posting)
        await until(books.is_blocking, "the wait is about to be recorded")
        await books.value(
            """
            INSERT INTO events (id, workspace_id, type, contact_id, source, data, at)
            VALUES ($1, $2, 'message.received', $3, 'texts', '{"text": "yes"}', now())
            """,
            new_id(),
            run["workspace_id"],
            run["contact_id"],
        )
    await victim.killed()
    assert await books.value("SELECT state FROM runs WHERE id = $1", run["id"]) == "waiting"
    survivor = fleet.start(dsn, stack=str(WAITING))
    await books.all_done()
    await survivor.kill()

    texts = [message["text"] for message in await asyncio.to_thread(sandbox.messages, "slack")]
    assert texts == ["New lead: sarah@example.com", "heard yes"]
    assert not await invariants.problems(books, sandbox)


async def _run(books: Books) -> dict[str, object] | None:
    rows = await books.rows("SELECT * FROM runs WHERE workflow = 'answer.v1' AND state = 'running'")
    return rows[0] if rows else None
