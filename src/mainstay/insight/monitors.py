"""Monitors as people look at them: how each stands, what it said last, what is expected next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from mainstay.db import Connection, Row

_MOST = 500
_LATEST = 30


@dataclass(frozen=True, slots=True)
class MonitorRow:
    """One monitor, of any ``kind``.

    ``state`` is ``new`` (not heard of yet), ``running`` (it said that it begins), ``up``, ``late`` (expected, within
    its grace) or ``down``. ``rule`` says in words when it is expected; ``took`` how long it ran last; ``incident_id``
    is of the open incident.
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
    SELECT monitors.*, incidents.id AS incident_id FROM monitors
    LEFT JOIN incidents ON incidents.workspace_id = monitors.workspace_id AND incidents.state = 'open'
                       AND incidents.fingerprint = 'monitor|' || monitors.kind || '|' || monitors.name
    WHERE monitors.workspace_id = $1 AND monitors.is_declared
"""


async def list_monitors(connection: Connection, workspace_id: UUID, now: datetime) -> tuple[MonitorRow, ...]:
    """Return a workspace's monitors: what is down first, then what is late, then by name."""
    rows = await connection.fetch(f"{_QUERY} ORDER BY kind, name LIMIT {_MOST}", workspace_id)
    found = [_row_of(row, now) for row in rows]
    order = {"down": 0, "late": 1}
    return tuple(sorted(found, key=lambda row: order.get(row.state, 2)))


async def find_monitor(
    connection: Connection, workspace_id: UUID, name: str, now: datetime, *, kind: str = "ping"
) -> MonitorRow | None:
    """Return one monitor, or None."""
    row = await connection.fetchrow(f"{_QUERY} AND kind = $2 AND name = $3", workspace_id, kind, name)
    return None if row is None else _row_of(row, now)


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
    values = {name: row[name] for name in MonitorRow.__dataclass_fields__}
    return MonitorRow(**{**values, "state": _state_of(row, now)})


def _state_of(row: Row, now: datetime) -> str:
    state: str = row["state"]
    if state == "down" or (row["alert_at"] is not None and row["alert_at"] <= now):
        return "down"
    if row["started_at"] is not None:
        return "running"
    if row["expected_at"] is not None and row["expected_at"] <= now:
        return "late"
    return state
