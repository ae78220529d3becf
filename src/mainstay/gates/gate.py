"""One connection's gate as this process knows it, and a call's way through it."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.db import acquire
from mainstay.engine.gating import Held
from mainstay.errors import DatabaseUnavailableError, TransientError, VendorError
from mainstay.gates import store
from mainstay.gates.account import PATIENCE_SECONDS, Account, Slots
from mainstay.gates.rules import Outcomes, is_outage, probe_pause, rest_of

if TYPE_CHECKING:
    from mainstay.db import Pool
    from mainstay.model import Run

log = logging.getLogger(__name__)

CALLS_AT_ONCE = 32
# An operation of several requests that gave up between two of them would begin anew and pay for the first again: where
# many do so at once, none would ever end. Longer than the windows of vendors' budgets, but for those of a day.
UNDER_WAY_PATIENCE_SECONDS = 30.0


class Gate:
    """The gate of one connection of one workspace.

    ``max_concurrent`` is the account's own limit, which the workers share out among them; 0 where it has none: then a
    process makes CALLS_AT_ONCE, so that a slow vendor holds up only its own.
    """

    def __init__(
        self,
        workspace_id: UUID,
        name: str,
        account: Account,
        pool: Pool,
        now: Callable[[], float],
        at: Callable[[], datetime | None],
        *,
        max_concurrent: int = 0,
    ) -> None:
        self.workspace_id = workspace_id
        self.name = name
        self.account = account
        self._max_concurrent = max_concurrent
        self._pool = pool
        self.now = self._now = now
        self._at = at
        self._slots = Slots(max_concurrent or CALLS_AT_ONCE)
        self._outcomes = Outcomes()
        self._is_paused = False
        self._probe_at: float | None = None
        self._failed_probes = 0
        self._probing: UUID | None = None
        self._told_at = 0.0

    def learn(self, state: store.State, asked_at: float) -> None:
        """Take over what all processes share, unless it was asked for before this one last told them something."""
        self._is_paused = state.is_paused
        if asked_at > self._told_at:
            self._failed_probes = state.failed_probes
            self._probe_at = None if state.probe_in is None else self._now() + state.probe_in
            if self._probe_at is None:
                self._probing = None
            self.account.closed_until = self._now() + state.closed_for if state.closed_for else 0.0
        if self._max_concurrent:
            self._slots.limit = max(1, self._max_concurrent // max(1, state.workers))
            self._slots.admit()

    async def enter(self, run: Run, *, has_waited: bool, patience: float = PATIENCE_SECONDS) -> Passage | Held:
        """Let a run's call through, or hold the run. Waits in this process as long as ``patience``, and for a place."""
        if self._is_paused:
            return Held(f"{self.name} to be resumed")
        if self._probe_at is not None and run.id != self._probing and not await self._may_probe(run):
            return self.out
        if not has_waited and self.account.is_behind(run.lane):
            return Held(f"its turn at {self.name}")
        if self.account.closed_until > self._now() + patience:
            return Held(f"its turn at {self.name}")
        await self._slots.acquire(run.lane)
        until: float | None = None
        try:
            until = self.account.take(run.lane)
            if until is None:
                until = await self.account.acquire(run.lane, patience=patience)
        finally:
            if until is None:
                self._slots.release()
        if until is None:
            return Held(f"its turn at {self.name}")
        return Passage(self, run, until, UNDER_WAY_PATIENCE_SECONDS if patience else 0.0)

    async def _may_probe(self, run: Run) -> bool:
        if self._probe_at is None or self._now() < self._probe_at:
            return False
        async with acquire(self._pool) as connection:
            is_ours = await store.claim_probe(connection, self.workspace_id, self.name, self._at())
        # Whoever else has it will tell how it went; until that is known nobody needs to ask again.
        self._probe_at = self._now() + store.PROBE_TIMEOUT_SECONDS
        if is_ours:
            self._probing = run.id
        return is_ours

    async def heard(self, run: Run, error: VendorError | None) -> None:
        """Take note of how a call went; this is all that a success costs."""
        is_probe = run.id == self._probing
        if error is None or not is_outage(error):
            if is_probe:
                await self._close()
            elif self._probe_at is None:
                self._outcomes.succeeded(self._now())
        elif is_probe:
            await self._probe_failed(error)
        elif self._probe_at is None and self._outcomes.failed(self._now(), run.id):
            await self._open(error)
        if error is not None and (rest := rest_of(error)):
            await self._rest(rest)

    @property
    def out(self) -> Held:
        """How a run is held whose vendor is out."""
        return Held(f"{self.name} to answer again", is_outage=True)

    @property
    def is_broken(self) -> bool:
        """Whether the vendor is out, as far as this process knows."""
        return self._probe_at is not None

    def leave(self) -> None:
        """Make room for the next call."""
        self._slots.release()

    async def _open(self, error: VendorError) -> None:
        pause = probe_pause(0)
        self._probe_at, self._failed_probes = self._now() + pause, 0
        self._outcomes.clear()
        log.warning("%s is out, its calls are held: %s", self.name, error)
        await self._write(
            lambda connection: store.open_breaker(
                connection, self.workspace_id, self.name, str(error), pause, self._at()
            )
        )

    async def _probe_failed(self, error: VendorError) -> None:
        self._probing = None
        self._failed_probes += 1
        pause = probe_pause(self._failed_probes)
        self._probe_at = self._now() + pause
        await self._write(
            lambda connection: store.probe_failed(
                connection, self.workspace_id, self.name, str(error), pause, self._at()
            )
        )

    async def _close(self) -> None:
        self._probing = self._probe_at = None
        self._failed_probes = 0
        self._outcomes.clear()
        log.warning("%s answers again", self.name)
        await self._write(lambda connection: store.close_breaker(connection, self.workspace_id, self.name))

    async def _rest(self, seconds: float) -> None:
        self.account.closed_until = max(self.account.closed_until, self._now() + seconds)
        await self._write(lambda connection: store.close_account(connection, self.account.name, seconds, self._at()))

    async def _write(self, write: Callable[[Any], Awaitable[None]]) -> None:
        """Tell the other processes; where the database is away, they find out for themselves."""
        self._told_at = math.inf
        try:
            async with acquire(self._pool) as connection:
                await write(connection)
        except DatabaseUnavailableError:
            log.warning("PostgreSQL is away; what is known of %s stays in this process", self.name)
        finally:
            self._told_at = time.monotonic()


class Passage:
    """One attempt's way through a gate; ``pay`` is called before each request that it makes."""

    def __init__(self, gate: Gate, run: Run, until: float, patience: float) -> None:
        self._gate = gate
        self._run = run
        self._until = until
        self._patience = patience
        self._is_paid = True

    async def pay(self) -> None:
        """Use a call of the budget for a request. The first was paid for at the gate.

        Raises:
            TransientError: the budget is used up; what was asked for so far must be asked again later.
        """
        if self._is_paid:
            self._is_paid = False
            if self._gate.now() < self._until and not self._gate.account.is_resting:
                return
        if await self._gate.account.acquire(self._run.lane, patience=self._patience) is None:
            message = f"the budget of {self._gate.name} is used up for now"
            raise TransientError(message, retry_after=PATIENCE_SECONDS)

    async def carry(self, call: Awaitable[Any]) -> Any:
        """Await the call, and take note of how it went."""
        try:
            result = await call
        except VendorError as error:
            await self._gate.heard(self._run, error)
            raise
        await self._gate.heard(self._run, None)
        return result

    def closed(self) -> Held | None:
        """See :class:`mainstay.engine.gating.Passage`."""
        return self._gate.out if self._gate.is_broken else None

    def leave(self) -> None:
        """Make room for the next."""
        self._gate.leave()
