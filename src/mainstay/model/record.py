"""Records that are no contact: what each type has, and one as it stands in a system."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, get_args
from uuid import UUID

from mainstay.errors import MalformedError
from mainstay.model.contact import EMPTY

RecordType = Literal["company", "deal", "invoice", "payment", "task", "message", "appointment"]
RECORD_TYPES: tuple[RecordType, ...] = get_args(RecordType)
MAX_TEXT = 2_000
MAX_INDEXED = 200
"""Characters of what records are found by: an index takes no more than 2,700 bytes."""
MAX_CUSTOM = 100
_CURRENCY = re.compile(r"[A-Z]{3}")
_MOST = Decimal(10) ** 15


def _kept(text: str) -> str:
    """Return a text without what no database keeps: NUL, and halves of characters."""
    return text.replace("\0", "").encode(errors="ignore").decode().strip()


def _text(text: str) -> str:
    return text[:MAX_TEXT]


def _word(text: str) -> str:
    return text[:MAX_INDEXED]


def _reference(text: str) -> str:
    if len(text) > MAX_INDEXED:  # shortened, it could be another's
        raise ValueError
    return text


def _amount(text: str) -> str:
    amount = Decimal(text)
    if not amount.is_finite() or abs(amount) >= _MOST:
        raise ValueError
    return f"{amount:f}"


def _currency(text: str) -> str:
    if not _CURRENCY.fullmatch(code := text.upper()):
        raise ValueError
    return code


def _day(text: str) -> str:
    return date.fromisoformat(text[:10]).isoformat()


def _moment(text: str) -> str:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError
    return moment.astimezone(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class RecordField:
    """One field of a type of record: what its values are, in words, and how one is brought into canonical form."""

    means: str
    read: Callable[[str], str] = _text


def _one_of(*words: str) -> RecordField:
    def read(text: str) -> str:
        word = text.lower()
        if word not in words:
            raise ValueError
        return word

    return RecordField(f"one of {', '.join(words)}", read)


_TEXT = RecordField("a text")
_WORD = RecordField("a text", _word)
_REFERENCE = RecordField(f"a text of {MAX_INDEXED} characters at the most", _reference)
_AMOUNT = RecordField("a decimal number in whole units of the currency, such as 120.50", _amount)
_CURRENCY_CODE = RecordField("three letters, such as USD", _currency)
_DAY = RecordField("a day, YYYY-MM-DD", _day)
_MOMENT = RecordField("a time with its offset, such as 2026-05-04T09:30:00+00:00", _moment)

RECORD_FIELDS: Mapping[RecordType, Mapping[str, RecordField]] = {
    "company": {
        "name": _TEXT,
        "domain": _TEXT,
        "phone": _TEXT,
        "email": _TEXT,
        "address": _TEXT,
        "vat_id": _TEXT,
    },
    "deal": {
        "title": _TEXT,
        "status": _one_of("open", "won", "lost"),
        "stage": _TEXT,
        "pipeline": _TEXT,
        "amount": _AMOUNT,
        "currency": _CURRENCY_CODE,
        "closes_on": _DAY,
        "owner": _TEXT,
    },
    "invoice": {
        "reference": _REFERENCE,
        "number": _TEXT,
        "status": _one_of("draft", "open", "paid", "void", "uncollectible"),
        "total": _AMOUNT,
        "paid": _AMOUNT,
        "currency": _CURRENCY_CODE,
        "due": _DAY,
        "url": _TEXT,
    },
    "payment": {
        "reference": _REFERENCE,
        "status": _one_of("pending", "received", "failed", "refunded"),
        "amount": _AMOUNT,
        "currency": _CURRENCY_CODE,
        "paid_on": _DAY,
        "method": _TEXT,
        "invoice": _TEXT,
    },
    "task": {
        "title": _TEXT,
        "status": _one_of("open", "done"),
        "due": _DAY,
        "assignee": _TEXT,
        "project": _TEXT,
        "url": _TEXT,
    },
    "message": {
        "channel": _one_of("email", "sms", "chat", "voice"),
        "direction": _one_of("in", "out"),
        "sender": _TEXT,
        "recipient": _TEXT,
        "subject": _TEXT,
        "status": _WORD,
        "sent_at": _MOMENT,
    },
    "appointment": {
        "title": _TEXT,
        "status": _one_of("booked", "cancelled", "done", "no_show"),
        "starts_at": _MOMENT,
        "ends_at": _MOMENT,
        "location": _TEXT,
        "host": _TEXT,
        "url": _TEXT,
    },
}
"""The canonical fields of each type. Every value is a text; empty means: known to be empty there."""
REFERENCE = "reference"
"""The field that names a record in the business's own words, whichever system has it: by it two systems' are one."""
TITLES = ("title", "name", "number", "subject", "reference")
"""The fields that a record is called by, the best first."""


def title_of(values: Mapping[str, str]) -> str:
    """Return what a record of these values is called; empty where it has no name of its own."""
    return next((values[name] for name in TITLES if values.get(name)), "")


@dataclass(frozen=True, slots=True)
class RecordState:
    """One record as it stands in one system.

    Attributes:
        type: which type of record.
        external_id: its id there.
        fields: canonical field to value; a field that is not among them is one of which the system says nothing.
        custom: further fields, by the system's own keys.
        contact_external_id: the id there of the contact that it is about; empty where it is told otherwise.
        is_gone: it was deleted there.
        changed_at: when it came to stand so, by the system's clock; None where the system does not tell.
        initial: the fields among them that tell how it began: whatever else was said of one counts more, however old.
    """

    type: RecordType
    external_id: str
    fields: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    custom: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    contact_external_id: str = ""
    is_gone: bool = False
    changed_at: datetime | None = None
    initial: frozenset[str] = frozenset()

    def canonical(self) -> RecordState:
        """Return it with every value in canonical form.

        Raises:
            MalformedError: it has no id, a field that its type has not, or a value that is none of its field's.
        """
        known = RECORD_FIELDS[self.type]
        external_id = _kept(self.external_id)
        if not external_id or len(external_id) > MAX_TEXT:
            raise MalformedError(f"{self.type}: it has no readable id")
        fields = {}
        for name, value in self.fields.items():
            if name not in known:
                raise MalformedError(f"{self.type}: there is no field {name!r}; known: {', '.join(known)}")
            text = _kept(value)
            try:
                fields[name] = known[name].read(text) if text else ""
            except (ValueError, InvalidOperation):
                raise MalformedError(f"{self.type}.{name} is {known[name].means}, not {text[:60]!r}") from None
        if len(self.custom) > MAX_CUSTOM:
            raise MalformedError(f"{self.type}: more than {MAX_CUSTOM} further fields")
        custom = {_kept(key)[:MAX_TEXT]: _text(_kept(value)) for key, value in self.custom.items()}
        about = _kept(self.contact_external_id)[:MAX_TEXT]
        return replace(self, external_id=external_id, fields=fields, custom=custom, contact_external_id=about)

    def to_json(self) -> dict[str, object]:
        """Return it as a run's input keeps it."""
        return {
            "type": self.type,
            "external_id": self.external_id,
            "fields": dict(self.fields),
            "custom": dict(self.custom),
            "contact_external_id": self.contact_external_id,
            "is_gone": self.is_gone,
            "changed_at": self.changed_at.isoformat() if self.changed_at else None,
            "initial": sorted(self.initial),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> RecordState:
        """Read what :meth:`to_json` gave."""
        at = data["changed_at"]
        read = {
            "changed_at": datetime.fromisoformat(str(at)) if at else None,
            "initial": frozenset(data.get("initial", ())),  # type: ignore[call-overload]
        }
        return cls(**{**data, **read})


@dataclass(frozen=True, slots=True)
class Effect:
    """What a call left in another system: a record there, and the contact that it is about."""

    state: RecordState
    contact_id: UUID | None = None


CUSTOM = "custom."


@dataclass(frozen=True, slots=True)
class Record:
    """A record as our book has it: of each field the value that stands, whoever said it.

    ``fields`` are its type's, ``custom`` further ones. ``gone_at``: when it was deleted where the system of record is.
    """

    id: UUID
    type: RecordType
    contact_id: UUID | None
    fields: Mapping[str, str]
    custom: Mapping[str, str]
    version: int
    gone_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @property
    def values(self) -> Mapping[str, str]:
        """All its values, by canonical field or ``custom.KEY``."""
        return {**self.fields, **{CUSTOM + name: value for name, value in self.custom.items()}}

    def to_json(self) -> dict[str, object]:
        """Return it as a step's result keeps it."""
        return {
            "id": str(self.id),
            "type": self.type,
            "contact_id": str(self.contact_id) if self.contact_id else None,
            "fields": dict(self.fields),
            "custom": dict(self.custom),
            "version": self.version,
            "gone_at": self.gone_at.isoformat() if self.gone_at else None,
            "created_at": self.created_at.isoformat(),
            "updated_at": self.updated_at.isoformat(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Record:
        """Read what :meth:`to_json` gave."""
        read = {
            "id": UUID(data["id"]),
            "contact_id": UUID(data["contact_id"]) if data["contact_id"] else None,
            "gone_at": datetime.fromisoformat(data["gone_at"]) if data["gone_at"] else None,
            "created_at": datetime.fromisoformat(data["created_at"]),
            "updated_at": datetime.fromisoformat(data["updated_at"]),
        }
        return cls(**{**data, **read})
