"""All that a workspace pulls: its contacts, and the other types of record."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from mainstay.db import transact
from mainstay.pulls.pulling import RECONCILE, Puller, Systems
from mainstay.pulls.records import RECONCILE_RECORDS, OnLost, RecordPuller, RecordSystems
from mainstay.pulls.rules import Pull, RecordPull
from mainstay.pulls.store import CONTACT, declare

if TYPE_CHECKING:
    from mainstay.db import Connection, Pool

OnMissed = Callable[["Connection", UUID, Pull | RecordPull, int, datetime], Awaitable[None]]


class AllSystems(Systems, RecordSystems, Protocol):
    """What the composition root knows of pulls."""


class Pulls:
    """The pulls of every workspace. ``programs`` are what the engine calls for each of their runs."""

    def __init__(self, pool: Pool, systems: AllSystems, on_missed: OnMissed, on_lost: OnLost) -> None:
        self._pool = pool
        self._systems = systems
        self._contacts = Puller(pool, systems, on_missed)
        self._records = RecordPuller(pool, systems, on_missed, on_lost)
        self.programs = {RECONCILE: self._contacts.program, RECONCILE_RECORDS: self._records.program}

    async def declare(self, workspace_id: UUID) -> None:
        """Let a workspace pull as its stack says."""
        pulled: dict[str, str] = {
            kind: pull.connection for kind, pull in self._systems.record_pulls(workspace_id).items()
        }
        if (pull := self._systems.pull(workspace_id)) is not None:
            pulled[CONTACT] = pull.connection
        said: Mapping[str, str] = pulled
        await transact(self._pool, lambda connection: declare(connection, workspace_id, said))

    async def begin_due(self, workspace_id: UUID) -> None:
        """Begin the pulls whose time has come; of two that try at once, one does."""
        await self._contacts.begin_due(workspace_id)
        await self._records.begin_due(workspace_id)
