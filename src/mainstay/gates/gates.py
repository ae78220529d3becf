"""All gates of a process: made from the stacks, kept up to date, and tended, so that who is held goes on."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.db import acquire
from mainstay.engine.gating import OPEN
from mainstay.errors import DatabaseUnavailableError
from mainstay.gates import ushering
from mainstay.gates.account import PATIENCE_SECONDS, Account
from mainstay.gates.declaring import Declared
from mainstay.gates.gate import Gate
from mainstay.gates.store import Pause, State, declare, pause, resume, states
from mainstay.model import Lane
from mainstay.runs import give_up_held, let_through

if TYPE_CHECKING:
    from mainstay.db import Connection, Pool
    from mainstay.engine.gating import Held, Passage
    from mainstay.kit import Http, Rate
    from mainstay.model import Run

log = logging.getLogger(__name__)

BUSY_SECONDS = 0.25
QUIET_SECONDS = 1.0
OVERDUE_SECONDS = 10.0


class Gates:
    """The gates of the connections that this process's stacks declare.

    ``clock`` is a test's; then nothing waits in this process, and :meth:`tick` is called by whoever moves it.
    """

    def __init__(self, pool: Pool, *, clock: Callable[[], datetime] | None = None) -> None:
        self._pool = pool
        self._clock = clock
        self._workspaces: set[UUID] = set()
        self._gates: dict[tuple[UUID, str], Gate] = {}
        self._accounts: dict[str, Account] = {}
        self._rates: dict[str, tuple[Rate, ...]] = {}
        self._undeclared: list[tuple[UUID, str, str]] = []
        self._declaring = asyncio.Lock()
        self._overdue_at = -math.inf

    def serve(self, workspace_id: UUID, declared: Iterable[Declared]) -> None:
        """Make a workspace's gates. Where stacks differ on an account's rates, the last one counts."""
        self._workspaces.add(workspace_id)
        for each in declared:
            self._add(each)

    def _add(self, declared: Declared) -> None:
        name = declared.account
        account = self._accounts.get(name)
        if account is None:
            account = Account(name, self._pool, has_budget=False, now=self._now, at=self._at)
            self._accounts[name] = account
        account.has_budget = bool(declared.rates)
        self._rates[name] = declared.rates
        self._gates[declared.workspace_id, declared.name] = Gate(
            declared.workspace_id,
            declared.name,
            account,
            self._pool,
            self._now,
            self._at,
            max_concurrent=declared.max_concurrent,
        )
        self._undeclared.append((declared.workspace_id, declared.name, name))

    async def enter(self, run: Run, connection: str, http: Http, *, has_waited: bool) -> Passage | Held:
        """See :class:`mainstay.engine.gating.Gate`."""
        gate = self._gates.get((run.workspace_id, connection))
        if gate is None:
            return OPEN
        if self._undeclared:
            await self.declare()
        passage = await gate.enter(run, has_waited=has_waited, patience=0.0 if self._clock else PATIENCE_SECONDS)
        if hasattr(passage, "pay"):
            http.pay = passage.pay
        return passage

    async def declare(self) -> None:
        """Tell the database of the gates, once."""
        async with self._declaring:
            if self._undeclared:
                async with acquire(self._pool) as connection, connection.transaction():
                    await declare(connection, self._undeclared, self._rates)
                self._undeclared = []

    async def pause(self, workspace_id: UUID, name: str, how: Pause) -> bool:
        """Stop a connection by hand, in all processes within a second; False when it is paused already.

        Raises:
            LookupError: the stack has no such connection, or it has no gate.
        """
        await self._require(workspace_id, name)
        async with acquire(self._pool) as connection:
            return await pause(connection, workspace_id, name, how)

    async def resume(self, workspace_id: UUID, name: str) -> bool:
        """Let a connection's calls go at once; False when nothing stopped them. See :func:`store.resume`.

        Raises:
            LookupError: the stack has no such connection, or it has no gate.
        """
        await self._require(workspace_id, name)
        async with acquire(self._pool) as connection:
            return await resume(connection, workspace_id, name)

    async def _require(self, workspace_id: UUID, name: str) -> None:
        if (workspace_id, name) not in self._gates:
            raise LookupError(f'there is no connection "{name}" that reaches a vendor')
        await self.declare()

    async def tend(self) -> None:
        """Keep up with the other processes and let through who is held, until cancelled. Each worker does."""
        while True:
            pause = QUIET_SECONDS
            try:
                is_busy = await self.tick()
                pause = BUSY_SECONDS if is_busy else QUIET_SECONDS
            except DatabaseUnavailableError:
                log.warning("PostgreSQL is away; the gates stay as they are until it is back")
            except Exception:
                # Without it nobody who is held would ever go on.
                log.exception("a round of tending the gates failed")
            await asyncio.sleep(pause)

    async def tick(self) -> bool:
        """Look once; tells whether anything is out of the ordinary."""
        await self.declare()
        workspaces = self._workspaces
        async with acquire(self._pool) as connection:
            found, gone = await self._learn(connection, workspaces)
            if found:
                await ushering.usher(connection, found, self._accounts, at=self._at())
            for lane in Lane:
                # Their connection is no longer in the stack: they go on, and fail with that said.
                await let_through(connection, gone, lane, ushering.BATCH, self._at())
            if self._now() >= self._overdue_at:
                self._overdue_at = self._now() + (0.0 if self._clock else OVERDUE_SECONDS)
                await give_up_held(connection, workspaces, self._at())
        return bool(found)

    async def next_moment(self) -> datetime | None:
        """Return when a gate next opens by itself for somebody who is held: for a clock that a test moves."""
        if self._clock is None:
            return None
        async with acquire(self._pool) as connection:
            waits = [
                await ushering.opens_in(connection, account, self._at(), state)
                for account, state in self._named(await states(connection, self._workspaces, self._at()))
                if not state.is_paused and (state.lead_held or state.backfill_held)
            ]
        # A hair later, so that what ends then has ended.
        return self._clock() + timedelta(seconds=min(waits) + 0.001) if waits else None

    async def _learn(
        self, connection: Connection, workspaces: Iterable[UUID]
    ) -> tuple[dict[str, list[State]], list[tuple[UUID, str]]]:
        """Take over what all processes share.

        Returns, by account, the gates that are not as usual, and those that hold runs and are no longer in a stack.
        """
        unusual: dict[str, list[State]] = defaultdict(list)
        backlog: dict[str, set[Lane]] = defaultdict(set)
        asked_at = time.monotonic()
        known = await states(connection, list(workspaces), self._at())
        for account, state in self._named(known):
            self._gates[state.workspace_id, state.name].learn(state, asked_at)
            if state.lead_held:
                backlog[account].add(Lane.LEAD)
            if state.backfill_held:
                backlog[account].add(Lane.BACKFILL)
            if state.is_paused or state.is_broken or state.closed_for or state.lead_held or state.backfill_held:
                unusual[account].append(state)
        for name, each in self._accounts.items():
            each.backlog = frozenset(backlog.get(name, ()))
        gone = [
            (state.workspace_id, state.name)
            for state in known
            if (state.lead_held or state.backfill_held) and (state.workspace_id, state.name) not in self._gates
        ]
        return unusual, gone

    def _named(self, found: Iterable[State]) -> list[tuple[str, State]]:
        """Return each gate that this process has, with its account."""
        return [
            (gate.account.name, state)
            for state in found
            if (gate := self._gates.get((state.workspace_id, state.name))) is not None
        ]

    def _now(self) -> float:
        return self._clock().timestamp() if self._clock else time.monotonic()

    def _at(self) -> datetime | None:
        return self._clock() if self._clock else None
