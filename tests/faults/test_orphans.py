"""Runs that no queue entry would drive: the worker adopts them, and those that fail each time ever later."""

from __future__ import annotations

from typing import Any

from mainstay.model import new_id
from mainstay.sandbox.client import Sandbox
from tests.faults.fleet import Books, Fleet, until
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
