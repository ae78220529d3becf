"""SQL of runs that are held at a connection's gate: they have no queue entry until somebody lets them through."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.model import Lane, new_id

if TYPE_CHECKING:
    from mainstay.db import Connection

RUNS_OF_AN_EXECUTION = 16
_OLDEST = 32


async def let_through(
    connection: Connection, gates: Collection[tuple[UUID, str]], lane: Lane, limit: int, at: datetime | None = None
) -> int:
    """Enqueue the oldest runs of a lane that are held at these gates (workspace, connection); returns how many.

    What another process is about to enqueue is left to it.
    """
    if limit <= 0 or not gates:
        return 0
    rows = await connection.fetch(
        """
        WITH next AS (
            SELECT held.id, row_number() OVER (ORDER BY held.id) AS place
            FROM unnest($1::uuid[], $2::text[]) AS gate (workspace_id, name) CROSS JOIN LATERAL (
                SELECT id FROM runs
                WHERE runs.workspace_id = gate.workspace_id AND held_at = gate.name AND held_at <> ''
                  AND state = 'waiting' AND lane = $3
                ORDER BY id LIMIT $4 FOR UPDATE SKIP LOCKED
            ) AS held ORDER BY held.id LIMIT $4
        ), moved AS (
            UPDATE runs SET held_at = '', wake_at = coalesce($7, now()),
                   execution_id = ($5::text[])[(next.place - 1) / $6 + 1]
            FROM next WHERE runs.id = next.id RETURNING runs.execution_id
        ), entries AS (SELECT execution_id, count(*) AS count FROM moved GROUP BY execution_id)
        SELECT count, enqueue_execution(execution_id, NULL, $3) FROM entries
        """,
        [workspace_id for workspace_id, _ in gates],
        [name for _, name in gates],
        lane,
        limit,
        [str(new_id()) for _ in range(-(-limit // RUNS_OF_AN_EXECUTION))],
        RUNS_OF_AN_EXECUTION,
        at,
    )
    return sum(row["count"] for row in rows)


async def let_one_through(
    connection: Connection, workspace_id: UUID, name: str, lane: Lane, at: datetime | None = None
) -> int:
    """Enqueue a run of a lane that is held at a gate, to see whether its vendor answers; returns how many, 0 or 1.

    Of the oldest the one that came to the gate first. Whoever tries in vain comes to it anew, so they take turns: a
    call that fails for its own sake must not keep a gate shut.
    """
    rows = await connection.fetch(
        """
        WITH oldest AS MATERIALIZED (
            SELECT id, held_since FROM runs
            WHERE workspace_id = $1 AND held_at = $2 AND held_at <> '' AND state = 'waiting' AND lane = $3
            ORDER BY id LIMIT $6 FOR UPDATE SKIP LOCKED
        ), moved AS (
            UPDATE runs SET held_at = '', wake_at = coalesce($5, now()), execution_id = $4
            WHERE id = (SELECT id FROM oldest ORDER BY held_since, id LIMIT 1) RETURNING execution_id
        )
        SELECT enqueue_execution(execution_id, NULL, $3) FROM moved
        """,
        workspace_id,
        name,
        lane,
        str(new_id()),
        at,
        _OLDEST,
    )
    return len(rows)


async def give_up_held(connection: Connection, workspace_ids: Collection[UUID], at: datetime | None = None) -> int:
    """Enqueue held runs whose time is over, whatever their gate says: they are to give up. Returns how many."""
    rows = await connection.fetch(
        """
        WITH next AS (
            SELECT id FROM runs
            WHERE held_at <> '' AND state = 'waiting' AND wake_at <= coalesce($2, now()) AND workspace_id = ANY($1)
            ORDER BY wake_at LIMIT 100 FOR UPDATE SKIP LOCKED
        ), moved AS (
            UPDATE runs SET held_at = '', execution_id = gen_random_uuid()::text
            FROM next WHERE runs.id = next.id RETURNING runs.execution_id, runs.lane
        )
        SELECT enqueue_execution(execution_id, NULL, lane) FROM moved
        """,
        list(workspace_ids),
        at,
    )
    return len(rows)
