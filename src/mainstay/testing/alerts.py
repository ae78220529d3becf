"""What a stack under test told people of trouble."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.db import acquire

if TYPE_CHECKING:
    from mainstay.db import Pool


@dataclass(frozen=True, slots=True)
class CapturedAlert:
    """One alert: its incident in words, what to do, and where it went.

    ``sent_to`` are the targets (``#alerts``, ``ops@example.com``) that have it; none where stack.toml names none, or
    while its vendor is away.
    """

    title: str
    cause: str
    mend: str
    workflow: str
    connection: str
    sent_to: tuple[str, ...] = ()


async def captured_alerts(pool: Pool, workspace_id: UUID) -> list[CapturedAlert]:
    """Return a workspace's alerts, the oldest first: one for each incident, whether or not anyone is to be told."""
    async with acquire(pool) as connection:
        rows = await connection.fetch(
            """
            SELECT title, cause, mend, incidents.workflow, connection, coalesce(told.targets, '{}') AS targets
            FROM incidents LEFT JOIN LATERAL (
                SELECT array_agg(route ->> 'target' ORDER BY told_at, id) AS targets FROM alerts
                WHERE incident_id = incidents.id AND told_at IS NOT NULL AND kind <> 'recovered'
            ) AS told ON true
            WHERE workspace_id = $1 ORDER BY incidents.id
            """,
            workspace_id,
        )
    return [
        CapturedAlert(
            row["title"], row["cause"], row["mend"], row["workflow"], row["connection"], tuple(row["targets"])
        )
        for row in rows
    ]
