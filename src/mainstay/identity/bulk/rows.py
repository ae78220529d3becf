"""The rows of a line about somebody whom nobody knows, as PostgreSQL's COPY reads them: pure.

They are what the write path stores of such a write; a test holds one against the other. Written out by hand, because a
book of ten million is ten million times this.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from mainstay.db import encode_json
from mainstay.identity.person import Person, said_at
from mainstay.identity.rules import EMAIL, NEW, PHONE
from mainstay.identity.survivorship import CUSTOM, FIELDS, NOBODY, Owners, union, weight_of

KIND = "import"
CONTACT_COLUMNS = (
    "id",
    "workspace_id",
    *FIELDS,
    "tags",
    "custom",
    "flags",
    "do_not_contact",
    "origins",
    "opted_out_at",
    "consented_at",
    "version",
    "created_at",
    "updated_at",
)
IDENTIFIER_COLUMNS = (
    "workspace_id",
    "kind",
    "value",
    "home_id",
    "contact_id",
    "standing",
    "alias_key",
    "source",
    "created_at",
)
CHANGE_COLUMNS = (
    "id",
    "workspace_id",
    "contact_id",
    "home_id",
    "version",
    "rule",
    "source",
    "kind",
    "occurred_at",
    "person",
    "raw",
    "before",
    "after",
    "note",
    "content",
    "at",
    "import_id",
    "line",
)

_NULL = "\\N"
_SPECIAL = re.compile(r"[\\\t\n\r\0]")
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": ""}
_fields = attrgetter(*FIELDS)
_EMPTY: Mapping[str, Any] = {"tags": (), "custom": {}, "do_not_contact": False, "flags": ()}
_EXTRAS = tuple(_EMPTY)
_REST = tuple(name for name in Person.__dataclass_fields__ if name not in {*FIELDS, *_EXTRAS, "raw"})
_rest = attrgetter(*_REST)


@dataclass(frozen=True, slots=True)
class Fresh:
    """A line whose keys nobody knows. ``content`` is by what it is recognised where it names nobody."""

    contact_id: str
    change_id: str
    person: Person
    number: int
    record: int
    content: bytes | None


class Written(NamedTuple):
    """The rows of one line, and what it says as JSON: the person, and what was written otherwise.

    ``is_said_now`` tells that it counts as said when it was received.
    """

    contact: bytes
    identifiers: bytes
    change: bytes
    said: str
    raw: str
    is_said_now: bool


class RowWriter:
    """Writes the rows of the lines of one import."""

    def __init__(
        self, workspace_id: UUID, import_id: UUID, source: str, received_at: datetime, owners: Owners = NOBODY
    ) -> None:
        self._workspace = str(workspace_id)
        self._import = str(import_id)
        self._source = escaped(source)
        self._owners = owners
        self._received_at = received_at
        self._now = received_at.isoformat()
        self._times = lru_cache(1024)(self._read_time)

    def _read_time(self, occurred_at: str) -> tuple[str, str] | None:
        """Return when it was said, for a column and as origins have it; None when that is when it was received."""
        at = said_at(Person(occurred_at=occurred_at), self._received_at)
        return None if at == self._received_at else _as_text(at)

    def write(self, line: Fresh) -> Written:
        """Return the rows of a line."""
        person, contact_id = line.person, line.contact_id
        time = self._times(person.occurred_at)
        when, stamp = time or _as_text(said_at(person, received(self._received_at, line.record)))
        fields = _fields(person)
        given = [(name, value) for name, value in zip(FIELDS, fields, strict=True) if value]
        values = _object(dict(given))
        custom = {key: value for key, value in person.custom.items() if value} if person.custom else {}
        before, after, told = _extras(person, custom)
        rest = {name: value for name, value in zip(_REST, _rest(person), strict=True) if value}
        said = _joined(_joined(values, told), _object(rest))
        raw = _object(person.raw) if person.raw else "{}"
        # A backslash is in the JSON of whatever has one, or a quote or a control character.
        text: Any = str if "\\" not in said else escaped
        email, phone, first, last, company, source = fields if text is str else map(escaped, fields)
        is_out = person.do_not_contact
        contact = (
            f"{contact_id}\t{self._workspace}\t{email}\t{phone}\t{first}\t{last}\t{company}\t{source}\t"
            f"{array(union((), person.tags)) if person.tags else '{}'}\t{text(_object(custom)) if custom else '{}'}\t"
            f"{array(union((), person.flags)) if person.flags else '{}'}\t{'t' if is_out else 'f'}\t"
            f"{text(self._origins(person, given, custom, (stamp, line.change_id)))}\t{when if is_out else _NULL}\t"
            f"{when if person.consent else _NULL}\t1\t{when}\t{when}\n"
        )
        change = (
            f"{line.change_id}\t{self._workspace}\t{contact_id}\t{contact_id}\t1\t{NEW}\t{self._source}\t{KIND}\t"
            f"{when}\t{text(said)}\t{escaped(raw)}\t{text(_joined(_nothing(tuple(dict(given))), before))}\t"
            f"{text(_joined(values, after))}\t{text('; '.join(person.notes))}\t"
            f"{_NULL if line.content is None else _bytea(line.content)}\t{self._now}\t{self._import}\t{line.number}\n"
        )
        return Written(
            contact.encode(), self._identifiers(line, text).encode(), change.encode(), said, raw, time is None
        )

    def _origins(
        self, person: Person, given: list[tuple[str, str]], custom: Mapping[str, str], change: tuple[str, str]
    ) -> str:
        """Return where each value comes from: ``change`` is when it was said, and the change's id."""
        stamp, change_id = change
        begin = f'["{stamp}","{KIND}","{change_id}",'
        owners = self._owners
        parts = [f'"{name}":{begin}{weight_of(name, value, person, owners)}]' for name, value in given]
        for key, value in custom.items():
            name = f"{CUSTOM}{key}"
            parts.append(f"{encode_json(name)}:{begin}{weight_of(name, value, person, owners)}]")
        return f"{{{','.join(parts)}}}"

    def _identifiers(self, line: Fresh, text: Any) -> str:
        person, written = line.person, ""
        for kind, value, alias in ((EMAIL, person.email, person.alias_key), (PHONE, person.phone, "")):
            if value:
                standing = "weak" if kind in person.weak else "owner"
                written += (
                    f"{self._workspace}\t{kind}\t{text(value)}\t{line.contact_id}\t{line.contact_id}\t{standing}\t"
                    f"{text(alias)}\t{self._source}\t{self._now}\n"
                )
        return written


def received(began: datetime, record: int) -> datetime:
    """Return when a record counts as received: one after the other, so that of two the later is the later."""
    return began + timedelta(microseconds=record)


def _as_text(at: datetime) -> tuple[str, str]:
    return at.isoformat(), at.astimezone(UTC).isoformat(timespec="microseconds")


def _extras(person: Person, custom: Mapping[str, str]) -> tuple[str, str, str]:
    """Return what else the contact was before, which is nothing, what it became, and as it was said."""
    if not (person.tags or person.custom or person.do_not_contact or person.flags):
        return "{}", "{}", "{}"
    became = {
        "tags": union((), person.tags),
        "custom": custom,
        "do_not_contact": person.do_not_contact,
        "flags": union((), person.flags),
    }
    became = {name: value for name, value in became.items() if value}
    said = {name: value for name in _EXTRAS if (value := getattr(person, name))}
    after = _object(became)
    before = _object({name: _EMPTY[name] for name in became})
    return before, after, after if said == became else _object(said)


@lru_cache(256)
def _nothing(names: tuple[str, ...]) -> str:
    return _object(dict.fromkeys(names, ""))


def _object(value: Mapping[str, Any]) -> str:
    written = orjson.dumps(value).decode()
    return encode_json(value) if "\\u0000" in written else written


def _joined(one: str, other: str) -> str:
    """Return the JSON object that has the keys of both."""
    if one == "{}" or other == "{}":
        return one if other == "{}" else other
    return f"{one[:-1]},{other[1:]}"


def _bytea(value: bytes) -> str:
    return f"\\\\x{value.hex()}"


def escaped(text: str) -> str:
    """Return a text as COPY reads it."""
    return _SPECIAL.sub(lambda found: _ESCAPES[found[0]], text) if _SPECIAL.search(text) else text


def array(words: Collection[str]) -> str:
    """Return texts as COPY reads them into a text[] column."""
    if not words:
        return "{}"
    quoted = ('"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"' for word in words)
    return escaped(f"{{{','.join(quoted)}}}")
