"""Incidents: what is broken, since when, and how many runs it holds up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.insight.counting import COUNT_LIMIT, Count, count_of
from mainstay.insight.paging import PAGE_SIZE, Page, Row, page_of
from mainstay.watch.outages import OUTAGE
from mainstay.watch.rules import REPORT

if TYPE_CHECKING:
    from mainstay.db import Connection

_MOST_OPEN = 100


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """One incident. ``stopped`` counts the failed runs that nobody has handled, ``moving`` those under way again.

    ``leads`` counts the people whose runs those are; of one that is resolved, whose they were. ``severity`` is
    ``critical`` or ``other``. ``reopened`` is how often its cause came back.

    Of one with a ``source``, ``occurrences`` counts requests that are in quarantine, or failures that a no-code layer
    reported (``is_reported``). One ``is_of_monitor`` has no runs either, and ends when its job is heard of again.
    """

    id: UUID
    state: str
    title: str
    cause: str
    mend: str
    workflow: str
    connection: str
    source: str
    severity: str
    is_reported: bool
    is_of_monitor: bool
    is_of_outage: bool
    occurrences: int
    reopened: int
    first_seen: datetime
    last_seen: datetime
    resolved_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str
    stopped: Count
    moving: Count
    leads: Count

    @property
    def life(self) -> str:
        """Where it is in its life: ``open``, ``acknowledged``, ``recovering`` or ``resolved``."""
        if self.state == "resolved":
            return "resolved"
        if self.is_recovering:
            return "recovering"
        return "acknowledged" if self.acknowledged_at else "open"

    @property
    def is_recovering(self) -> bool:
        """Tell whether all that it had stopped is under way again."""
        return self.state == "open" and bool(self.moving) and not self.stopped

    @property
    def is_foreseen(self) -> bool:
        """Tell whether it is of what will happen to a connection unless somebody acts: nothing is broken yet."""
        return bool(self.connection) and not self.workflow and not self.source and not self.is_of_outage


_QUERY = f"""
    SELECT incidents.*, starts_with(fingerprint, '{REPORT}') AS is_reported,
           starts_with(fingerprint, 'monitor|') AS is_of_monitor, starts_with(fingerprint, '{OUTAGE}') AS is_of_outage,
           affected.stopped, affected.moving,
           CASE incidents.state WHEN 'resolved' THEN were.leads ELSE affected.leads END AS leads
    FROM incidents CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE state = 'failed') AS stopped, count(*) FILTER (WHERE state <> 'failed') AS moving,
               count(DISTINCT coalesce(contact_id, delivery_id)) AS leads
        FROM (SELECT state, contact_id, delivery_id FROM runs WHERE incident_id = incidents.id
              AND (state IN ('queued', 'running', 'waiting') OR state = 'failed' AND handled_at IS NULL)
              LIMIT {COUNT_LIMIT + 1}) AS capped
    ) AS affected CROSS JOIN LATERAL (
        SELECT count(DISTINCT coalesce(contact_id, delivery_id)) AS leads
        FROM (SELECT contact_id, delivery_id FROM runs WHERE incident_id = incidents.id AND incidents.state = 'resolved'
              ORDER BY id DESC LIMIT {COUNT_LIMIT + 1}) AS newest
    ) AS were
"""  # noqa: S608 - a number of ours


async def open_incidents(connection: Connection, workspace_id: UUID) -> tuple[IncidentRow, ...]:
    """Return the open incidents, the latest news first (at most a hundred)."""
    rows = await connection.fetch(
        f"{_QUERY} WHERE workspace_id = $1 AND state = 'open' ORDER BY last_seen DESC LIMIT {_MOST_OPEN}", workspace_id
    )
    return tuple(_incident_of(row) for row in rows)


async def resolved_incidents(
    connection: Connection, workspace_id: UUID, *, before: UUID | None = None, size: int = PAGE_SIZE
) -> Page[IncidentRow]:
    """Return resolved incidents, the latest first."""
    rows = await connection.fetch(
        f"""
        {_QUERY} WHERE workspace_id = $1 AND state = 'resolved'
          AND ($2::uuid IS NULL OR (last_seen, id) < (SELECT last_seen, id FROM incidents WHERE id = $2))
        ORDER BY last_seen DESC, id DESC LIMIT $3
        """,  # noqa: S608 - parts from this file
        workspace_id,
        before,
        size + 1,
    )
    return page_of(rows, _incident_of, size)


async def count_newer_incidents(connection: Connection, workspace_id: UUID, seen: datetime) -> Count:
    """Count the open incidents that began after ``seen``."""
    return count_of(
        await connection.fetchval(
            f"""
            SELECT count(*) FROM (SELECT FROM incidents WHERE workspace_id = $1 AND state = 'open' AND last_seen > $2
                                  AND first_seen > $2 LIMIT {COUNT_LIMIT + 1}) AS capped
            """,  # noqa: S608 - a number of ours
            workspace_id,
            seen,
        )
    )


async def incident_detail(connection: Connection, workspace_id: UUID, incident_id: UUID) -> IncidentRow | None:
    """Return one incident, or None."""
    row = await connection.fetchrow(f"{_QUERY} WHERE id = $1 AND workspace_id = $2", incident_id, workspace_id)
    return None if row is None else _incident_of(row)


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One message about an incident over one channel; ``told_at`` is None while it has not got through."""

    kind: str
    route: str
    run_id: UUID
    begun_at: datetime
    told_at: datetime | None
    error: str


async def list_alerts(connection: Connection, incident_id: UUID) -> tuple[AlertRow, ...]:
    """Return what was told of an incident, the oldest first (the last hundred)."""
    rows = await connection.fetch(
        """
        SELECT kind, route ->> 'written' AS route, run_id, begun_at, told_at, error FROM alerts
        WHERE incident_id = $1 ORDER BY id DESC LIMIT 100
        """,
        incident_id,
    )
    return tuple(AlertRow(**dict(row)) for row in reversed(rows))


def _incident_of(row: Row) -> IncidentRow:
    values = {name: row[name] for name in IncidentRow.__dataclass_fields__}
    return IncidentRow(**{**values, **{name: count_of(row[name]) for name in ("stopped", "moving", "leads")}})
