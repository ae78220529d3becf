"""Schedules: when each fires next, and what became of its last tick."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from mainstay.db import Connection


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """One schedule. ``missed`` counts the ticks that nobody was there to fire; ``last_state`` is its last run's."""

    workflow: str
    cron: str
    timezone: str
    catch_up: str
    next_at: datetime | None
    last_tick: datetime | None
    last_run_id: UUID | None
    last_state: str | None
    missed: int


async def list_schedules(connection: Connection, workspace_id: UUID) -> tuple[ScheduleRow, ...]:
    """Return a workspace's schedules, the next to fire first."""
    rows = await connection.fetch(
        """
        SELECT schedules.*, runs.state AS last_state FROM schedules LEFT JOIN runs ON runs.id = schedules.last_run_id
        WHERE schedules.workspace_id = $1 ORDER BY next_at NULLS LAST, workflow
        """,
        workspace_id,
    )
    return tuple(ScheduleRow(**{name: row[name] for name in ScheduleRow.__dataclass_fields__}) for row in rows)
