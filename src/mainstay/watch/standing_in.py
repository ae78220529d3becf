"""Who tells people that no worker lives: the web does, and sends by itself what is to be told meanwhile."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol

from mainstay.db import acquire, repeat, transact
from mainstay.watch.rules import Trouble

if TYPE_CHECKING:
    from mainstay.db import Connection, Pool
    from mainstay.watch.alert import Alerter, Alerting

log = logging.getLogger(__name__)

SILENT_SECONDS = 30.0
"""How long no worker was heard of: longer than a restart takes, and soon enough to tell within a minute."""
_LOOK_SECONDS = 5.0
_AT_ONCE = 50
_WORKERS = "workers|"


class Driving(Protocol):
    """What drives the runs of an execution; see :class:`mainstay.engine.Driver`."""

    async def drive(self, execution_id: str) -> None:
        """Drive them as far as they go."""
        ...


class StandIn:
    """Stands in for the workers of a database, as far as alerts go. Runs in the web's process."""

    def __init__(self, pool: Pool, alerting: Alerting, alerter: Alerter, driver: Driving) -> None:
        self._pool = pool
        self._alerting = alerting
        self._alerter = alerter
        self._driver = driver

    async def run(self) -> None:
        """Look until cancelled."""
        await repeat(self.look, _LOOK_SECONDS, "looking for workers")

    async def look(self) -> bool:
        """Open the incident of workers that are gone and send what is to be told; returns whether they are gone."""
        async with acquire(self._pool) as connection:
            age = await connection.fetchval(
                "SELECT extract(epoch FROM clock_timestamp() - max(heartbeat_at))::float8 FROM workers"
            )
        is_silent = age is not None and age > SILENT_SECONDS
        await transact(self._pool, self._tell if is_silent else self._recover)
        if not is_silent:
            return False
        await self._alerter.look()
        async with acquire(self._pool) as connection:
            rows = await connection.fetch(
                """
                SELECT DISTINCT runs.execution_id FROM alerts JOIN runs ON runs.id = alerts.run_id
                WHERE alerts.workspace_id = ANY($1) AND begun_at > now() - interval '1 hour' AND told_at IS NULL
                  AND runs.state = 'queued' LIMIT $2
                """,
                list(self._alerting.workspaces),
                _AT_ONCE,
            )
        # Side by side: one channel that hangs holds up no other.
        await asyncio.gather(*(self._driver.drive(row["execution_id"]) for row in rows))
        return True

    async def _tell(self, connection: Connection) -> None:
        for workspace_id in sorted(self._alerting.workspaces):
            await connection.execute("SELECT FROM workspaces WHERE id = $1 FOR NO KEY UPDATE", workspace_id)
            is_known = await connection.fetchval(
                "SELECT true FROM incidents WHERE workspace_id = $1 AND fingerprint = $2 AND state = 'open'",
                workspace_id,
                _WORKERS,
            )
            if not is_known:
                await self._alerter.raise_trouble(connection, workspace_id, _TROUBLE)

    async def _recover(self, connection: Connection) -> None:
        for workspace_id in sorted(self._alerting.workspaces):
            await self._alerter.recover(connection, workspace_id, _WORKERS)


_TROUBLE = Trouble(
    fingerprint=_WORKERS,
    title="No worker is running",
    cause="No worker has given a sign of life for half a minute. What comes in is kept, and nothing of it is done.",
    mend="Start one: mainstay worker (or mainstay up, which keeps one). Then all goes on by itself.",
    severity="critical",
    ends_by="word",
)
