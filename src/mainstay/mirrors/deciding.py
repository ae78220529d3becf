"""What a person makes of what drifted: the contact takes it over, the copy is reverted, it is left; and each undone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from mainstay.db import acquire, transact
from mainstay.errors import MalformedError, MirrorRefusedError, PermanentError
from mainstay.identity import ChangedMeanwhileError
from mainstay.mirrors import decided, drifts
from mainstay.mirrors.drifts import Drifted
from mainstay.mirrors.records import records_by_id
from mainstay.mirrors.writing import Tables, Writer, declared
from mainstay.model import Contact

if TYPE_CHECKING:
    from mainstay.db import Connection, Pool
    from mainstay.mirrors.rules import Mirror
    from mainstay.model import RecordType

MOST_AT_ONCE = 1_000
"""How much one call takes over: somebody waits for it."""
_GONE = "there is no such {} any more; compare the copy again"
_CHANGED = "the {} was changed since it was compared; compare the copy again"


class Edited(Protocol):
    """What came of an edit."""

    @property
    def change_id(self) -> UUID | None:
        """By which change the contact has it."""
        ...

    @property
    def contact(self) -> Contact:
        """The contact as it is after it."""
        ...

    @property
    def forwarded(self) -> Sequence[tuple[str, str]]:
        """What went to the system that owns it, as (field, connection)."""
        ...


class Editor(Protocol):
    """Who writes what a person says of a contact."""

    async def edit(
        self,
        workspace_id: UUID,
        record_id: UUID,
        values: Mapping[str, str],
        *,
        by: str,
        seen: Collection[tuple[UUID, int]] | None = None,
        also: Callable[[Connection, Any], Awaitable[object]] | None = None,
    ) -> Edited:
        """Set values by hand, unless the contact is in none of the states that were ``seen``."""
        ...

    async def take_back(
        self,
        workspace_id: UUID,
        change_id: UUID,
        *,
        by: str,
        also: Callable[[Connection], Awaitable[Any]] | None = None,
    ) -> object:
        """Let what was set by hand in one change count no more."""
        ...


class RecordEditor(Protocol):
    """Who writes what a person says of a record that is no contact."""

    async def edit(
        self,
        workspace_id: UUID,
        kind: RecordType,
        record_id: UUID,
        values: Mapping[str, str],
        *,
        by: str,
        is_dry: bool = False,
    ) -> None:
        """Set values by hand; PermanentError where another system is right about one of them, or it is gone."""
        ...


@dataclass(frozen=True, slots=True)
class TakenOver:
    """What became of one difference, or would.

    Attributes:
        record_id: of the contact or other record.
        fields: of it, each as (what it was, what it is now).
        reverted: titles of columns on which a mirror has no say: they go back to what they were.
        forwarded: field to the connection that owns it, where it went first.
        refusal: why nothing was done; empty where it was.
    """

    drift_id: UUID
    record_id: UUID | None
    fields: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    reverted: tuple[str, ...] = ()
    forwarded: Mapping[str, str] = field(default_factory=dict)
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Undone:
    """What was undone: ``run_id`` writes the copy, None where nothing is to be written; ``count`` is of all."""

    count: int
    run_id: UUID | None = None


class _OnlyTriedError(Exception):
    """Ends the transaction of a dry run."""


class Decisions:
    """The verbs. ``by`` is who does it, for the record."""

    def __init__(self, pool: Pool, tables: Tables, editor: Editor, records: RecordEditor, writer: Writer) -> None:
        self._pool = pool
        self._tables = tables
        self._editor = editor
        self._records = records
        self._writer = writer

    async def revert(self, workspace_id: UUID, name: str, ids: Collection[UUID] | None = None, *, by: str) -> int:
        """Have what drifted in a mirror written again as it was: all that is open, or these; returns how many."""
        declared(self._tables, workspace_id, name)
        return await drifts.revert(self._pool, workspace_id, name, ids, by=by)

    async def leave(self, workspace_id: UUID, ids: Collection[UUID], *, by: str) -> int:
        """Let differences be: they are known, and are told of again only when they change; returns how many."""
        return await transact(
            self._pool,
            lambda connection: decided.decide(connection, workspace_id, ids, "left", by=by, only=["open"]),
        )

    async def take_over(self, workspace_id: UUID, drift_id: UUID, *, by: str) -> Mapping[str, str]:
        """Give a record what somebody wrote into its copy, by hand as on its page; returns the fields.

        It goes the way of every write: to the system of record, and from there to all mirrors. Of records that are no
        contacts our own book has to be that system.

        Raises:
            MirrorRefusedError: it is decided already, or nothing of it can be taken over; the message says which.
        """
        async with acquire(self._pool) as connection:
            drift = next(iter(await decided.open_ones(connection, workspace_id, [drift_id])), None)
        if drift is None or drift.record_id is None or drift.kind != "changed":
            raise MirrorRefusedError("there is no such difference that waits for a decision")
        done = await self._take(workspace_id, drift, by=by, is_dry=False)
        if done.refusal:
            raise MirrorRefusedError(done.refusal, "Revert it, or edit the record")
        return declared(self._tables, workspace_id, drift.mirror).taken_over(drift.fields)

    async def take_over_all(
        self, workspace_id: UUID, name: str, ids: Collection[UUID] | None = None, *, by: str, is_dry: bool = False
    ) -> list[TakenOver]:
        """Take over what somebody wrote into a mirror: these, or all that is open, ``MOST_AT_ONCE`` at the most.

        Each is a write of its own: one that is refused holds up none of the others. With ``is_dry`` nothing is done;
        what would be is found by doing it and breaking off.
        """
        declared(self._tables, workspace_id, name)
        async with acquire(self._pool) as connection:
            found = await decided.changed_ones(connection, workspace_id, name, ids, limit=MOST_AT_ONCE)
        return [await self._take(workspace_id, drift, by=by, is_dry=is_dry) for drift in found]

    async def _take(self, workspace_id: UUID, drift: Drifted, *, by: str, is_dry: bool) -> TakenOver:
        mirror, record_id = declared(self._tables, workspace_id, drift.mirror), drift.record_id
        values = mirror.taken_over(drift.fields)
        reverted = tuple(title for title in drift.fields if mirror.columns.get(title, "") not in values)
        none = TakenOver(drift.id, record_id, reverted=reverted)
        if record_id is None or not values:
            return _refused(none, f"a mirror does not decide on {', '.join(reverted)}")
        async with acquire(self._pool) as connection:
            found = await records_by_id(connection, workspace_id, mirror.record, [record_id])
        if not found:
            return _refused(none, _GONE.format(mirror.record))
        (contact,) = found
        row = mirror.row(contact)
        if any(row.get(title, "") != said["ours"] for title, said in drift.fields.items() if title in mirror.columns):
            return _refused(none, _CHANGED.format(mirror.record))
        if mirror.record != "contact" or not isinstance(contact, Contact):
            return await self._take_record(workspace_id, drift, none, mirror, by=by, is_dry=is_dry)
        done: list[TakenOver] = []

        async def also(connection: Connection, edited: Edited) -> None:
            done[:] = [_told(none, contact, edited, values)]
            if is_dry:
                raise _OnlyTriedError
            if not await decided.note_taken_over(connection, workspace_id, drift.id, edited.change_id, by=by):
                raise PermanentError("it was decided meanwhile")

        try:
            await self._editor.edit(
                workspace_id, record_id, values, by=by, seen={(contact.id, contact.version)}, also=also
            )
        except _OnlyTriedError:
            pass
        except ChangedMeanwhileError:
            return _refused(none, _CHANGED.format(mirror.record))
        except PermanentError as error:
            return _refused(none, str(error))
        return done[0]

    async def _take_record(
        self, workspace_id: UUID, drift: Drifted, none: TakenOver, mirror: Mirror, *, by: str, is_dry: bool
    ) -> TakenOver:
        if mirror.record == "contact" or drift.record_id is None:
            return none
        values = mirror.taken_over(drift.fields)
        try:
            await self._records.edit(workspace_id, mirror.record, drift.record_id, values, by=by, is_dry=is_dry)
        except (PermanentError, MalformedError) as error:
            return _refused(none, str(error))
        if not is_dry:
            await transact(
                self._pool, lambda connection: decided.note_taken_over(connection, workspace_id, drift.id, None, by=by)
            )
        before = mirror.given_back(drift.fields)
        return replace(none, fields={name: (before[name], value) for name, value in values.items()})

    async def _give_back(self, workspace_id: UUID, drift: Drifted, mirror: Mirror, *, by: str) -> None:
        """Set what a record that is no contact was before it took a difference over, unless it was changed since."""
        if mirror.record == "contact" or drift.record_id is None:
            return
        async with acquire(self._pool) as connection:
            found = await records_by_id(connection, workspace_id, mirror.record, [drift.record_id])
        values = mirror.taken_over(drift.fields)
        now = (
            {mirror.columns[title]: text for title, text in mirror.row(found[0]).items() if title in mirror.columns}
            if found
            else {}
        )
        if any(now.get(name, "") != value for name, value in values.items()):
            raise PermanentError("the record was changed since, or is gone")
        await self._records.edit(workspace_id, mirror.record, drift.record_id, mirror.given_back(drift.fields), by=by)
        await transact(
            self._pool,
            lambda connection: decided.decide(
                connection, workspace_id, [drift.id], "undone", by=by, only=["taken over"]
            ),
        )

    async def undo(self, workspace_id: UUID, name: str, ids: Sequence[UUID], *, by: str) -> Undone:
        """Undo decisions: a copy gets back what was reverted, a contact what it was, and what was left is open again.

        Raises:
            PermanentError: a change is taken back already, or its contact is deleted.
            MirrorRefusedError: of these nothing was decided that can be undone.
        """
        mirror = declared(self._tables, workspace_id, name)
        async with acquire(self._pool) as connection:
            found = await decided.decided_ones(connection, workspace_id, name, ids)
        if lost := sorted({title for drift in found.reverted for title in mirror.stays_lost(drift.fields)}):
            problem = f"a CRM is never told to empty a value or to drop a tag, as it was of {', '.join(lost)}"
            raise MirrorRefusedError(problem, "Edit it there")
        count = 0
        for drift in found.in_records if mirror.record != "contact" else ():
            await self._give_back(workspace_id, drift, mirror, by=by)
            count += 1
        for drift_id, change_id in found.taken_over.items():

            async def also(connection: Connection, drift_id: UUID = drift_id) -> None:
                await decided.decide(connection, workspace_id, [drift_id], "undone", by=by, only=["taken over"])

            await self._editor.take_back(workspace_id, change_id, by=by, also=also)
            count += 1
        if found.left:
            count += await transact(
                self._pool,
                lambda connection: decided.decide(connection, workspace_id, found.left, "open", by="", only=["left"]),
            )
        if not count and not found.reverted:
            raise MirrorRefusedError("there is nothing of it that can be undone")
        ids = [drift.id for drift in found.reverted]
        run_id = await self._writer.undo(workspace_id, name, ids) if ids else None
        return Undone(count + len(found.reverted), run_id)


def _refused(none: TakenOver, reason: str) -> TakenOver:
    return replace(none, refusal=reason)


def _told(none: TakenOver, before: Contact, edited: Edited, values: Mapping[str, str]) -> TakenOver:
    forwarded = dict(edited.forwarded)
    fields = {
        name: (_value(before, name), values[name] if name in forwarded else _value(edited.contact, name))
        for name in values
    }
    return TakenOver(none.drift_id, edited.contact.id, fields, none.reverted, forwarded)


def _value(contact: Contact, name: str) -> str:
    custom = name.removeprefix("custom.")
    return contact.custom.get(custom, "") if custom != name else str(getattr(contact, name))
