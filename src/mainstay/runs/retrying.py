"""SQL of retries by hand: a run that has ended goes on from the step that failed, or begins again at an earlier one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.model import Lane, new_id
from mainstay.runs.turns import Line, begin_next

if TYPE_CHECKING:
    from mainstay.db import Connection

Deadline = Callable[[str], datetime | None]


@dataclass(frozen=True, slots=True)
class Again:
    """How a run is retried.

    Attributes:
        from_step: the step that it begins again at, 1 for the start: it and all that follows are done anew. None: it
            goes on from the step that failed, if it failed; what is finished stands.
        given: its input from now on; None: the one it has.
        lane: the lane that it goes on in; None: the one it has.
        by: who has it retried.
        bulk_id: the bulk retry that it belongs to.
        is_watched: the bulk retry waits to see how it goes.
    """

    from_step: int | None = None
    given: Mapping[str, Any] | None = None
    lane: Lane | None = None
    by: str = ""
    bulk_id: UUID | None = None
    is_watched: bool = False


def _no_deadline(_workflow: str) -> None:
    return None


async def requeue(
    connection: Connection,
    workspace_id: UUID,
    run_id: UUID,
    *,
    again: Again = Again(),
    deadline: Deadline = _no_deadline,
) -> bool:
    """Put a run that has ended back on the queue; False when there is nothing to retry, in the caller's transaction.

    From the step that failed: only a failed run. A failure that the workflow caught, and went on from, stands. What it
    did about the failure that ended it is set aside: the step that failed may do better now, and then none of that
    follows. With another input the step that failed is done anew too: it is another call.

    While another run of its key has the turn, it waits behind. ``deadline`` gives the new one of a workflow's run that
    had one.
    """
    execution_id = str(new_id())
    found = await connection.fetchrow(
        """
        UPDATE runs SET state = CASE WHEN key = '' THEN 'queued' ELSE 'waiting' END, is_behind = key <> '',
               is_beside = false, waiting_for = CASE WHEN key = '' THEN '' ELSE 'its turn' END, wake_at = NULL,
               execution_id = $3, retries = runs.retries + 1, error = '', fate = '', failed_step = NULL, result = NULL,
               finished_at = NULL, handled_at = NULL, deaths = 0, input = coalesce($5, runs.input),
               lane = coalesce($6, lane)
        FROM (SELECT id, failed_step, input FROM runs
              WHERE id = $2 AND workspace_id = $1
                AND (state = 'failed' OR $4 AND state IN ('done', 'cancelled') AND input <> '{}')
              FOR UPDATE) AS before
        WHERE runs.id = before.id
        RETURNING before.failed_step, before.input AS input_before, workflow, key, deadline_at, lane
        """,
        workspace_id,
        run_id,
        execution_id,
        again.from_step is not None,
        again.given,
        again.lane,
    )
    if found is None:
        return False
    failed, from_step = found["failed_step"], again.from_step
    if from_step is None and again.given is not None:
        from_step = failed
    # With the same input the step that failed is tried again: what it may have done before stays in doubt.
    if from_step is None or (from_step == failed and again.given is None):
        await _try_again(connection, run_id, failed)
    else:
        await _set_aside(connection, run_id, from_step)
    if found["deadline_at"] is not None:
        await connection.execute("UPDATE runs SET deadline_at = $2 WHERE id = $1", run_id, deadline(found["workflow"]))
    await connection.execute(
        """
        INSERT INTO hand_retries (id, workspace_id, run_id, bulk_id, at, by, from_step, input_before, is_open)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        new_id(),
        workspace_id,
        run_id,
        again.bulk_id,
        datetime.now(UTC),
        again.by,
        from_step or failed,
        found["input_before"] if again.given is not None else None,
        again.is_watched,
    )
    if found["key"]:
        await begin_next(connection, Line(workspace_id, found["workflow"], found["key"]))
    else:
        await connection.execute("SELECT enqueue_execution($1, NULL, $2)", execution_id, found["lane"])
    return True


async def _try_again(connection: Connection, run_id: UUID, failed: int | None) -> None:
    """Let the step that failed, and those beside it, be tried again; what was done about it is set aside."""
    if failed is None:
        return
    asked = await connection.fetchval(
        "SELECT max(asked) FROM attempts WHERE run_id = $1 AND step = $2 AND state = 'failed'", run_id, failed
    )
    last = max(asked or 0, failed)
    await connection.execute(
        """
        UPDATE attempts SET state = CASE WHEN step > $3 THEN state ELSE 'retry' END, is_set_aside = step > $3,
               next_at = NULL
        WHERE run_id = $1 AND NOT is_set_aside AND (step > $3 OR state = 'failed' AND (step >= $2 OR asked >= $2))
        """,
        run_id,
        failed,
        last,
    )
    await connection.execute("DELETE FROM waits WHERE run_id = $1 AND step > $2", run_id, last)


async def _set_aside(connection: Connection, run_id: UUID, from_step: int) -> None:
    """Take a step and all that follow as never begun, and with them what had failed beside it."""
    await connection.execute(
        """
        UPDATE attempts SET is_set_aside = true, next_at = NULL
        WHERE run_id = $1 AND NOT is_set_aside AND (step >= $2 OR state = 'failed' AND asked >= $2)
        """,
        run_id,
        from_step,
    )
    await connection.execute("DELETE FROM waits WHERE run_id = $1 AND step >= $2", run_id, from_step)
    # What these steps had other runs do is done anew too, by new ones.
    await connection.execute(
        "UPDATE runs SET parent_step = NULL WHERE parent_id = $1 AND parent_step >= $2", run_id, from_step
    )
