"""A person's word on a call of which nobody else could tell whether it had its effect."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.errors import UnsureError
from mainstay.model import AttemptState, Guard
from mainstay.runs.retrying import requeue

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from mainstay.db import Connection


async def answer(
    connection: Connection,
    workspace_id: UUID,
    run_id: UUID,
    *,
    happened: bool,
    deadline: Callable[[str], datetime | None] = lambda _workflow: None,
) -> bool:
    """Let a run that asks go on: the call stands as done, or is made again; False when the run asks nothing.

    ``deadline`` as in :func:`mainstay.runs.requeue`.
    """
    asks = await connection.fetchrow(
        """
        SELECT asked.step, asked.number FROM runs JOIN attempts AS asked
          ON asked.run_id = runs.id AND asked.step = runs.failed_step AND asked.state = 'failed'
        WHERE runs.id = $2 AND runs.workspace_id = $1 AND runs.state = 'failed' AND runs.fate = $3 AND asked.guard = $4
        ORDER BY asked.number DESC LIMIT 1 FOR UPDATE OF runs
        """,
        workspace_id,
        run_id,
        UnsureError.fate,
        Guard.ASKED,
    )
    if asks is None or not await requeue(connection, workspace_id, run_id, deadline=deadline):
        return False
    # After the run went back on the queue, which makes every failure from here on one to be retried.
    await connection.execute(
        "UPDATE attempts SET state = $4, guard = $5 WHERE run_id = $1 AND step = $2 AND number = $3",
        run_id,
        asks["step"],
        asks["number"],
        AttemptState.OK if happened else AttemptState.RETRY,
        Guard.HAPPENED if happened else Guard.ORDERED,
    )
    return True
