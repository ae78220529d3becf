"""Runs that no queue entry would drive: the worker adopts them, and those that fail each time ever later."""

from __future__ import annotations

import time
from typing import Any

from mainstay.model import new_id
from mainstay.sandbox.client import Sandbox
from tests.faults.fleet import ONCE, Books, Fleet, until, vendor_copies
from tests.faults.sender import submit

ADOPTED = "SELECT execution_id FROM runs WHERE id = $1 AND execution_id LIKE 'adopted-%'"


async def test_an_orphan_is_driven_and_one_that_cannot_be_is_left_in_peace(
    fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books
) -> None:
    await submit(dsn, sandbox, email="sarah@example.com", phone="", name="Sarah Johnson")
    (orphan,) = await books.rows("SELECT id, workspace_id FROM runs")
    await books.value("DELETE FROM dbos.workflow_status")
    await books.value("UPDATE runs SET created_at = now() - interval '5 minutes'")
    hopeless = await _hopeless(books, orphan["workspace_id"])
    worker = fleet.start(dsn, heartbeat=0.05)

    async def is_done() -> bool:
        return bool(await books.value("SELECT state = 'done' FROM runs WHERE id = $1", orphan["id"]))

    await until(is_done, "the orphan is driven")
    await until(lambda: _adoptions(books, hopeless, 3), "the hopeless one was tried three times")
    (entry,) = await books.rows(
        """
        SELECT status, delay_until_epoch_ms / 1000.0 - extract(epoch FROM now()) AS delay
        FROM dbos.workflow_status WHERE workflow_uuid = $1
        """,
        await books.value(ADOPTED, hopeless),
    )
    await worker.kill()

    assert entry["status"] == "DELAYED"
    assert 4 < entry["delay"] <= 8


async def test_what_the_queue_gave_and_the_worker_never_got_is_driven(
    fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books
) -> None:
    """PostgreSQL has noted who takes an entry, and dies before it says so."""
    await submit(dsn, sandbox, email="sarah@example.com", phone="", name="Sarah Johnson")
    given = "UPDATE dbos.workflow_status SET status = 'PENDING', executor_id = $1, started_at_epoch_ms = $2"
    await books.value(given, "nobody yet", int(time.time() * 1000))
    worker = fleet.start(dsn)
    await books.value(given, await worker.ready(), int(time.time() * 1000) - 60_000)
    await books.all_done()
    await worker.kill()

    assert "was given to this worker and never came" in worker.log
    assert not await books.problems(sandbox)
    assert vendor_copies(sandbox, "sarah@example.com") == ONCE


async def _hopeless(books: Books, workspace_id: Any) -> Any:
    """A run whose story cannot be read."""
    run_id = new_id()
    await books.value(
        """
        INSERT INTO runs (id, workspace_id, workflow, state, input, execution_id, created_at)
        VALUES ($1, $2, 'journey.v1', 'running', '{}', 'gone', now() - interval '5 minutes')
        """,
        run_id,
        workspace_id,
    )
    await books.value(
        """
        INSERT INTO attempts (workspace_id, run_id, step, number, name, state, exchanges, started_at)
        VALUES ($1, $2, 1, 1, 'chat.post', 'retry', '5', now())
        """,
        workspace_id,
        run_id,
    )
    return run_id


async def _adoptions(books: Books, run_id: Any, times: int) -> bool:
    execution: str = await books.value(ADOPTED, run_id) or ""
    return execution.startswith(f"adopted-{times}-")
