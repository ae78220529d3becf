"""Runs that a caller waits for: its own process drives them first, and the queue stands behind it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.model import RunState, new_id

if TYPE_CHECKING:
    from mainstay.db import Connection, Row

GRACE = timedelta(seconds=5)
"""How long after the caller's deadline the queue takes over: a step that is under way may come to its end till then."""

_OPEN = {RunState.QUEUED, RunState.RUNNING, RunState.WAITING}
_COLUMNS = "id, workflow, state, contact_id, result, error, waiting_for, wake_at, created_at, finished_at"


@dataclass(frozen=True, slots=True)
class RunResult:
    """A run as its caller hears of it. ``result`` is what the workflow returned, once ``state`` is ``done``."""

    id: UUID
    workflow: str
    state: RunState
    contact_id: UUID | None
    result: Any
    error: str
    waiting_for: str
    wake_at: Any
    created_at: Any
    finished_at: Any

    @property
    def is_open(self) -> bool:
        """Tell whether it will go on."""
        return self.state in _OPEN


async def enqueue_behind(connection: Connection, executions: Sequence[tuple[str, timedelta]]) -> None:
    """Put executions on the queue that this process drives first, each within a time that its caller waits."""
    await connection.executemany(
        "SELECT enqueue_execution($1, now() + $2::interval)",
        [(execution_id, within + GRACE) for execution_id, within in executions],
    )


async def hasten(connection: Connection, execution_id: str) -> None:
    """Let the queue have at once what nobody has begun of an execution that stands behind."""
    now = str(new_id())
    moved = await connection.fetch(
        "UPDATE runs SET execution_id = $2 WHERE execution_id = $1 AND state = 'queued' RETURNING lane",
        execution_id,
        now,
    )
    if moved:
        await connection.execute("SELECT enqueue_execution($1, NULL, $2)", now, moved[0]["lane"])


async def result_of_run(connection: Connection, workspace_id: UUID, run_id: UUID) -> RunResult | None:
    """Return how a run stands; None where there is no such run."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM runs WHERE id = $1 AND workspace_id = $2",  # noqa: S608 - of this file
        run_id,
        workspace_id,
    )
    return _result(row) if row else None


async def results_of_delivery(
    connection: Connection, workspace_id: UUID, delivery_id: UUID, workflows: Collection[str]
) -> list[RunResult]:
    """Return how the runs of these workflows stand that a delivery began, in their order."""
    rows = await connection.fetch(
        f"""
        SELECT {_COLUMNS} FROM runs WHERE delivery_id = $1 AND workspace_id = $2 AND workflow = ANY($3)
        ORDER BY id LIMIT 20
        """,  # noqa: S608 - of this file
        delivery_id,
        workspace_id,
        list(workflows),
    )
    return [_result(row) for row in rows]


async def is_same_body(connection: Connection, workspace_id: UUID, delivery_id: UUID, body: bytes) -> bool:
    """Tell whether a delivery came with this body: its key alone could be guessed by somebody else."""
    found: bool | None = await connection.fetchval(
        "SELECT body = $3 FROM deliveries WHERE id = $1 AND workspace_id = $2", delivery_id, workspace_id, body
    )
    return bool(found)


def _result(row: Row) -> RunResult:
    return RunResult(**{**dict(row), "state": RunState(row["state"])})
