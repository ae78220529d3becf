"""Goes through the monitors of a kind that are due, each in its own transaction: one that fails holds up no other."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.db import acquire, transact
from mainstay.errors import DatabaseUnavailableError
from mainstay.monitors import store

if TYPE_CHECKING:
    from mainstay.db import Connection, Pool, Row
    from mainstay.engine.history import Clock

log = logging.getLogger(__name__)

Look = Callable[["Connection", "Row", datetime], Awaitable[bool]]
"""Looks at a monitor that is held, moves its ``alert_at`` on, and tells whether it reported something."""


class Looking:
    """Looks at what is due of one kind. ``clock`` is a test's."""

    def __init__(self, pool: Pool, kind: str, workspaces: Mapping[UUID, object], clock: Clock | None = None) -> None:
        self._pool = pool
        self._kind = kind
        self._workspaces = workspaces
        self._clock = clock

    async def look(self, look: Look) -> int:
        """Look at every monitor that is due; returns of how many something was reported."""
        tried: set[str] = set()
        found = 0
        while True:
            before = len(tried)
            try:
                reported = await transact(self._pool, lambda connection: self._next(connection, tried, look))
            except DatabaseUnavailableError:
                raise
            except Exception:
                if len(tried) == before:
                    raise
                log.exception("a monitor that is due could not be looked at; the others go on")
                continue
            if reported is None:
                return found
            found += reported

    async def _next(self, connection: Connection, tried: set[str], look: Look) -> bool | None:
        """Look at the one that is due for the longest, and note it as ``tried``; None for none."""
        now = await self.now(connection)
        row = await store.hold_due(connection, self._kind, list(self._workspaces), now, list(tried))
        if row is None:
            return None
        tried.add(f"{row['workspace_id']} {row['name']}")
        return await look(connection, row, now)

    async def next_moment(self) -> datetime | None:
        """Return when the next is due."""
        async with acquire(self._pool) as connection:
            return await store.first_due_at(connection, self._kind, list(self._workspaces))

    async def now(self, connection: Connection) -> datetime:
        """Return the time that all processes go by: the database's."""
        if self._clock is not None:
            return self._clock()
        now: datetime = await connection.fetchval("SELECT clock_timestamp()")
        return now
