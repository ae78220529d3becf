"""The mirrors of a deployment: declared, written and compared when it is time."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from mainstay.db import transact
from mainstay.errors import MalformedError, MirrorRefusedError, PermanentError
from mainstay.mirrors import drifts
from mainstay.mirrors.comparing import COMPARE, Comparer, OnDrift
from mainstay.mirrors.writing import MIRROR, Tables, Writer, declared

if TYPE_CHECKING:
    from mainstay.db import Pool
    from mainstay.model import RecordType


class Editor(Protocol):
    """Who writes what a person says of a contact."""

    async def edit(self, workspace_id: UUID, contact_id: UUID, values: Mapping[str, str], *, by: str) -> object:
        """Set values by hand."""
        ...


class RecordEditor(Protocol):
    """Who writes what a person says of a record that is no contact."""

    async def edit(
        self, workspace_id: UUID, kind: RecordType, record_id: UUID, values: Mapping[str, str], *, by: str
    ) -> None:
        """Set values by hand; PermanentError where another system is right about one of them, or it is gone."""
        ...


class Mirrors:
    """What the worker's beat, the commands and the pages do with mirrors. ``programs`` are for the engine."""

    def __init__(self, pool: Pool, tables: Tables, editor: Editor, records: RecordEditor, on_drift: OnDrift) -> None:
        self._pool = pool
        self._tables = tables
        self._editor = editor
        self._records = records
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
        return await drifts.revert(self._pool, workspace_id, name, ids, by=by)

    async def leave(self, workspace_id: UUID, ids: Collection[UUID], *, by: str) -> int:
        """Let differences be: they are known, and are told of again only when they change; returns how many."""
        return await transact(
            self._pool,
            lambda connection: drifts.decide(connection, workspace_id, ids, "left", by=by, only=["open"]),
        )

    async def take_over(self, workspace_id: UUID, drift_id: UUID, *, by: str) -> Mapping[str, str]:
        """Give a record what somebody wrote into its copy, by hand as on its page; returns the fields.

        It goes the way of every write: to the system of record, and from there to all mirrors. Of records that are no
        contacts our own book has to be that system.

        Raises:
            MirrorRefusedError: it is decided already, nothing of it can be taken over, or another system is right about
                it; the message says which.
        """
        found = await transact(self._pool, lambda connection: drifts.open_ones(connection, workspace_id, [drift_id]))
        drift = found[0] if found else None
        if drift is None or drift.contact_id is None or drift.kind != "changed":
            raise MirrorRefusedError("there is no such difference that waits for a decision")
        mirror = declared(self._tables, workspace_id, drift.mirror)
        values = mirror.taken_over(drift.fields)
        if not values:
            titles = ", ".join(drift.fields)
            raise MirrorRefusedError(f"a mirror does not decide on {titles}", "Revert it, or edit the contact.")
        if mirror.record == "contact":
            await self._editor.edit(workspace_id, drift.contact_id, values, by=by)
        else:
            try:
                await self._records.edit(workspace_id, mirror.record, drift.contact_id, values, by=by)
            except (PermanentError, MalformedError) as error:
                raise MirrorRefusedError(str(error), "Revert the copy.") from error
        await transact(
            self._pool,
            lambda connection: drifts.decide(
                connection, workspace_id, [drift_id], "taken over", by=by, only=["open", "left"]
            ),
        )
        return values

    async def undo(self, workspace_id: UUID, name: str, ids: Sequence[UUID]) -> UUID:
        """Let rows that were reverted be again what somebody had made of them; returns the id of the run that does."""
        if declared(self._tables, workspace_id, name).role == "crm":
            raise MirrorRefusedError("what stood in a CRM before a revert is not written back", "Edit it there.")
        return await self._writer.undo(workspace_id, name, ids)
