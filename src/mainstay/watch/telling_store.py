"""SQL of what is told of incidents: where the telling stands, and what went over which channel."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.db import storable
from mainstay.model import new_id
from mainstay.watch.routes import Route
from mainstay.watch.telling import Standing
from mainstay.watch.wording import Told

if TYPE_CHECKING:
    from mainstay.db import Connection, Row

_AT_ONCE = 200
_MOST_LEADS = 1000
_STANDING = """
    SELECT incidents.*, told.routes, told.since FROM incidents LEFT JOIN LATERAL (
        SELECT array_agg(DISTINCT route) AS routes, min(told_at) AS since FROM alerts
        WHERE incident_id = incidents.id AND told_at IS NOT NULL AND begun_at >= news_at
    ) AS told ON true
"""


async def standings(connection: Connection, incident_ids: Collection[UUID]) -> list[Row]:
    """Return incidents with how the telling of each stands."""
    return list(await connection.fetch(f"{_STANDING} WHERE incidents.id = ANY($1)", list(incident_ids)))


async def hold_due(connection: Connection, workspace_ids: Collection[UUID], now: datetime) -> list[Row]:
    """Hold incidents of which something is due to be told; those that others hold are passed over. In a transaction."""
    held = await connection.fetch(
        """
        SELECT id FROM incidents WHERE alert_due_at <= $2 AND workspace_id = ANY($1)
        ORDER BY alert_due_at LIMIT $3 FOR UPDATE SKIP LOCKED
        """,
        list(workspace_ids),
        now,
        _AT_ONCE,
    )
    return await standings(connection, [row["id"] for row in held]) if held else []


async def first_due(connection: Connection, workspace_ids: Collection[UUID]) -> datetime | None:
    """Return when something is due to be told next."""
    found: datetime | None = await connection.fetchval(
        "SELECT min(alert_due_at) FROM incidents WHERE alert_due_at IS NOT NULL AND workspace_id = ANY($1)",
        list(workspace_ids),
    )
    return found


def standing_of(row: Row) -> Standing:
    """Read how the telling of an incident stands."""
    return Standing(
        severity=row["severity"],
        is_open=row["state"] == "open",
        is_acknowledged=row["acknowledged_at"] is not None,
        reopened=row["reopened"],
        news=row["alert_news"],
        phase=row["alert_phase"],
        place=row["alert_place"],
        due_at=row["alert_due_at"],
        told=tuple(Route(**route) for route in row["routes"] or ()),
        told_at=row["since"],
    )


def later(standing: Standing, due_at: datetime) -> Standing:
    """Let what is due now be due later."""
    return replace(standing, due_at=due_at)


async def stand(connection: Connection, incident_id: UUID, standing: Standing) -> None:
    """Store how the telling of an incident stands."""
    await connection.execute(
        "UPDATE incidents SET alert_phase = $2, alert_place = $3, alert_due_at = $4 WHERE id = $1",
        incident_id,
        standing.phase,
        standing.place,
        standing.due_at,
    )


async def titles(connection: Connection, incident_ids: Collection[UUID]) -> list[tuple[UUID, str]]:
    """Return incidents with their titles, the oldest first."""
    rows = await connection.fetch("SELECT id, title FROM incidents WHERE id = ANY($1) ORDER BY id", list(incident_ids))
    return [(row["id"], row["title"]) for row in rows]


async def begun_within(connection: Connection, workspace_id: UUID, length: timedelta) -> int:
    """Count the incidents that people were told of lately."""
    found: int = await connection.fetchval(
        """
        SELECT count(DISTINCT incident_id) FROM alerts
        WHERE workspace_id = $1 AND begun_at > now() - $2::interval AND kind IN ('opened', 'reopened', 'worse')
        """,
        workspace_id,
        length,
    )
    return found


async def told_of(
    connection: Connection, workspace_id: UUID, incident_ids: Collection[UUID], page_url: Callable[[UUID, str], str]
) -> list[Told]:
    """Return incidents as they are told now, the oldest first."""
    rows = await connection.fetch(
        """
        SELECT incidents.*, affected.leads, affected.run_id FROM incidents CROSS JOIN LATERAL (
            SELECT count(DISTINCT coalesce(contact_id, delivery_id)) AS leads, max(id::text)::uuid AS run_id
            FROM (SELECT id, contact_id, delivery_id FROM runs WHERE incident_id = incidents.id
                  ORDER BY id DESC LIMIT $3) AS newest
        ) AS affected
        WHERE incidents.id = ANY($1) AND workspace_id = $2 ORDER BY incidents.id
        """,
        list(incident_ids),
        workspace_id,
        _MOST_LEADS + 1,
    )
    return [
        Told(
            id=row["id"],
            severity=row["severity"],
            title=row["title"],
            cause=row["cause"],
            mend=row["mend"],
            connection=row["connection"],
            is_open=row["state"] == "open",
            occurrences=row["occurrences"],
            leads=min(row["leads"], _MOST_LEADS),
            is_capped=row["leads"] > _MOST_LEADS,
            first_seen=row["first_seen"],
            resolved_at=row["resolved_at"],
            acknowledged_by=row["acknowledged_by"],
            url=page_url(workspace_id, f"incidents/{row['id']}"),
            run_url=page_url(workspace_id, f"runs/{row['run_id']}") if row["run_id"] else "",
        )
        for row in rows
    ]


async def note(
    connection: Connection,
    workspace_id: UUID,
    run_id: UUID,
    kind: str,
    incident_ids: Sequence[UUID],
    route: Mapping[str, Any],
) -> None:
    """Note that a run is to tell of incidents over a route; of none for a test."""
    await connection.executemany(
        "INSERT INTO alerts (id, workspace_id, incident_id, run_id, kind, route) VALUES ($1, $2, $3, $4, $5, $6)",
        [(new_id(), workspace_id, each, run_id, kind, dict(route)) for each in incident_ids or (None,)],
    )


async def told(connection: Connection, run_id: UUID, now: datetime, *, is_moot: bool) -> None:
    """Note that a run has told; what follows of that is due at once. What was ``is_moot`` was not told."""
    rows = await connection.fetch(
        """
        UPDATE alerts SET told_at = CASE WHEN $2 THEN NULL ELSE $3::timestamptz END,
            error = CASE WHEN $2 THEN 'it was over before it could be told' ELSE '' END
        WHERE run_id = $1 AND told_at IS NULL RETURNING incident_id
        """,
        run_id,
        is_moot,
        now,
    )
    await _due_now(connection, [row["incident_id"] for row in rows], now)


async def not_told(connection: Connection, run_id: UUID, error: str, now: datetime) -> None:
    """Note that a run could not tell; the next channel is due at once."""
    rows = await connection.fetch(
        "UPDATE alerts SET error = $2 WHERE run_id = $1 AND told_at IS NULL RETURNING incident_id",
        run_id,
        storable(error[:500]),
    )
    await _due_now(connection, [row["incident_id"] for row in rows], now)


async def _due_now(connection: Connection, incident_ids: Collection[UUID | None], now: datetime) -> None:
    # In one order: two runs of one digest end at the same time.
    await connection.execute(
        """
        UPDATE incidents SET alert_due_at = $2 FROM (
            SELECT id FROM incidents WHERE id = ANY($1) AND alert_phase = 'telling' ORDER BY id FOR UPDATE
        ) AS telling WHERE incidents.id = telling.id
        """,
        [each for each in incident_ids if each is not None],
        now,
    )
