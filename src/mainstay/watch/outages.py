"""Connections that let nothing through for longer than is usual: calls merely wait, so nothing else would say so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.db import acquire, transact
from mainstay.watch.rules import Trouble

if TYPE_CHECKING:
    from mainstay.db import Connection, Pool, Row
    from mainstay.watch.alert import Alerter, Alerting
    from mainstay.watch.routes import Severity

OUTAGE = "outage|"
"""What the fingerprint of such a trouble begins with; the connection's name follows."""
_MOST_HELD = 1000


class Outages:
    """Looks at the gates of a process's workspaces. ``clock`` is a test's."""

    def __init__(
        self, pool: Pool, alerting: Alerting, alerter: Alerter, clock: Callable[[], datetime] | None = None
    ) -> None:
        self._pool = pool
        self._alerting = alerting
        self._alerter = alerter
        self._clock = clock

    async def look(self) -> None:
        """Open the incident of each connection that is stopped for too long, and resolve those of the others."""
        for workspace_id in self._alerting.workspaces:
            async with acquire(self._pool) as connection:
                stopped = {row["name"]: row for row in await self._stopped(connection, workspace_id)}
                known = await _open(connection, workspace_id)
            if stopped.keys() != known:
                await transact(self._pool, partial(self._judge, workspace_id=workspace_id))

    async def _judge(self, connection: Connection, workspace_id: UUID) -> None:
        # One look at a time: of two, both would count the same outage.
        await connection.execute("SELECT FROM workspaces WHERE id = $1 FOR NO KEY UPDATE", workspace_id)
        stopped = {row["name"]: row for row in await self._stopped(connection, workspace_id)}
        known = await _open(connection, workspace_id)
        for name in sorted(stopped.keys() - known):
            severity = await self._severity(connection, workspace_id, name)
            trouble = trouble_of_outage(stopped[name], severity)
            await self._alerter.raise_trouble(connection, workspace_id, trouble)
        for name in sorted(known - stopped.keys()):
            await self._alerter.recover(connection, workspace_id, OUTAGE + name)

    async def _stopped(self, connection: Connection, workspace_id: UUID) -> list[Row]:
        """Return what is stopped for too long; a pause, and a rest that the vendor asked for, if calls wait there."""
        alerts = self._alerting.workspace(workspace_id).alerts
        return list(
            await connection.fetch(
                """
                SELECT gate.*, closed_until, moment, held.count AS held, paused_at IS NOT NULL AS is_paused,
                       opened_at IS NOT NULL AND paused_at IS NULL AS is_out
                FROM connections AS gate JOIN accounts USING (account)
                CROSS JOIN (SELECT coalesce($4, clock_timestamp()) AS moment) AS now
                CROSS JOIN LATERAL (
                    SELECT count(*) FROM (
                        SELECT FROM runs WHERE runs.workspace_id = $1 AND held_at = gate.name AND held_at <> ''
                        AND state = 'waiting' LIMIT $5) AS capped
                ) AS held
                WHERE workspace_id = $1 AND CASE
                    WHEN paused_at IS NOT NULL THEN paused_at < moment - $3::interval AND held.count > 0
                    WHEN opened_at IS NOT NULL THEN opened_at < moment - $2::interval
                    ELSE closed_until > moment + $2::interval AND held.count > 0 END
                """,
                workspace_id,
                alerts.outage_after,
                alerts.paused_after,
                self._clock() if self._clock else None,
                _MOST_HELD + 1,
            )
        )

    async def _severity(self, connection: Connection, workspace_id: UUID, name: str) -> Severity:
        """Return how grave it is that a connection is stopped: as its gravest workflow that waits there."""
        rows = await connection.fetch(
            """
            SELECT DISTINCT workflow FROM (
                SELECT workflow FROM runs WHERE workspace_id = $1 AND held_at = $2 AND held_at <> ''
                AND state = 'waiting' LIMIT $3) AS held
            """,
            workspace_id,
            name,
            _MOST_HELD,
        )
        return (
            "critical"
            if any(self._alerting.workspace(workspace_id).is_critical(row["workflow"]) for row in rows)
            else "other"
        )


async def _open(connection: Connection, workspace_id: UUID) -> set[str]:
    rows = await connection.fetch(
        """
        SELECT fingerprint FROM incidents
        WHERE workspace_id = $1 AND state = 'open' AND fingerprint >= $2 AND fingerprint < $3
        """,
        workspace_id,
        OUTAGE,
        OUTAGE[:-1] + chr(ord(OUTAGE[-1]) + 1),
    )
    return {row["fingerprint"].removeprefix(OUTAGE) for row in rows}


def trouble_of_outage(row: Row, severity: Severity) -> Trouble:
    """Describe a connection that lets nothing through; ``row`` is its gate's."""
    name, held = row["name"], row["held"]
    runs = "1 run waits" if held == 1 else f"{'More than 1,000' if held > _MOST_HELD else held} runs wait"
    waiting = f" {runs}; nothing is lost." if held else " Nothing waits for it yet."
    if row["is_paused"]:
        by = f" by {row['paused_by']}" if row["paused_by"] else ""
        why = f": {row['pause_reason']}" if row["pause_reason"] else ""
        title = f"{name} is paused, and runs wait"
        cause = f"It was paused{by} {_ago(row['moment'] - row['paused_at'])} ago{why}.{waiting}"
        mend = f"When it may go on: mainstay connections resume {name}"
    elif row["is_out"]:
        title = f"{name} does not answer"
        cause = f"For {_ago(row['moment'] - row['opened_at'])}: {row['error'] or 'its calls fail'}.{waiting}"
        mend = (
            "It is asked again and again, and goes on by itself when it answers. If that is long: see its status page."
        )
    else:
        title = f"{name} asks us to wait"
        cause = f"Its vendor takes no calls before {row['closed_until']:%Y-%m-%d %H:%M} UTC.{waiting}"
        mend = "It goes on by itself then. If it comes back often, raise the account's limits at the vendor."
    return Trouble(
        fingerprint=OUTAGE + name,
        title=title,
        cause=cause,
        mend=mend,
        connection=name,
        severity=severity,
        ends_by="word",
    )


def _ago(length: timedelta) -> str:
    minutes = max(1, round(length.total_seconds() / 60))
    return "1 minute" if minutes == 1 else f"{minutes} minutes" if minutes < 120 else f"{round(minutes / 60)} hours"
