"""Counters by hour, kept up as things happen, so that no screen has to count a big table."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from mainstay.db.pool import Connection


SHARDS = 64


async def add_tallies(connection: Connection, counts: Mapping[tuple[UUID, str, str], int]) -> None:
    """Add to this hour's counters: (workspace, name, label) to how many."""
    if not counts:
        return
    # Sorted, so that two processes cannot deadlock.
    rows = sorted(counts.items(), key=lambda item: (str(item[0][0]), item[0][1], item[0][2]))
    await connection.execute(
        """
        INSERT INTO tallies (workspace_id, hour, name, label, shard, count)
        SELECT w, date_trunc('hour', now()), n, l, $5, c
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[]) AS t (w, n, l, c)
        ON CONFLICT (workspace_id, hour, name, label, shard) DO UPDATE
        SET count = tallies.count + excluded.count, last_at = now()
        """,
        [key[0] for key, _ in rows],
        [key[1] for key, _ in rows],
        [key[2] for key, _ in rows],
        [count for _, count in rows],
        os.getpid() % SHARDS,
    )


async def add_up_hours(connection: Connection) -> bool:
    """Add the hours that are over to the totals; False when there is none. One process does; in a transaction.

    Of each of their counters the shards become one row: what screens read of the past is as short as can be. An hour is
    left alone for another one: who counts in it goes by the beginning of their transaction.
    """
    until = await connection.fetchrow(
        """
        SELECT hour AS since, date_trunc('hour', now()) - interval '1 hour' AS until FROM totals_until
        WHERE hour < date_trunc('hour', now()) - interval '1 hour' FOR UPDATE SKIP LOCKED
        """
    )
    if until is None:
        return False
    await connection.execute(
        """
        INSERT INTO totals (workspace_id, name, label, count)
        SELECT workspaces.id, found.name, found.label, found.count FROM workspaces
        CROSS JOIN LATERAL (
            SELECT name, label, sum(count)::bigint AS count FROM tallies
            WHERE workspace_id = workspaces.id AND hour >= $1 AND hour < $2 GROUP BY name, label
        ) AS found
        ON CONFLICT (workspace_id, name, label) DO UPDATE SET count = totals.count + excluded.count
        """,
        until["since"],
        until["until"],
    )
    await connection.execute(
        """
        WITH gone AS (
            DELETE FROM tallies USING workspaces
            WHERE tallies.workspace_id = workspaces.id AND hour >= $1 AND hour < $2 AND shard >= 0 RETURNING tallies.*
        )
        INSERT INTO tallies (workspace_id, hour, name, label, shard, count)
        SELECT workspace_id, hour, name, label, -1, sum(count) FROM gone GROUP BY workspace_id, hour, name, label
        ON CONFLICT (workspace_id, hour, name, label, shard) DO UPDATE SET count = tallies.count + excluded.count
        """,
        until["since"],
        until["until"],
    )
    await connection.execute("UPDATE totals_until SET hour = $1", until["until"])
    return True
