"""Pulls as people look at them: how far the system of record is read, and what its webhooks miss."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.insight.tallies import tallies_since

if TYPE_CHECKING:
    from mainstay.db import Connection

WINDOW = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class PullRow:
    """How a connection is pulled from: its contacts and the other types of record that it is right about, together.

    Of the changes of the last seven days ``brought`` came by pulls, ``missed`` of them by no webhook. ``pulled_at`` is
    since when all is read that had changed; None before the first time. ``run_id`` is of the run that pulls now, or
    failed to, with its ``run_state``; None for neither.
    """

    name: str
    pulled_at: datetime | None
    brought: int
    missed: int
    run_id: UUID | None
    run_state: str


async def list_pulls(connection: Connection, workspace_id: UUID, now: datetime) -> tuple[PullRow, ...]:
    """Return the connections that are pulled from, by name."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT ON (connection) connection, runs.id AS open_run_id, runs.state AS run_state,
               CASE WHEN bool_and(pulled_at IS NOT NULL) OVER each THEN min(pulled_at) OVER each END AS pulled_at
        FROM pulls LEFT JOIN runs ON runs.id = pulls.run_id AND runs.handled_at IS NULL
             AND runs.state IN ('queued', 'running', 'waiting', 'failed')
        WHERE pulls.workspace_id = $1 WINDOW each AS (PARTITION BY connection)
        ORDER BY connection, runs.state = 'failed' DESC NULLS LAST, runs.id
        """,
        workspace_id,
    )
    if not rows:
        return ()
    tallies = await tallies_since(connection, workspace_id, now - WINDOW, "pull")

    def count(name: str, label: str) -> int:
        found = tallies.get((name, label))
        return found.count if found else 0

    return tuple(
        PullRow(
            row["connection"],
            row["pulled_at"],
            count(row["connection"], "brought"),
            count(row["connection"], "missed"),
            row["open_run_id"],
            row["run_state"] or "",
        )
        for row in rows
    )
