"""The mirrors of a deployment: declared, written and compared when it is time."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.mirrors.comparing import COMPARE, Comparer, OnDrift
from mainstay.mirrors.deciding import Decisions, Editor, RecordEditor
from mainstay.mirrors.writing import MIRROR, Tables, Writer

if TYPE_CHECKING:
    from mainstay.db import Pool


class Mirrors(Decisions):
    """What the worker's beat, the commands and the pages do with mirrors. ``programs`` are for the engine."""

    def __init__(self, pool: Pool, tables: Tables, editor: Editor, records: RecordEditor, on_drift: OnDrift) -> None:
        self._writer = Writer(pool, tables)
        super().__init__(pool, tables, editor, records, self._writer)
        self._comparer = Comparer(pool, tables, on_drift)
        self.programs = {MIRROR: self._writer.program, COMPARE: self._comparer.program}
        self.declare = self._writer.declare
        self.compare = self._comparer.begin

    async def begin_due(self, workspace_id: UUID) -> None:
        """Begin what is to be written, and what is to be compared."""
        await self._writer.begin_due(workspace_id)
        await self._comparer.begin_due(workspace_id)
