"""``ctx.records``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from mainstay.model import Record, RecordType

if TYPE_CHECKING:
    from mainstay.model import Contact, Run

Value = str | int | float | Decimal | date | datetime | None


@dataclass(frozen=True, slots=True)
class Put:
    """What a workflow writes: over the record of an id, over the one of its reference, or a new one."""

    kind: RecordType
    record_id: UUID | None
    contact_id: UUID | None
    fields: Mapping[str, str]
    custom: Mapping[str, str]


class Book(Protocol):
    """Our own book of records, as the composition root gives it."""

    async def put_record(self, run: Run, key: str, put: Put) -> Mapping[str, Any]:
        """Write a record, once for the key; return it as JSON.

        Raises:
            PermanentError: another system is right about it; there is none; a value is none of its field's.
        """
        ...

    async def find_record(
        self, workspace_id: UUID, kind: RecordType, record_id: UUID | None, reference: str
    ) -> Mapping[str, Any] | None:
        """Return the record of an id, or of a reference, as JSON."""
        ...


@dataclass(frozen=True, slots=True)
class RecordCalls:
    """``ctx.records``: our own book."""

    _run: Run
    _book: Callable[[], Book]
    _step: Callable[[str, Callable[[str], Awaitable[Any]]], Awaitable[Any]]

    async def put(
        self,
        kind: RecordType,
        *,
        record: Record | UUID | str | None = None,
        contact: Contact | None = None,
        custom: Mapping[str, Value] | None = None,
        **fields: Value,
    ) -> Record:
        """Write a record of which our own book is right; over ``record``, or over the one of its ``reference``.

        A new one is about ``contact``, else about the run's. None or an empty text clears a field.

        Raises:
            PermanentError: another system is right about it, as the message says.
        """
        record_id = _id(record)
        about = contact.id if contact is not None else self._run.contact_id if record_id is None else None
        told = {name: _text(value) for name, value in fields.items()}
        put = Put(kind, record_id, about, told, {name: _text(value) for name, value in (custom or {}).items()})

        async def write(key: str) -> Any:
            return await self._book().put_record(self._run, key, put)

        return Record.from_json(await self._step("records.put", write))

    async def get(
        self, kind: RecordType, *, record: Record | UUID | str | None = None, reference: str = ""
    ) -> Record | None:
        """Return a record as it is now, whichever system is right about it; None where there is none."""
        record_id = _id(record)

        async def read(_key: str) -> Any:
            return await self._book().find_record(self._run.workspace_id, kind, record_id, reference)

        found = await self._step("records.get", read)
        return Record.from_json(found) if found else None


def _id(record: Record | UUID | str | None) -> UUID | None:
    if record is None or isinstance(record, UUID):
        return record
    return record.id if isinstance(record, Record) else UUID(record)


def _text(value: Value) -> str:
    if isinstance(value, date):
        return value.isoformat()
    return "" if value is None else str(value)
