"""An account as this process knows it: the calls it has leased, and whether the vendor asked for rest."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from mainstay.db import acquire
from mainstay.gates import store
from mainstay.gates.rules import Lease
from mainstay.model import Lane

if TYPE_CHECKING:
    from mainstay.db import Pool

# A wait this long is not worth a trip through the queue.
PATIENCE_SECONDS = 1.0
_SHORTEST_WAIT = 0.01


class Account:
    """One account at a vendor, whichever workspaces use it.

    Attributes:
        has_budget: whether its calls are counted.
        closed_until: when the vendor's rest ends, by ``now``.
        backlog: the lanes in which runs are held at this account's gates: whoever comes now is behind them.
    """

    def __init__(
        self, name: str, pool: Pool, *, has_budget: bool, now: Callable[[], float], at: Callable[[], datetime | None]
    ) -> None:
        self.name = name
        self.has_budget = has_budget
        self.closed_until = 0.0
        self.backlog: frozenset[Lane] = frozenset()
        self._pool = pool
        self._now = now
        self._at = at
        self._leases = {lane: Lease() for lane in Lane}
        self._wanting = dict.fromkeys(Lane, 0)
        self._fetching: dict[Lane, asyncio.Task[float]] = {}

    @property
    def is_resting(self) -> bool:
        """Whether the vendor asked for rest."""
        return self.closed_until > 0 and self._now() < self.closed_until

    def is_behind(self, lane: Lane) -> bool:
        """Tell whether a call of this lane would overtake runs that are held: leads overtake backfill alone."""
        return self.has_budget and bool(self.backlog) and (lane is Lane.BACKFILL or Lane.LEAD in self.backlog)

    def take(self, lane: Lane) -> float | None:
        """Use one leased call; returns until when it may begin, None where there is none now."""
        if self.is_resting:
            return None
        if not self.has_budget:
            return float("inf")
        lease = self._leases[lane]
        return lease.until if lease.take(self._now()) else None

    async def acquire(self, lane: Lane, *, patience: float = PATIENCE_SECONDS) -> float | None:
        """Use one call, leased anew if need be; returns until when it may begin, None where that would take long."""
        deadline = self._now() + patience
        while (until := self.take(lane)) is None:
            wait = self.closed_until - self._now()
            if wait <= 0:
                wait = await self._lease_more(lane)
            # Also where there were some: on a machine that is too busy they may be over before they are here.
            if self._now() + wait > deadline:
                return None
            if not wait:
                continue
            await asyncio.sleep(max(wait, _SHORTEST_WAIT))
        return until

    async def _lease_more(self, lane: Lane) -> float:
        """Lease for all who want a call now; returns the seconds until there may be some, 0 when there are."""
        self._wanting[lane] += 1
        try:
            fetching = self._fetching.get(lane)
            if fetching is None:
                fetching = self._fetching[lane] = asyncio.create_task(self._fetch(lane))
            return await asyncio.shield(fetching)
        finally:
            self._wanting[lane] -= 1

    async def _fetch(self, lane: Lane) -> float:
        try:
            # One turn of the loop lets those who come together ask together.
            await asyncio.sleep(0)
            lease, needed = self._leases[lane], max(1, self._wanting[lane])
            async with acquire(self._pool) as connection:
                asked_at = self._now()
                # As many again as went in the last one: a steady stream asks once a lease.
                granted = await store.lease(connection, self.name, lane, needed=needed, ahead=lease.used, at=self._at())
            # Counted from before the question, so that it ends here before it ends there.
            lease.renew(granted.count, asked_at + granted.waited + granted.seconds)
            return 0.0 if granted.count else max(granted.wait, _SHORTEST_WAIT)
        finally:
            del self._fetching[lane]


class Slots:
    """Places for calls at once, leads before backfill, each in order. ``limit`` may change at any time."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._taken = 0
        self._waiting: dict[Lane, deque[asyncio.Future[None]]] = {lane: deque() for lane in Lane}

    async def acquire(self, lane: Lane) -> None:
        """Take a place, or wait for one."""
        if self._taken < self.limit and not any(self._waiting.values()):
            self._taken += 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[lane].append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.release()
            raise

    def release(self) -> None:
        """Give a place back."""
        self._taken -= 1
        self.admit()

    def admit(self) -> None:
        """Let in who waits, as far as there is room."""
        for lane in (Lane.LEAD, Lane.BACKFILL):
            waiting = self._waiting[lane]
            while waiting and self._taken < self.limit:
                place = waiting.popleft()
                if not place.done():
                    self._taken += 1
                    place.set_result(None)
