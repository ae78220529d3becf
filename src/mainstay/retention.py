"""What is old enough goes, a little at a time: runs with their steps, deliveries, and what calls sent and got.

Rows are deleted in portions by id, since ids begin with their time, and never what somebody may still need: a run that
has not ended, one that failed and that nobody has handled, and whatever hangs on these. (Dropping a day's partition
would be free, but the index that gives each key one turn spans all days, and a day with one open run could not be
dropped; see ARCHITECTURE.md.) One process works at a time, for a moment with each look of the watch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from mainstay.db import acquire
from mainstay.engine.entries import forget_entries
from mainstay.model import first_id_at

if TYPE_CHECKING:
    from mainstay.db import Connection, Pool

PORTION = 500
"""Rows that one transaction looks at."""
LOOK_SECONDS = 0.25
"""How long one look may take; then queues and pages go first."""
_REST = timedelta(hours=1)
_NONE = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Retention:
    """How long a workspace keeps what has ended; None for always.

    Attributes:
        calls: what each step's calls sent and got. That they were made, when and how they ended, stays with the run.
        runs: runs that ended, with their steps.
        deliveries: what arrived, once no run of it is kept.
    """

    calls: timedelta | None = None
    runs: timedelta | None = None
    deliveries: timedelta | None = None


class Retaining(Protocol):
    """A workspace, as far as retention goes."""

    @property
    def retention(self) -> Retention:
        """How long it keeps what has ended."""
        ...


class Forgetting:
    """Deletes what is past its time."""

    def __init__(self, pool: Pool, workspaces: Mapping[UUID, Retaining], clock: Callable[[], datetime]) -> None:
        self._pool = pool
        self._workspaces = workspaces
        self._clock = clock

    async def look(self, *, seconds: float = LOOK_SECONDS) -> int:
        """Go on where the last look ended, for a moment; returns how many rows of runs and deliveries went."""
        until, gone, now = time.monotonic() + seconds, 0, self._clock()
        longest: timedelta | None = timedelta(0)
        for workspace_id, workspace in self._workspaces.items():
            kept = workspace.retention
            for each in fields(Retention):
                age: timedelta | None = getattr(kept, each.name)
                while age is not None and time.monotonic() < until:
                    done = await self._portion(workspace_id, each.name, now, now - age)
                    if done is None:
                        break
                    gone += done
            longest = None if longest is None or kept.runs is None else max(longest, kept.runs)
        if longest and time.monotonic() < until:
            async with acquire(self._pool) as connection:
                await forget_entries(connection, now - longest, PORTION)
        return gone

    async def _portion(self, workspace_id: UUID, kind: str, now: datetime, before: datetime) -> int | None:
        """Deal with the next rows; None when there are none, or another process is at it."""
        async with acquire(self._pool) as connection, connection.transaction():
            await connection.execute(
                "INSERT INTO forgetting (workspace_id, kind) VALUES ($1, $2) ON CONFLICT DO NOTHING", workspace_id, kind
            )
            at = await connection.fetchrow(
                "SELECT after FROM forgetting WHERE workspace_id = $1 AND kind = $2 AND next_at <= $3 "
                "FOR UPDATE SKIP LOCKED",
                workspace_id,
                kind,
                now,
            )
            if at is None:
                return None
            table = "deliveries" if kind == "deliveries" else "runs"
            rows = await connection.fetch(
                f"SELECT id FROM {table} WHERE workspace_id = $1 AND id > $2 AND id < $3 ORDER BY id LIMIT {PORTION}",  # noqa: S608 - one of two names
                workspace_id,
                at["after"],
                first_id_at(before),
            )
            ids = [row["id"] for row in rows]
            done = await _FORGET[kind](connection, ids, before) if ids else 0
            is_over = len(ids) < PORTION
            # From the beginning again: what is kept now may have ended by then. Calls are gone once.
            await connection.execute(
                "UPDATE forgetting SET after = $3, next_at = $4 WHERE workspace_id = $1 AND kind = $2",
                workspace_id,
                kind,
                (ids or [at["after"]])[-1] if kind == "calls" or not is_over else _NONE,
                now + _REST if is_over else now,
            )
            return done


_OVER = "(state IN ('done', 'cancelled') OR state = 'failed' AND handled_at IS NOT NULL)"


async def _forget_runs(connection: Connection, ids: list[UUID], before: datetime) -> int:
    """Delete those that are over, and that neither a run which began them nor an order to retry waits for."""
    rows = await connection.fetch(
        f"""
        DELETE FROM runs WHERE id = ANY($1) AND {_OVER} AND coalesce(finished_at, handled_at, created_at) < $2
          AND coalesce((SELECT parent.state FROM runs AS parent WHERE parent.id = runs.parent_id), '')
              NOT IN ('queued', 'running', 'waiting')
          AND NOT EXISTS (SELECT FROM hand_retries WHERE hand_retries.run_id = runs.id AND is_open)
        RETURNING id
        """,  # noqa: S608 - parts from this file
        ids,
        before,
    )
    gone = [row["id"] for row in rows]
    for table in ("attempts", "waits", "approvals", "hand_retries", "traces"):
        await connection.execute(f"DELETE FROM {table} WHERE run_id = ANY($1)", gone)  # noqa: S608 - names from this line
    return len(gone)


async def _forget_calls(connection: Connection, ids: list[UUID], _before: datetime) -> int:
    await connection.execute(
        f"""
        UPDATE attempts SET exchanges = '[]' FROM (SELECT id FROM runs WHERE id = ANY($1) AND {_OVER}) AS over
        WHERE attempts.run_id = over.id AND attempts.exchanges <> '[]'
        """,  # noqa: S608 - parts from this file
        ids,
    )
    return 0


async def _forget_deliveries(connection: Connection, ids: list[UUID], _before: datetime) -> int:
    rows = await connection.fetch(
        """
        DELETE FROM deliveries WHERE id = ANY($1) AND state <> 'accepted'
          AND NOT EXISTS (SELECT FROM runs WHERE runs.delivery_id = deliveries.id)
        RETURNING id
        """,
        ids,
    )
    gone = [row["id"] for row in rows]
    await connection.execute("DELETE FROM delivery_keys WHERE delivery_id = ANY($1)", gone)
    return len(gone)


_FORGET = {"runs": _forget_runs, "calls": _forget_calls, "deliveries": _forget_deliveries}
