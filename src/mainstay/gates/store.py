"""SQL of gates. ``at`` is a test's clock; None is the database's own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.db import storable
from mainstay.model import Lane

if TYPE_CHECKING:
    from mainstay.db import Connection
    from mainstay.kit import Rate

TICK_SECONDS = 0.2
PROBE_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Granted:
    """What was leased: ``count`` calls for ``seconds``. If fewer than needed, more come in ``wait`` seconds at best.

    ``room`` is what there would have been; the lease began ``waited`` seconds after the question, or later.
    """

    count: int
    wait: float
    seconds: float
    room: int
    waited: float


@dataclass(frozen=True, slots=True)
class State:
    """A connection's gate as all processes share it. Times are seconds from now; None for none."""

    workspace_id: UUID
    name: str
    is_paused: bool
    is_broken: bool
    failed_probes: int
    probe_in: float | None
    closed_for: float
    lead_held: bool
    backfill_held: bool
    workers: int


@dataclass(frozen=True, slots=True)
class Pause:
    """Who stopped a connection, and why."""

    by: str = ""
    reason: str = ""


async def declare(
    connection: Connection, gates: Sequence[tuple[UUID, str, str]], rates: Mapping[str, Sequence[Rate]]
) -> None:
    """Make gates (workspace, connection, account) and the rates of accounts known, as the stacks have them now."""
    await connection.executemany(
        "INSERT INTO accounts (account) VALUES ($1) ON CONFLICT DO NOTHING", [(a,) for a in sorted(rates)]
    )
    await connection.executemany(
        """
        INSERT INTO connections AS known (workspace_id, name, account) VALUES ($1, $2, $3)
        ON CONFLICT (workspace_id, name) DO UPDATE SET account = excluded.account
        WHERE known.account <> excluded.account
        """,
        sorted(gates),
    )
    windows = sorted((account, rate.seconds, rate.allowed) for account, each in rates.items() for rate in each)
    await connection.executemany(
        """
        INSERT INTO budgets AS known (account, seconds, allowed) VALUES ($1, $2, $3)
        ON CONFLICT (account, seconds) DO UPDATE SET allowed = excluded.allowed WHERE known.allowed <> excluded.allowed
        """,
        windows,
    )
    await connection.execute(
        """
        DELETE FROM budgets WHERE account = ANY($1)
          AND NOT EXISTS (SELECT FROM unnest($2::text[], $3::float8[]) AS now (account, seconds)
                          WHERE now.account = budgets.account AND now.seconds = budgets.seconds)
        """,
        sorted(rates),
        [account for account, _, _ in windows],
        [seconds for _, seconds, _ in windows],
    )


async def lease(
    connection: Connection, account: str, lane: Lane, *, needed: int, ahead: int, at: datetime | None
) -> Granted:
    """Lease calls of an account, for a short time."""
    (row,) = await connection.fetch("SELECT * FROM lease_tokens($1, $2, $3, $4, $5)", account, lane, needed, ahead, at)
    return Granted(row["granted"], row["wait_seconds"], row["lease_seconds"] or 1.0, row["room"], row["waited"])


async def states(connection: Connection, workspace_ids: Collection[UUID], at: datetime | None) -> list[State]:
    """Return the gates of these workspaces."""
    rows = await connection.fetch(
        """
        SELECT gate.*, coalesce(extract(epoch FROM probe_at - moment), 0)::float8 AS probe_in,
               greatest(0, coalesce(extract(epoch FROM closed_until - moment), 0))::float8 AS closed_for,
               EXISTS (SELECT FROM runs WHERE runs.workspace_id = gate.workspace_id AND held_at = name
                       AND state = 'waiting' AND held_at <> '' AND lane = 'lead') AS lead_held,
               EXISTS (SELECT FROM runs WHERE runs.workspace_id = gate.workspace_id AND held_at = name
                       AND state = 'waiting' AND held_at <> '' AND lane = 'backfill') AS backfill_held,
               workers
        FROM connections AS gate JOIN accounts USING (account)
        CROSS JOIN (SELECT coalesce($2, clock_timestamp()) AS moment) AS now
        CROSS JOIN (SELECT count(*) AS workers FROM workers WHERE heartbeat_at > now() - interval '12 seconds') AS alive
        WHERE gate.workspace_id = ANY($1)
        """,
        list(workspace_ids),
        at,
    )
    return [
        State(
            workspace_id=row["workspace_id"],
            name=row["name"],
            is_paused=row["paused_at"] is not None,
            is_broken=row["opened_at"] is not None,
            failed_probes=row["failed_probes"],
            probe_in=row["probe_in"] if row["opened_at"] is not None else None,
            closed_for=row["closed_for"],
            lead_held=row["lead_held"],
            backfill_held=row["backfill_held"],
            workers=row["workers"],
        )
        for row in rows
    ]


async def close_account(connection: Connection, account: str, seconds: float, at: datetime | None) -> None:
    """Let nobody call an account for a while: its vendor asked for that."""
    await connection.execute(
        """
        UPDATE accounts
        SET closed_until = greatest(closed_until, coalesce($3, clock_timestamp()) + make_interval(secs => $2))
        WHERE account = $1
        """,
        account,
        seconds,
        at,
    )


async def open_breaker(
    connection: Connection, workspace_id: UUID, name: str, error: str, probe_in: float, at: datetime | None
) -> None:
    """Note that a connection's vendor is out; who finds it noted already changes nothing."""
    await connection.execute(
        """
        UPDATE connections SET opened_at = coalesce($5, clock_timestamp()), error = $3, failed_probes = 0,
               probe_at = coalesce($5, clock_timestamp()) + make_interval(secs => $4)
        WHERE workspace_id = $1 AND name = $2 AND opened_at IS NULL
        """,
        workspace_id,
        name,
        storable(error[:500]),
        probe_in,
        at,
    )


async def claim_probe(connection: Connection, workspace_id: UUID, name: str, at: datetime | None) -> bool:
    """Take the one call that is due to an open breaker; False when another has it, or it is not due.

    Whoever takes it and dies is followed by the next after half a minute.
    """
    found = await connection.fetchval(
        """
        UPDATE connections SET probe_at = coalesce($4, clock_timestamp()) + make_interval(secs => $3)
        WHERE workspace_id = $1 AND name = $2 AND opened_at IS NOT NULL AND probe_at <= coalesce($4, clock_timestamp())
        RETURNING true
        """,
        workspace_id,
        name,
        PROBE_TIMEOUT_SECONDS,
        at,
    )
    return bool(found)


async def probe_failed(
    connection: Connection, workspace_id: UUID, name: str, error: str, probe_in: float, at: datetime | None
) -> None:
    """Note that a vendor is still out."""
    await connection.execute(
        """
        UPDATE connections SET failed_probes = failed_probes + 1, error = $3,
               probe_at = coalesce($5, clock_timestamp()) + make_interval(secs => $4)
        WHERE workspace_id = $1 AND name = $2 AND opened_at IS NOT NULL
        """,
        workspace_id,
        name,
        storable(error[:500]),
        probe_in,
        at,
    )


async def close_breaker(connection: Connection, workspace_id: UUID, name: str) -> None:
    """Note that a vendor answers again."""
    await connection.execute(
        """
        UPDATE connections SET opened_at = NULL, error = '', failed_probes = 0, probe_at = NULL
        WHERE workspace_id = $1 AND name = $2 AND opened_at IS NOT NULL
        """,
        workspace_id,
        name,
    )


async def pause(connection: Connection, workspace_id: UUID, name: str, how: Pause) -> bool:
    """Stop a connection by hand; False when it is paused already, or unknown."""
    found = await connection.fetchval(
        """
        UPDATE connections SET paused_at = clock_timestamp(), paused_by = $3, pause_reason = $4
        WHERE workspace_id = $1 AND name = $2 AND paused_at IS NULL RETURNING true
        """,
        workspace_id,
        name,
        storable(how.by[:200]),
        storable(how.reason[:500]),
    )
    return bool(found)


async def resume(connection: Connection, workspace_id: UUID, name: str) -> bool:
    """Let calls go at once: ends a pause and the rest that the vendor asked for, and lets an open breaker probe.

    False when there was nothing of that, or the connection is unknown.
    """
    found = await connection.fetchval(
        """
        WITH before AS (
            SELECT workspace_id, name, account, paused_at IS NOT NULL OR opened_at IS NOT NULL AS was_stopped
            FROM connections WHERE workspace_id = $1 AND name = $2 FOR UPDATE
        ), rested AS (
            UPDATE accounts SET closed_until = NULL FROM before
            WHERE accounts.account = before.account AND closed_until > clock_timestamp() RETURNING true
        ), resumed AS (
            UPDATE connections SET paused_at = NULL, paused_by = '', pause_reason = '',
                   probe_at = CASE WHEN opened_at IS NULL THEN NULL ELSE least(probe_at, clock_timestamp()) END
            FROM before WHERE connections.workspace_id = before.workspace_id AND connections.name = before.name
            RETURNING true
        )
        SELECT was_stopped OR EXISTS (SELECT FROM rested) FROM before, resumed
        """,
        workspace_id,
        name,
    )
    return bool(found)
