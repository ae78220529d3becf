"""Monitors as people look at them: how each stands, what it said last, what is expected next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.insight.tallies import tallies_since

if TYPE_CHECKING:
    from mainstay.db import Connection, Row

_MOST = 500
PING = "ping"
_LATEST = 30


@dataclass(frozen=True, slots=True)
class MonitorRow:
    """One monitor, of any kind.

    ``kind`` is ``ping``, ``source``, ``outcome``, ``canary``, ``schedule``, ``queue``, ``connection``, ``access`` or
    ``webhooks``.

    ``state`` is ``new`` (not heard of yet), ``running`` (it said that it begins), ``up``, ``late`` (expected, within
    its grace) or ``down``. ``rule`` says in words when it is expected; ``took`` how long it ran last; ``incident_id``
    is of the open incident. Of a source that is learned, ``rhythm`` is how many leads are usual, by weekday (Monday
    first) and hour.
    """

    kind: str
    name: str
    rule: str
    state: str
    seen_at: datetime | None
    started_at: datetime | None
    took: timedelta | None
    expected_at: datetime | None
    alert_at: datetime | None
    pings: int
    incident_id: UUID | None
    rhythm: tuple[tuple[float, ...], ...] | None = None

    @property
    def by_day(self) -> tuple[float, ...]:
        """How many leads are usual on each weekday, Monday first; empty where nothing is learned."""
        return tuple(sum(hours) for hours in self.rhythm) if self.rhythm else ()


@dataclass(frozen=True, slots=True)
class BreachRow:
    """A lead of which something was missing when its time was over. ``is_met`` says that it came later."""

    event_id: UUID
    contact_id: UUID | None
    name: str
    source: str
    at: datetime
    due_at: datetime
    missing: tuple[str, ...]
    is_met: bool
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class PingRow:
    """One ping; ``number`` counts those of its monitor from 1."""

    number: int
    at: datetime
    signal: str
    method: str
    exit_status: int | None
    rid: UUID | None
    took: timedelta | None
    body: str


_QUERY = """
    SELECT monitors.*, told.id AS incident_id FROM monitors LEFT JOIN LATERAL (
        SELECT id FROM incidents WHERE incidents.workspace_id = monitors.workspace_id AND state = 'open'
          AND fingerprint IN ('monitor|' || monitors.kind || '|' || monitors.name,
                              CASE monitors.kind WHEN 'access' THEN 'access|' WHEN 'webhooks' THEN 'missed|'
                                   WHEN 'connection' THEN 'outage|' END || monitors.name)
        ORDER BY first_seen LIMIT 1
    ) AS told ON true
    WHERE monitors.workspace_id = $1 AND monitors.is_declared
"""


async def list_monitors(connection: Connection, workspace_id: UUID, now: datetime) -> tuple[MonitorRow, ...]:
    """Return a workspace's monitors: what is down first, then what is late, then by name."""
    rows = await connection.fetch(f"{_QUERY} ORDER BY kind, name LIMIT {_MOST}", workspace_id)
    found = [_row_of(row, now) for row in rows]
    order = {"down": 0, "late": 1}
    return tuple(sorted(found, key=lambda row: order.get(row.state, 2)))


async def find_monitor(
    connection: Connection, workspace_id: UUID, name: str, now: datetime, *, kind: str = ""
) -> MonitorRow | None:
    """Return one monitor, or None; without a kind one that pings goes before others of its name."""
    row = await connection.fetchrow(
        f"{_QUERY} AND ($2 = '' OR kind = $2) AND name = $3 ORDER BY kind <> 'ping', kind LIMIT 1",
        workspace_id,
        kind,
        name,
    )
    return None if row is None else _row_of(row, now)


async def list_breaches(
    connection: Connection, workspace_id: UUID, outcome: str, *, size: int = _LATEST
) -> tuple[BreachRow, ...]:
    """Return the leads of which something was missing, the newest first."""
    rows = await connection.fetch(
        """
        SELECT found.*, trim(contacts.first_name || ' ' || contacts.last_name) AS name
        FROM (SELECT * FROM outcome_breaches WHERE workspace_id = $1 AND outcome = $2
              ORDER BY event_id DESC LIMIT $3) AS found
        LEFT JOIN contacts ON contacts.id = surviving(found.contact_id) ORDER BY event_id DESC
        """,
        workspace_id,
        outcome,
        size,
    )
    names = [name for name in BreachRow.__dataclass_fields__ if name not in {"missing", "name"}]
    return tuple(
        BreachRow(missing=tuple(row["missing"]), name=row["name"] or "", **{name: row[name] for name in names})
        for row in rows
    )


@dataclass(frozen=True, slots=True)
class OutcomeCount:
    """How many leads had all that was promised in time, in the last seven days, and how many not."""

    met: int
    missed: int


async def outcome_count(connection: Connection, workspace_id: UUID, outcome: str, now: datetime) -> OutcomeCount | None:
    """Count the leads of an outcome; None where no lead's time was over."""
    tallies = await tallies_since(connection, workspace_id, now - timedelta(days=7), "outcome")
    met, missed = (tallies.get((outcome, label)) for label in ("met", "missed"))
    if met is None and missed is None:
        return None
    return OutcomeCount(met.count if met else 0, missed.count if missed else 0)


async def list_pings(
    connection: Connection, workspace_id: UUID, monitor: str, *, size: int = _LATEST
) -> tuple[PingRow, ...]:
    """Return what a monitor was told, the newest first."""
    rows = await connection.fetch(
        "SELECT * FROM pings WHERE workspace_id = $1 AND monitor = $2 ORDER BY number DESC LIMIT $3",
        workspace_id,
        monitor,
        size,
    )
    return tuple(PingRow(**{name: row[name] for name in PingRow.__dataclass_fields__}) for row in rows)


def _row_of(row: Row, now: datetime) -> MonitorRow:
    values = {name: row[name] for name in MonitorRow.__dataclass_fields__ if name != "rhythm"}
    rates = row["facts"].get("rates")
    rhythm = tuple(tuple(hours) for hours in rates) if rates else None
    return MonitorRow(**{**values, "state": _state_of(row, now), "rhythm": rhythm})


def _state_of(row: Row, now: datetime) -> str:
    state: str = row["state"]
    if row["kind"] != PING:
        return state
    if state == "down" or (row["alert_at"] is not None and row["alert_at"] <= now):
        return "down"
    if row["started_at"] is not None:
        return "running"
    if row["expected_at"] is not None and row["expected_at"] <= now:
        return "late"
    return state
