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
        ON CONFLICT (workspace_id, hour, name, label, shard) DO UPDATE SET count = tallies.count + excluded.count
        """,
        [key[0] for key, _ in rows],
        [key[1] for key, _ in rows],
        [key[2] for key, _ in rows],
        [count for _, count in rows],
        os.getpid() % SHARDS,
    )
