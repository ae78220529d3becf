"""The mirrors of a deployment: declared, written and compared when it is time."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.db import transact
from mainstay.mirrors import drifts
from mainstay.mirrors.comparing import COMPARE, Comparer, OnDrift
from mainstay.mirrors.writing import MIRROR, Tables, Writer, declared

if TYPE_CHECKING:
    from mainstay.db import Pool


class Mirrors:
    """What the worker's beat, the commands and the pages do with mirrors. ``programs`` are for the engine."""

    def __init__(self, pool: Pool, tables: Tables, on_drift: OnDrift) -> None:
        self._pool = pool
        self._tables = tables
        self._writer = Writer(pool, tables)
        self._comparer = Comparer(pool, tables, on_drift)
        self.programs = {MIRROR: self._writer.program, COMPARE: self._comparer.program}
        self.declare = self._writer.declare
        self.compare = self._comparer.begin

    async def begin_due(self, workspace_id: UUID) -> None:
        """Begin what is to be written, and what is to be compared."""
        await self._writer.begin_due(workspace_id)
        await self._comparer.begin_due(workspace_id)

    async def revert(self, workspace_id: UUID, name: str, ids: Collection[UUID] | None = None, *, by: str) -> int:
        """Have what drifted in a mirror written again as it was: all that is open, or these; returns how many."""
        declared(self._tables, workspace_id, name)
        return await transact(self._pool, lambda connection: drifts.revert(connection, workspace_id, name, ids, by=by))
