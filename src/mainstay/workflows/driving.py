"""Drives executions while their callers wait, and hands them over to the queue in good time."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import timedelta

from mainstay.engine import Driver, Stint
from mainstay.errors import DatabaseUnavailableError
from mainstay.runs import GRACE

log = logging.getLogger(__name__)

MOST_AT_ONCE = 64
_MARGIN_SECONDS = 1.0
_CLOSING_SECONDS = 2.0


class Driving:
    """Executions that this process drives for callers.

    At the caller's deadline a run is handed over at its next step, so that none is broken off in the middle of one.
    What is still within a step when the queue is about to take over is broken off then, and the ledger says so.
    """

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._under_way: set[asyncio.Task[None]] = set()
        self._is_closing = False

    @property
    def has_room(self) -> bool:
        """Tell whether one more can be driven; past that the queue has it at once."""
        return len(self._under_way) < MOST_AT_ONCE and not self._is_closing

    async def drive(self, execution_id: str, within: timedelta, began: float) -> bool:
        """Drive an execution until its runs have ended or wait, but at most until the deadline; False past it.

        ``began`` is when the caller began to wait, by ``time.monotonic``. The drive outlives a caller that leaves.
        """
        deadline = began + within.total_seconds()
        task = asyncio.create_task(self._drive(execution_id, deadline))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        done, _ = await asyncio.wait([task], timeout=max(0.0, deadline - time.monotonic()))
        return bool(done)

    async def _drive(self, execution_id: str, deadline: float) -> None:
        left = deadline - time.monotonic() + GRACE.total_seconds() - _MARGIN_SECONDS
        # By the wall clock, which goes on while a machine is suspended.
        taken_over_at = time.time() + left
        stint = Stint(
            hands_over=lambda: self._is_closing or time.monotonic() >= deadline,
            in_doubt=lambda: time.time() >= taken_over_at,
        )
        try:
            async with asyncio.timeout(left):
                await self._driver.drive(execution_id, stint)
        except* TimeoutError:
            log.warning("execution %s was broken off in the middle of a step; the queue goes on with it", execution_id)
        except* DatabaseUnavailableError:
            log.warning("PostgreSQL is away; the queue goes on with execution %s", execution_id)
        except* Exception:
            log.exception("execution %s could not be driven here; the queue goes on with it", execution_id)

    async def close(self) -> None:
        """Hand over what is under way, and wait a moment for that."""
        self._is_closing = True
        if self._under_way:
            _, late = await asyncio.wait(set(self._under_way), timeout=_CLOSING_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
