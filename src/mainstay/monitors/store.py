"""SQL of monitors and of what they were told. Kinds share the table: a name, where it stands, what is next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.db import storable
from mainstay.monitors.rules import PING, Monitor, Ping, Standing, awaiting

if TYPE_CHECKING:
    from mainstay.db import Connection, Row
    from mainstay.monitors.checks import Finding


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


async def hold_due(
    connection: Connection, kind: str, workspaces: Sequence[UUID], now: datetime, besides: Sequence[str]
) -> Row | None:
    """Take hold of the monitor that has been due for the longest; what another process holds is passed over."""
    return await connection.fetchrow(
        """
        SELECT * FROM monitors WHERE alert_at <= $2 AND kind = $3 AND workspace_id = ANY($1)
          AND workspace_id || ' ' || name <> ALL($4::text[])
        ORDER BY alert_at LIMIT 1 FOR UPDATE SKIP LOCKED
        """,
        list(workspaces),
        now,
        kind,
        list(besides),
    )


async def first_due_at(connection: Connection, kind: str, workspaces: Sequence[UUID]) -> datetime | None:
    """Return when the next monitor of a kind is due; what only looks, and expects nothing, does not count."""
    moment: datetime | None = await connection.fetchval(
        """
        SELECT min(alert_at) FROM monitors
        WHERE kind = $2 AND workspace_id = ANY($1) AND (kind = $3 OR expected_at IS NOT NULL) AND state <> 'down'
        """,
        list(workspaces),
        kind,
        PING,
    )
    return moment


async def declare_kind(
    connection: Connection, workspace_id: UUID, kind: str, rules: Mapping[str, str], now: datetime
) -> list[str]:
    """Let a workspace's monitors of a kind be these, by name, with what is expected of each in words.

    One that is new, or of which something else is expected, begins anew and is looked at ``now``. Returns those of
    which that is so and those that are no longer: what was found of them counts no more. In a transaction.
    """
    rows = await connection.fetch(
        """
        SELECT name, rule FROM monitors WHERE workspace_id = $1 AND kind = $2 AND is_declared ORDER BY name FOR UPDATE
        """,
        workspace_id,
        kind,
    )
    known = {row["name"]: row["rule"] for row in rows}
    over = sorted(name for name, rule in known.items() if rules.get(name) != rule)
    await connection.execute(
        """
        UPDATE monitors SET is_declared = false, alert_at = NULL, expected_at = NULL
        WHERE workspace_id = $1 AND kind = $2 AND name = ANY($3)
        """,
        workspace_id,
        kind,
        over,
    )
    for name in sorted(name for name, rule in rules.items() if known.get(name) != rule):
        await connection.execute(
            """
            INSERT INTO monitors (workspace_id, kind, name, rule, alert_at) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (workspace_id, kind, name) DO UPDATE
            SET rule = excluded.rule, is_declared = true, state = 'new', expected_at = NULL,
                alert_at = excluded.alert_at, facts = '{}'
            """,
            workspace_id,
            kind,
            name,
            rules[name],
            now,
        )
    return over


@dataclass(frozen=True, slots=True)
class Place:
    """Where a monitor that gets no pings stands; ``alert_at`` is when it is looked at next."""

    state: str
    seen_at: datetime | None = None
    expected_at: datetime | None = None
    alert_at: datetime | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


async def stand_as(
    connection: Connection,
    workspace_id: UUID,
    kind: str,
    name: str,
    place: Place,
) -> None:
    """Note where a monitor that gets no pings stands."""
    await connection.execute(
        """
        UPDATE monitors SET state = $4, seen_at = $5, expected_at = $6, alert_at = $7, facts = $8
        WHERE workspace_id = $1 AND kind = $2 AND name = $3
        """,
        workspace_id,
        kind,
        name,
        place.state,
        place.seen_at,
        place.expected_at,
        place.alert_at,
        dict(place.facts),
    )


async def places_of(connection: Connection, workspace_id: UUID, kinds: Sequence[str]) -> dict[tuple[str, str], Place]:
    """Return where the monitors of some kinds stand, by kind and name."""
    rows = await connection.fetch(
        "SELECT * FROM monitors WHERE workspace_id = $1 AND kind = ANY($2) AND is_declared", workspace_id, list(kinds)
    )
    return {
        (row["kind"], row["name"]): Place(
            row["state"], row["seen_at"], row["expected_at"], row["alert_at"], row["facts"]
        )
        for row in rows
    }


async def note(
    connection: Connection, workspace_id: UUID, kinds: Sequence[str], findings: Sequence[Finding]
) -> list[tuple[str, str]]:
    """Let the monitors of some kinds be these, where they stand; returns those that are no longer, by kind and name."""
    await connection.executemany(
        """
        INSERT INTO monitors (workspace_id, kind, name, rule, state, seen_at, expected_at, facts)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (workspace_id, kind, name) DO UPDATE
        SET rule = excluded.rule, state = excluded.state, seen_at = excluded.seen_at, is_declared = true,
            expected_at = excluded.expected_at, facts = excluded.facts
        """,
        [
            (
                workspace_id,
                each.kind,
                each.name,
                each.rule,
                each.state,
                each.seen_at,
                each.expected_at,
                dict(each.facts),
            )
            for each in sorted(findings, key=lambda each: (each.kind, each.name))
        ],
    )
    gone = await connection.fetch(
        """
        UPDATE monitors SET is_declared = false, state = 'new', facts = '{}' WHERE workspace_id = $1 AND kind = ANY($2)
          AND is_declared AND kind || ' ' || name <> ALL($3::text[]) RETURNING kind, name
        """,
        workspace_id,
        list(kinds),
        [f"{each.kind} {each.name}" for each in findings],
    )
    return [(row["kind"], row["name"]) for row in gone]


async def look_again(connection: Connection, workspace_id: UUID, kind: str, name: str, at: datetime) -> None:
    """Let a monitor be looked at later."""
    await connection.execute(
        "UPDATE monitors SET alert_at = $4 WHERE workspace_id = $1 AND kind = $2 AND name = $3",
        workspace_id,
        kind,
        name,
        at,
    )


async def hours_of(
    connection: Connection, workspace_id: UUID, counter: str, labels: Sequence[str], since: datetime, until: datetime
) -> dict[str, list[tuple[datetime, int, datetime]]]:
    """Return a counter by label: hour, count and when it last grew, oldest first.

    Hour by hour, by the whole key: of a range of hours all counters of the workspace would be read.
    """
    rows = await connection.fetch(
        """
        SELECT h.hour, found.*
        FROM generate_series(date_trunc('hour', $4::timestamptz), $5, interval '1 hour') AS h (hour)
        CROSS JOIN LATERAL (
            SELECT label, sum(count)::bigint AS count, max(last_at) AS last_at FROM tallies
            WHERE workspace_id = $1 AND tallies.hour = h.hour AND name = $2 AND label = ANY($3) GROUP BY label
        ) AS found ORDER BY h.hour
        """,
        workspace_id,
        counter,
        list(labels),
        since,
        until,
    )
    found: dict[str, list[tuple[datetime, int, datetime]]] = {label: [] for label in labels}
    for row in rows:
        found[row["label"]].append((row["hour"], row["count"], row["last_at"]))
    return found


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
