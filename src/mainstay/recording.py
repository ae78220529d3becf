"""What people, programs and workflows write into our own book of records: where it is right about them.

Where a connection is right, a write is refused and says so: change the record there, or have a workflow do it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import orjson

from mainstay.db import GroupCommit, Write, acquire
from mainstay.errors import ConflictError, MalformedError, PermanentError
from mainstay.identity import IDENTITY
from mainstay.model import Record, RecordState, RecordType, new_id
from mainstay.model.record import CUSTOM, REFERENCE
from mainstay.records import OURS, Ownership, OwnershipsOf, Word, hold_keys, keep, record_of

if TYPE_CHECKING:
    from mainstay.db import Connection, Pool
    from mainstay.engine.calls.records import Put
    from mainstay.model import Run

Outcome = Literal["created", "updated", "unchanged"]
BY_HAND = "by hand: "
"""What the source of a change begins with that a person, or a program with a token, has made."""


class NoRecordError(PermanentError):
    """There is no such record in this workspace."""


class ElsewhereError(PermanentError):
    """Another system is right about what was to be written; nothing was."""


class RecordChangedError(PermanentError):
    """The record, as it is now, is not as the writer has seen it; nothing was written."""

    def __init__(self, record: Record) -> None:
        super().__init__(f"the record was changed meanwhile: it is in version {record.version}")
        self.record = record


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be written.

    Attributes:
        fields: canonical field to value; an empty one clears it.
        custom: further fields, likewise.
        contact_id: the contact that it is about; of one that is about nobody yet.
        is_gone: whether it is deleted; None for as it is.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    custom: Mapping[str, str] = field(default_factory=dict)
    contact_id: UUID | None = None
    is_gone: bool | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a write. ``is_repeat``: its key was used before, and this is what was answered then."""

    record: Record
    outcome: Outcome
    changed: tuple[str, ...] = ()
    is_repeat: bool = False


@dataclass(frozen=True, slots=True)
class _Request:
    workspace_id: UUID
    state: RecordState
    wish: Wish
    is_new: bool
    source: str
    run_id: UUID | None
    key: str
    digest: bytes
    seen: Collection[tuple[UUID, int]] | None


_Contacts = Mapping[UUID, tuple[UUID, UUID]]
"""Of each contact's id its workspace, and what the id means today."""


class Recorder:
    """The verbs. ``ownerships`` says which system is right about each type of record of a workspace."""

    def __init__(self, pool: Pool, commit: GroupCommit, ownerships: OwnershipsOf) -> None:
        self._pool = pool
        self._commit = commit
        self._ownerships = ownerships
        self._write: Write[_Request, Recorded] = Write("write records", 23, self._write_all, locks=IDENTITY)

    async def create(
        self,
        workspace_id: UUID,
        kind: RecordType,
        wish: Wish,
        *,
        source: str,
        run_id: UUID | None = None,
        key: str = "",
    ) -> Recorded:
        """Write a record, over the one that has its reference, if any. A repeated ``key`` gives the first answer.

        Raises:
            ElsewhereError: another system is right about it.
            MalformedError: a field that its type has not, or a value that is none of its field's.
            PermanentError: there is no such contact.
            ConflictError: the key was used for another write.
        """
        state = RecordState(kind, str(new_id()), wish.fields, wish.custom).canonical()
        said = [kind, None]
        return await self._do(workspace_id, state, wish, said, is_new=True, source=source, run_id=run_id, key=key)

    async def change(
        self,
        workspace_id: UUID,
        record_id: UUID,
        wish: Wish,
        *,
        source: str,
        run_id: UUID | None = None,
        key: str = "",
        kind: RecordType | None = None,
        seen: Collection[tuple[UUID, int]] | None = None,
    ) -> Recorded:
        """Change a record, of this ``kind`` if one is named.

        ``seen`` holds the (record, version) that the change goes by, None for whatever it is.

        Raises:
            NoRecordError: there is none of this id.
            RecordChangedError: it is in none of the states in ``seen``.
        And what :meth:`create` raises; PermanentError, too, where another record has the reference.
        """
        known = await self.find(workspace_id, record_id=record_id)
        if known is None or kind not in {None, known.type}:
            raise NoRecordError(f"there is no {kind or 'record'} {record_id}")
        state = RecordState(known.type, str(record_id), wish.fields, wish.custom).canonical()
        said = [known.type, str(record_id)]
        return await self._do(
            workspace_id, state, wish, said, is_new=False, source=source, run_id=run_id, key=key, seen=seen
        )

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
        """Set values by hand, by canonical field or ``custom.KEY``; raises what :meth:`change` does.

        NoRecordError, too, where the record is gone. With ``is_dry`` it is only looked whether it may be.
        """
        known = await self.find(workspace_id, record_id=record_id)
        if known is None or known.gone_at is not None:
            raise NoRecordError(f"there is no such {kind} any more")
        custom = {name.removeprefix(CUSTOM): value for name, value in values.items() if name.startswith(CUSTOM)}
        fields = {name: value for name, value in values.items() if not name.startswith(CUSTOM)}
        wish = Wish(fields, custom)
        if is_dry:
            state = RecordState(kind, str(record_id), fields, custom).canonical()
            request = _Request(workspace_id, state, wish, False, BY_HAND + by, None, "", b"", None)  # noqa: FBT003 - as named
            _require_ours(self._word(request), request)
            return
        await self.change(workspace_id, record_id, wish, source=BY_HAND + by, kind=kind)

    async def find(
        self, workspace_id: UUID, *, record_id: UUID | None = None, kind: str = "", reference: str = ""
    ) -> Record | None:
        """Return a record by its id, or by its type and reference."""
        async with acquire(self._pool) as connection:
            if record_id is not None:
                return await _record(connection, workspace_id, record_id)
            rows = await connection.fetch(_BY_REFERENCE, workspace_id, kind, reference)
        return max(map(record_of, rows), key=lambda record: record.id, default=None)

    async def put_record(self, run: Run, key: str, put: Put) -> Mapping[str, Any]:
        """See :class:`mainstay.engine.calls.records.Book`."""
        wish = Wish(put.fields, put.custom, put.contact_id)
        try:
            if put.record_id is None:
                done = await self.create(
                    run.workspace_id, put.kind, wish, source=run.workflow, run_id=run.id, key=f"{key} run"
                )
            else:
                done = await self.change(
                    run.workspace_id,
                    put.record_id,
                    wish,
                    kind=put.kind,
                    source=run.workflow,
                    run_id=run.id,
                    key=f"{key} run",
                )
        except (MalformedError, ConflictError) as error:
            raise PermanentError(str(error)) from error
        return done.record.to_json()

    async def find_record(
        self, workspace_id: UUID, kind: RecordType, record_id: UUID | None, reference: str
    ) -> Mapping[str, Any] | None:
        """See :class:`mainstay.engine.calls.records.Book`."""
        found = await self.find(workspace_id, record_id=record_id, kind=kind, reference=reference)
        return found.to_json() if found is not None and found.type == kind else None

    async def _do(  # noqa: PLR0913 - all that a write is made of
        self,
        workspace_id: UUID,
        state: RecordState,
        wish: Wish,
        said: list[Any],
        *,
        is_new: bool,
        source: str,
        run_id: UUID | None,
        key: str,
        seen: Collection[tuple[UUID, int]] | None = None,
    ) -> Recorded:
        content = [*said, dict(state.fields), dict(state.custom), str(wish.contact_id), wish.is_gone]
        digest = sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).digest()
        request = _Request(workspace_id, state, wish, is_new, source, run_id, key, digest, seen)
        return await self._commit(self._write, request)

    async def _write_all(self, connection: Connection, requests: Sequence[_Request]) -> list[Recorded | Exception]:
        given = await _answers(connection, requests)
        contacts = await _hold_contacts(connection, requests)
        await hold_keys(connection, [self._word(request) for request in requests])
        outcomes: list[Recorded | Exception] = []
        for request in requests:
            place = (request.workspace_id, request.key)
            try:
                if request.key and place in given:
                    outcomes.append(await _again(connection, request, *given[place]))
                    continue
                done = await self._one(connection, request, contacts)
            except (PermanentError, ConflictError) as error:
                outcomes.append(error)
                continue
            outcomes.append(done)
            if request.key:
                answer = {"record_id": str(done.record.id), "outcome": done.outcome, "changed": list(done.changed)}
                given[place] = request.digest, answer
                await connection.execute(
                    """
                    INSERT INTO idempotency_keys (workspace_id, key, digest, answer, at) VALUES ($1, $2, $3, $4, now())
                    """,
                    *place,
                    request.digest,
                    answer,
                )
        return outcomes

    async def _one(self, connection: Connection, request: _Request, contacts: _Contacts) -> Recorded:
        word = self._word(request)
        _require_ours(word, request)
        known = None
        if not request.is_new:
            known = await _record(connection, request.workspace_id, UUID(word.state.external_id), is_held=True)
            if known is None:
                raise NoRecordError(f"there is no record {word.state.external_id}")
            if request.seen is not None and (known.id, known.version) not in request.seen:
                raise RecordChangedError(known)
            await _require_free(connection, request, known)
        await _require_contact(connection, request, known, contacts)
        is_gone = request.wish.is_gone
        if is_gone is None:
            is_gone = known is not None and known.gone_at is not None
        (heard,) = await keep(connection, [replace(word, state=replace(word.state, is_gone=is_gone))])
        record = await _record(connection, request.workspace_id, heard.record_id)
        if record is None:
            raise NoRecordError(f"there is no record {heard.record_id}")
        is_updated = known is not None and known.version != record.version
        outcome: Outcome = "created" if heard.is_new else "updated" if heard.changed or is_updated else "unchanged"
        return Recorded(record, outcome, heard.changed)

    def _word(self, request: _Request) -> Word:
        return Word(
            request.workspace_id,
            OURS,
            replace(request.state, changed_at=datetime.now(UTC)),
            self._ownerships(request.workspace_id).get(request.state.type, Ownership()),
            request.source,
            request.wish.contact_id,
            run_id=request.run_id,
        )


def _require_ours(word: Word, request: _Request) -> None:
    """Refuse what our own book is not right about."""
    kind, ownership, wish = word.state.type, word.ownership, request.wish
    system = ownership.system_of_record
    is_whole = request.is_new or wish.is_gone is not None or wish.contact_id is not None
    if is_whole and system != OURS:
        raise ElsewhereError(f'"{system}" is the system of record of {kind} records{_MEND}')
    names = [*word.state.fields, *(CUSTOM + name for name in word.state.custom)]
    foreign = {name: owner for name in names if (owner := ownership.owner_of(name)) != OURS}
    if foreign:
        told = ", ".join(f'"{owner}" about {name}' for name, owner in sorted(foreign.items())[:5])
        raise ElsewhereError(f"of {kind} records another system is right: {told}{_MEND}")


_MEND = (
    ". Nothing was written: change it there, or by a workflow that calls it. What changes there comes back by itself"
)


async def _record(
    connection: Connection, workspace_id: UUID, record_id: UUID, *, is_held: bool = False
) -> Record | None:
    statement = "SELECT * FROM records WHERE id = $1 AND workspace_id = $2"
    row = await connection.fetchrow(statement + (" FOR NO KEY UPDATE" if is_held else ""), record_id, workspace_id)
    return record_of(row) if row is not None else None


_BY_REFERENCE = """
    SELECT * FROM records
    WHERE workspace_id = $1 AND type = $2 AND values ->> 'reference' = $3 AND values ->> 'reference' <> ''
"""


async def _require_free(connection: Connection, request: _Request, known: Record) -> None:
    reference = request.state.fields.get(REFERENCE, "")
    if not reference:
        return
    rows = await connection.fetch(_BY_REFERENCE, request.workspace_id, known.type, reference)
    other = next((row["id"] for row in rows if row["id"] != known.id), None)
    if other is not None:
        raise PermanentError(f"another {known.type} has this reference: {other}")


async def _hold_contacts(connection: Connection, requests: Sequence[_Request]) -> _Contacts:
    """Keep the contacts that these are about from being deleted meanwhile; returns what each id means today."""
    wanted = {request.wish.contact_id for request in requests if request.wish.contact_id is not None}
    if not wanted:
        return {}
    meant = await connection.fetch("SELECT id, surviving(id) AS today FROM contacts WHERE id = ANY($1)", list(wanted))
    held = await connection.fetch(
        """
        SELECT id, workspace_id FROM contacts WHERE id = ANY($1) AND deleted_at IS NULL ORDER BY id FOR SHARE
        """,
        [row["today"] for row in meant],
    )
    there = {row["id"]: row["workspace_id"] for row in held}
    return {row["id"]: (there[row["today"]], row["today"]) for row in meant if row["today"] in there}


async def _require_contact(
    connection: Connection, request: _Request, known: Record | None, contacts: _Contacts
) -> None:
    contact_id = request.wish.contact_id
    if contact_id is None:
        return
    workspace_id, meant = contacts.get(contact_id, (None, None))
    if workspace_id != request.workspace_id:
        raise PermanentError(f"there is no contact {contact_id}")
    if known is not None and known.contact_id is not None:
        today = await connection.fetchval("SELECT surviving($1)", known.contact_id)
        if today != meant:
            raise PermanentError(f"the record is about another contact already: {known.contact_id}")


async def _answers(
    connection: Connection, requests: Sequence[_Request]
) -> dict[tuple[UUID, str], tuple[bytes, Mapping[str, Any]]]:
    """Hold the keys of these requests, and return what was answered to them before."""
    keyed = [request for request in requests if request.key]
    if not keyed:
        return {}
    rows = await connection.fetch(
        "SELECT workspace_id, key, digest, answer FROM hold_answers($1, $2)",
        [request.workspace_id for request in keyed],
        [request.key for request in keyed],
    )
    return {(row["workspace_id"], row["key"]): (row["digest"], row["answer"]) for row in rows}


async def _again(connection: Connection, request: _Request, digest: bytes, answer: Mapping[str, Any]) -> Recorded:
    if digest != request.digest:
        message = f'the Idempotency-Key "{request.key}" was used for another write; use a new key for each write'
        raise ConflictError(message)
    record = await _record(connection, request.workspace_id, UUID(answer["record_id"]))
    if record is None:
        raise NoRecordError(f"there is no record {answer['record_id']} any more")
    return Recorded(record, answer["outcome"], tuple(answer["changed"]), is_repeat=True)
