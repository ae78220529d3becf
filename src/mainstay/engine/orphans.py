"""Runs that no queue entry will ever drive: found page by page, and enqueued again. The net under everything else."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.db import acquire
from mainstay.model import new_id

if TYPE_CHECKING:
    from mainstay.db import Pool

log = logging.getLogger(__name__)

_PAGE = 2000
_ADOPTED = re.compile(r"adopted-(\d+)-")
_LONGEST_SECONDS = 3600.0
_START = ("", UUID(int=0))

# By a scalar subquery, which is looked up row by row: of EXISTS a planner may make a hash of the whole queue.
_IS_LOST = """
    (runs.state <> 'waiting' OR runs.wake_at < now() - interval '1 minute' AND NOT runs.is_behind)
    AND runs.created_at < now() - interval '1 minute'
    AND coalesce((SELECT status FROM dbos.workflow_status WHERE workflow_uuid = runs.execution_id), '')
        NOT IN ('ENQUEUED', 'DELAYED', 'PENDING')
"""


class Orphans:
    """Looks through all open runs, a page at each call: so a call costs the same however many there are."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._page = _START

    async def adopt(self) -> None:
        """Enqueue the lost runs of the next page again.

        At once, but ever later where that was to no avail: what makes an execution fail may last.
        """
        async with acquire(self._pool) as connection:
            rows = await connection.fetch(
                f"""
                SELECT id, execution_id, {_IS_LOST} AS is_lost
                FROM (SELECT id, execution_id, state, wake_at, is_behind, created_at FROM runs
                      WHERE state IN ('queued', 'running', 'waiting') AND (execution_id, id) > ($1, $2)
                      ORDER BY execution_id, id LIMIT $3) AS runs
                ORDER BY execution_id, id
                """,  # noqa: S608 - of this file
                *self._page,
                _PAGE,
            )
        self._page = (rows[-1]["execution_id"], rows[-1]["id"]) if len(rows) == _PAGE else _START
        if lost := [row["id"] for row in rows if row["is_lost"]]:
            await self._enqueue(lost)

    async def _enqueue(self, run_ids: list[UUID]) -> None:
        async with acquire(self._pool) as connection, connection.transaction():
            # Looked at once more under the lock: another worker may have been quicker.
            rows = await connection.fetch(
                f"""
                SELECT id, execution_id, lane FROM runs
                WHERE id = ANY($1) AND state IN ('queued', 'running', 'waiting') AND {_IS_LOST}
                ORDER BY id FOR UPDATE OF runs SKIP LOCKED
                """,  # noqa: S608 - of this file
                run_ids,
            )
            for row in rows:
                before = _ADOPTED.match(row["execution_id"])
                times = int(before[1]) + 1 if before else 1
                execution_id = f"adopted-{times}-{new_id()}"
                await connection.execute("UPDATE runs SET execution_id = $2 WHERE id = $1", row["id"], execution_id)
                await connection.execute(
                    "SELECT enqueue_execution($1, now() + nullif(make_interval(secs => $2), interval '0'), $3)",
                    execution_id,
                    _delay(times),
                    row["lane"],
                )
        if rows:
            log.warning("enqueued %d runs again that no queue entry would have driven", len(rows))


def _delay(times: int) -> float:
    """Return how many seconds a run waits that is adopted for the n-th time in a row."""
    return 0.0 if times == 1 else min(2.0 ** min(times, 30), _LONGEST_SECONDS)
