"""The outgoing heartbeat: a watcher outside is told that work moves, so that Mainstay's own death is noticed.

It is sent only while a worker lives, the database takes writes, the watch has looked lately and no queue stands still.
Whatever ends one of these ends the heartbeat. The convention is that of healthchecks.io: the address for well, the
address with ``/fail`` for what is known to be wrong.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit
from uuid import UUID

from mainstay.db import acquire, repeat
from mainstay.errors import VendorError
from mainstay.kit import Http, HttpSettings
from mainstay.model import short_id

if TYPE_CHECKING:
    from mainstay.db import Connection, Pool
    from mainstay.kit.http import Session

log = logging.getLogger(__name__)

STANDS_STILL_AFTER = 60.0
"""Seconds for which the oldest queued run stays the oldest, and no worker takes any."""
WATCHED_WITHIN = 60.0
"""Seconds within which the watch must have looked."""
_LOOK_SECONDS = 5.0
_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Where a workspace's heartbeat goes, and how often."""

    url: str = field(repr=False)
    every: timedelta = timedelta(minutes=1)


class Beating(Protocol):
    """What the composition root knows of heartbeats."""

    @property
    def workspaces(self) -> Mapping[UUID, object]:
        """The workspaces that this process serves."""
        ...

    @property
    def watched_at(self) -> float | None:
        """When the watch last looked in this process, by ``time.monotonic``."""
        ...

    def heartbeat(self, workspace_id: UUID) -> Heartbeat | None:
        """Return where a workspace's heartbeat goes; None for nowhere."""
        ...


class Heart:
    """Beats for the workspaces of a worker's process. ``clock`` is monotonic, in seconds."""

    def __init__(
        self, pool: Pool, beating: Beating, session: Callable[[], Session], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pool = pool
        self._beating = beating
        self._session = session
        self._clock = clock
        self._oldest: dict[UUID, tuple[UUID | None, float]] = {}
        self._refused: set[UUID] = set()

    async def run(self) -> None:
        """Beat until cancelled. Whatever goes wrong here ends the heartbeat alone, never work."""
        await repeat(self.beat, _LOOK_SECONDS, "the heartbeat")

    async def beat(self) -> None:
        """Send what is due."""
        for workspace_id in self._beating.workspaces:
            heartbeat = self._beating.heartbeat(workspace_id)
            if heartbeat is None:
                continue
            async with acquire(self._pool) as connection:
                stuck = await self._stuck(connection, workspace_id)
                watched_at = self._beating.watched_at
                if watched_at is None or self._clock() - watched_at > WATCHED_WITHIN:
                    continue
                if not await _claim(connection, workspace_id, heartbeat.every):
                    continue
            await self._send(workspace_id, heartbeat, stuck)

    async def _stuck(self, connection: Connection, workspace_id: UUID) -> str:
        """Return why a queue stands still; empty where it moves, or nothing is in it.

        By what this process has seen itself: a run that a person retries is old, and has not waited.
        """
        row = await connection.fetchrow(
            """
            SELECT (SELECT id FROM runs WHERE workspace_id = $1 AND state = 'queued' ORDER BY id LIMIT 1) AS oldest,
                   (SELECT max(claimed_at) > now() - make_interval(secs => $2) FROM workers) AS moves
            """,
            workspace_id,
            STANDS_STILL_AFTER,
        )
        oldest, now = (row["oldest"], self._clock()) if row else (None, self._clock())
        seen, since = self._oldest.get(workspace_id, (None, now))
        if oldest is None or oldest != seen or (row and row["moves"]):
            self._oldest[workspace_id] = oldest, now
            return ""
        if now - since < STANDS_STILL_AFTER:
            return ""
        return f"The queue stands still: no worker has taken a run for {now - since:.0f} s; {short_id(oldest)} waits."

    async def _send(self, workspace_id: UUID, heartbeat: Heartbeat, stuck: str) -> None:
        address = _failing(heartbeat.url) if stuck else heartbeat.url
        settings = HttpSettings(address, secrets=(heartbeat.url, address), timeout=_TIMEOUT_SECONDS)
        try:
            await Http(self._session(), settings).request("POST", "", body=stuck.encode())
        except VendorError as error:
            if workspace_id not in self._refused:
                self._refused.add(workspace_id)
                log.warning("the heartbeat of [watch] does not get through: %s", error)
        else:
            self._refused.discard(workspace_id)


async def declare(connection: Connection, workspace_id: UUID) -> None:
    """Let a workspace have a heartbeat."""
    await connection.execute(
        "INSERT INTO heartbeats (workspace_id) VALUES ($1) ON CONFLICT (workspace_id) DO NOTHING", workspace_id
    )


async def _claim(connection: Connection, workspace_id: UUID, every: timedelta) -> bool:
    """Take the heartbeat that is due: of many workers one does. It also shows that the database takes writes."""
    found = await connection.fetchval(
        """
        UPDATE heartbeats SET sent_at = now() WHERE workspace_id = $1 AND sent_at <= now() - $2::interval
        RETURNING true
        """,
        workspace_id,
        every,
    )
    return found is not None


def _failing(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(path=parts.path.rstrip("/") + "/fail").geturl()
