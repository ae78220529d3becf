"""SQL of monitors and of what they were told. Kinds share the table: a name, where it stands, what is next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.db import storable
from mainstay.monitors.rules import PING, Monitor, Ping, Standing, awaiting

if TYPE_CHECKING:
    from mainstay.db import Connection, Row


def standing_of(row: Row) -> Standing:
    """Read where a monitor stands."""
    return Standing(**{name: row[name] for name in Standing.__dataclass_fields__})


async def declare(
    connection: Connection,
    workspace_id: UUID,
    kind: str,
    monitors: Mapping[str, Monitor],
    keys: Mapping[str, tuple[str, str]],
) -> list[str]:
    """Let a workspace's monitors of a kind be these; returns those that are no longer. In a transaction.

    ``keys`` has for each the hash and the sealed form of a key, which counts only where it has none yet.
    """
    gone = await connection.fetch(
        """
        UPDATE monitors SET is_declared = false, alert_at = NULL, expected_at = NULL
        WHERE workspace_id = $1 AND kind = $2 AND is_declared AND name <> ALL($3::text[]) RETURNING name
        """,
        workspace_id,
        kind,
        list(monitors),
    )
    # In one order, so that two processes that start cannot deadlock.
    for name, monitor in sorted(monitors.items()):
        key_hash, key_sealed = keys[name]
        (row,) = await connection.fetch(
            """
            INSERT INTO monitors AS known (workspace_id, kind, name, rule, key_hash, key_sealed)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (workspace_id, kind, name) DO UPDATE SET rule = excluded.rule, is_declared = true
            RETURNING *
            """,
            workspace_id,
            kind,
            name,
            monitor.in_words(),
            key_hash,
            key_sealed,
        )
        await stand(connection, workspace_id, kind, name, awaiting(monitor, standing_of(row)))
    return [row["name"] for row in gone]


async def hold(connection: Connection, workspace_id: UUID, kind: str, name: str) -> Row | None:
    """Take hold of a monitor until the transaction ends."""
    return await connection.fetchrow(
        "SELECT * FROM monitors WHERE workspace_id = $1 AND kind = $2 AND name = $3 AND is_declared FOR UPDATE",
        workspace_id,
        kind,
        name,
    )


async def hold_late(
    connection: Connection, workspaces: Sequence[UUID], now: datetime, besides: Sequence[str]
) -> Row | None:
    """Take hold of the monitor that has been late for the longest; what another process holds is passed over."""
    return await connection.fetchrow(
        """
        SELECT * FROM monitors WHERE alert_at <= $2 AND kind = $3 AND workspace_id = ANY($1)
          AND workspace_id || ' ' || name <> ALL($4::text[])
        ORDER BY alert_at LIMIT 1 FOR UPDATE SKIP LOCKED
        """,
        list(workspaces),
        now,
        PING,
        list(besides),
    )


async def stand(connection: Connection, workspace_id: UUID, kind: str, name: str, standing: Standing) -> None:
    """Note where a monitor stands."""
    await connection.execute(
        """
        UPDATE monitors SET state = $4, seen_at = $5, started_at = $6, rid = $7, took = $8, expected_at = $9,
                            alert_at = $10
        WHERE workspace_id = $1 AND kind = $2 AND name = $3
        """,
        workspace_id,
        kind,
        name,
        standing.state,
        standing.seen_at,
        standing.started_at,
        standing.rid,
        standing.took,
        standing.expected_at,
        standing.alert_at,
    )


async def keep_ping(
    connection: Connection,
    workspace_id: UUID,
    name: str,
    ping: Ping,
    *,
    took: timedelta | None,
    at: datetime,
    kept: int,
) -> None:
    """Keep a ping, of each monitor the newest ``kept``."""
    number = await connection.fetchval(
        """
        UPDATE monitors SET pings = pings + 1 WHERE workspace_id = $1 AND kind = $2 AND name = $3 RETURNING pings
        """,
        workspace_id,
        PING,
        name,
    )
    await connection.execute(
        """
        INSERT INTO pings (workspace_id, monitor, number, at, signal, method, exit_status, rid, took, body)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        workspace_id,
        name,
        number,
        at,
        ping.signal,
        ping.method,
        ping.status,
        ping.rid,
        took,
        storable(ping.body),
    )
    await connection.execute(
        "DELETE FROM pings WHERE workspace_id = $1 AND monitor = $2 AND number <= $3",
        workspace_id,
        name,
        number - kept,
    )


async def first_late_at(connection: Connection, workspaces: Sequence[UUID]) -> datetime | None:
    """Return when the next monitor is late."""
    moment: datetime | None = await connection.fetchval(
        "SELECT min(alert_at) FROM monitors WHERE workspace_id = ANY($1) AND kind = $2", list(workspaces), PING
    )
    return moment


async def replace_key(connection: Connection, workspace_id: UUID, name: str, key_hash: str, key_sealed: str) -> bool:
    """Give a monitor another key; False when there is no such monitor."""
    found = await connection.fetchval(
        """
        UPDATE monitors SET key_hash = $4, key_sealed = $5
        WHERE workspace_id = $1 AND kind = $2 AND name = $3 AND is_declared RETURNING true
        """,
        workspace_id,
        PING,
        name,
        key_hash,
        key_sealed,
    )
    return found is not None


async def sealed_keys(connection: Connection, workspace_id: UUID) -> dict[str, str]:
    """Return the sealed key of each monitor that waits for pings."""
    rows = await connection.fetch(
        "SELECT name, key_sealed FROM monitors WHERE workspace_id = $1 AND kind = $2 AND is_declared",
        workspace_id,
        PING,
    )
    return {row["name"]: row["key_sealed"] for row in rows}
