"""The same driver without a queue: runs are driven here and now, under a clock that the caller moves. For tests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from mainstay.db import acquire
from mainstay.runs import begin_missed

if TYPE_CHECKING:
    from mainstay.db import Pool
    from mainstay.engine.driver import Driver


class Ticking(Protocol):
    """What fires schedules."""

    async def declare(self) -> None:
        """Let the schedules begin."""
        ...

    async def fire_due(self) -> int:
        """Fire every tick that is due; returns how many runs began."""
        ...

    async def next_moment(self) -> datetime | None:
        """Return when the next tick is due."""
        ...


class VirtualClock:
    """A clock that stands still until it is moved."""

    def __init__(self, start: datetime | None = None) -> None:
        self.now = start or datetime.now(UTC)

    def __call__(self) -> datetime:
        """Return the virtual time."""
        return self.now


class TimedGates(Protocol):
    """The gates, as far as they go by the clock."""

    async def tick(self) -> bool:
        """Let through who may go on now."""
        ...

    async def next_moment(self) -> datetime | None:
        """Return when a gate next opens by itself for a run that is held."""
        ...


class Watching(Protocol):
    """What has moments of its own: finds that something did not come, or tells of what did."""

    async def look(self) -> int:
        """Do what is due by now; returns how much was."""
        ...

    async def next_moment(self) -> datetime | None:
        """Return when the next is due."""
        ...


class InlineEngine:
    """Drives what is due by a virtual clock, in order, in this process."""

    def __init__(
        self,
        pool: Pool,
        driver: Driver,
        clock: VirtualClock,
        ticking: Ticking,
        gates: TimedGates,
        watching: Sequence[Watching] = (),
    ) -> None:
        self._pool = pool
        self._driver = driver
        self._clock = clock
        self._ticking = ticking
        self._gates = gates
        self._watching = watching

    async def settle(self) -> None:
        """Drive until nothing is due."""
        while True:
            await self._ticking.fire_due()
            await self._gates.tick()
            for watching in self._watching:
                await watching.look()
            for execution_id in (executions := await self._due()):
                await self._driver.drive(execution_id)
            if not executions:
                await begin_missed(self._pool, None)
                if not await self._due():
                    return

    async def advance(self, length: timedelta) -> None:
        """Move the clock, stopping at every moment on the way at which a run becomes due."""
        end = self._clock.now + length
        await self.settle()
        while (moment := await self._next_moment()) is not None and moment <= end:
            self._clock.now = max(self._clock.now, moment)
            await self.settle()
        self._clock.now = end

    async def _due(self) -> list[str]:
        async with acquire(self._pool) as connection:
            rows = await connection.fetch(
                """
                SELECT execution_id FROM runs
                WHERE state IN ('queued', 'running') OR state = 'waiting' AND (
                    deadline_at <= $1 OR NOT is_behind AND (wake_at <= $1 OR EXISTS (
                        SELECT FROM waits WHERE waits.run_id = runs.id AND waits.event IS NOT NULL AND NOT waits.seen)))
                GROUP BY execution_id ORDER BY min(id::text)
                """,
                self._clock.now,
            )
        return [row["execution_id"] for row in rows]

    async def _next_moment(self) -> datetime | None:
        async with acquire(self._pool) as connection:
            wake_at = await connection.fetchval(
                """
                SELECT min(least(deadline_at, CASE WHEN NOT is_behind THEN wake_at END)) FROM runs
                WHERE state = 'waiting'
                """
            )
        watched = [await watching.next_moment() for watching in self._watching]
        moments = (wake_at, await self._ticking.next_moment(), await self._gates.next_moment(), *watched)
        return min(filter(None, moments), default=None)
