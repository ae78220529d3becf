"""Lines of a file made ready for the database, in any process: pure.

Most lines are about somebody whom nobody knows yet. What is to be stored of such a line follows from the line alone, so
it is written out here, ahead of the transaction. The others are resolved one by one, as any other write.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from mainstay.db import encode_json
from mainstay.identity.person import Person, person_from_json, person_to_json, said_at
from mainstay.identity.rules import EMAIL, NEW, PHONE, Policy
from mainstay.identity.store.writing import ContactWrite, content_of, effective
from mainstay.identity.survivorship import Said, View, differences, fold
from mainstay.model import Contact

KIND = "import"
MAX_RECORDS = 1 << 26
"""Of one file: an id has room for the place of so many."""

_SPECIAL = re.compile(r"[\\\t\n\r\0]")
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": ""}
_NULL = "\\N"


@dataclass(frozen=True, slots=True)
class Line:
    """One record of a file: ``number`` is the line where it begins, ``record`` which it is, counted from 0."""

    number: int
    record: int
    person: Person


@dataclass(frozen=True, slots=True)
class Origin:
    """Where lines come from, and how people are told apart there.

    Attributes:
        received_at: when the import began. All ids are of that instant, so that they sort as the lines do.
        key: with the line's number, by what a line that names nobody is recognised when it comes again.
    """

    import_id: UUID
    workspace_id: UUID
    source: str
    key: str
    received_at: datetime
    policy: Policy


@dataclass(slots=True)
class Chunk:
    """Consecutive lines; the lists run in parallel, one entry a line, an empty key is none.

    Attributes:
        ids: for its contact, if it makes one, and for its change.
        emails: those that name an owner; ``phones`` likewise.
        contents: by what a line that names nobody is recognised.
        weak: (place, kind, value) of what names nobody.
        involved: places of lines that share a key with another one of the chunk, or carry the id of another system.
        people: (what was said, how it was written where otherwise), as JSON.
        contacts: the row to be stored if nobody knows the line's keys, in the text form of COPY. Likewise
            ``identifiers`` and ``changes``.
    """

    numbers: list[int] = field(default_factory=list)
    ids: list[tuple[str, str]] = field(default_factory=list)
    emails: list[str] = field(default_factory=list)
    phones: list[str] = field(default_factory=list)
    contents: list[bytes | None] = field(default_factory=list)
    weak: list[tuple[int, str, str]] = field(default_factory=list)
    involved: frozenset[int] = frozenset()
    people: list[tuple[str, str]] = field(default_factory=list)
    contacts: list[bytes] = field(default_factory=list)
    identifiers: list[bytes] = field(default_factory=list)
    changes: list[bytes] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.numbers)

    def write(self, origin: Origin, place: int) -> ContactWrite:
        """Return a line as the write that it is."""
        said, raw = self.people[place]
        person = person_from_json({**orjson.loads(said), "raw": orjson.loads(raw) or None})
        return write_of(origin, person, self.numbers[place])


def write_of(origin: Origin, person: Person, number: int) -> ContactWrite:
    """Return what a line says as a write."""
    person = effective(person, origin.policy)
    names_somebody = person.identifies(EMAIL) or person.identifies(PHONE) or person.external_id
    return ContactWrite(
        origin.workspace_id,
        person,
        origin.source,
        kind=KIND,
        policy=origin.policy,
        key="" if names_somebody else f"{origin.key}:{number}",
        import_id=origin.import_id,
        line=number,
    )


def prepare(origin: Origin, lines: Iterable[Line]) -> Chunk:
    """Make consecutive lines ready."""
    chunk = Chunk()
    rows = _Rows(origin)
    for line in lines:
        rows.add(chunk, line)
    chunk.involved |= frozenset(_collided(chunk))
    return chunk


def _collided(chunk: Chunk) -> Iterable[int]:
    keys: tuple[list[Any], ...] = (chunk.emails, chunk.phones, chunk.contents)
    for values in keys:
        several = {value for value, count in Counter(values).items() if count > 1 and value}
        if several:
            yield from (place for place, value in enumerate(values) if value in several)


class _Rows:
    """Writes out the rows of lines whose keys nobody knows."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._ids = id_maker(origin.received_at)
        self._now = origin.received_at.isoformat()
        self._source = escaped(origin.source)

    def add(self, chunk: Chunk, line: Line) -> None:
        origin = self._origin
        write = write_of(origin, line.person, line.number)
        person = write.person
        contact_id, change_id = self._ids(line.record)
        place = len(chunk.numbers)
        chunk.numbers.append(line.number)
        chunk.ids.append((contact_id, change_id))
        identifiers = ""
        for kind, value, keys in ((EMAIL, person.email, chunk.emails), (PHONE, person.phone, chunk.phones)):
            is_weak = kind in person.weak
            keys.append("" if is_weak else value)
            if value:
                if is_weak:
                    chunk.weak.append((place, kind, value))
                alias = escaped(person.alias_key) if kind == EMAIL else ""
                identifiers += (
                    f"{origin.workspace_id}\t{kind}\t{escaped(value)}\t{contact_id}\t{contact_id}\t"
                    f"{'weak' if is_weak else 'owner'}\t{alias}\t{self._source}\t{self._now}\n"
                )
        if person.external_id:
            chunk.involved |= {place}
        content = content_of(write)
        chunk.contents.append(content)
        chunk.identifiers.append(identifiers.encode())
        self._story(chunk, write, contact_id, change_id, content)

    def _story(
        self, chunk: Chunk, write: ContactWrite, contact_id: str, change_id: str, content: bytes | None
    ) -> None:
        person, workspace_id = write.person, write.workspace_id
        at = said_at(person, self._origin.received_at)
        empty = View(Contact(UUID(contact_id), workspace_id, version=0, created_at=at, updated_at=at), {})
        view = fold(empty, Said(UUID(change_id), at, KIND, person))
        contact, opted_out = view.contact, person.do_not_contact
        before, after = differences(empty.contact, contact)
        if opted_out:
            before["do_not_contact"], after["do_not_contact"] = False, True
        when = at.isoformat()
        digest = _NULL if content is None else f"\\\\x{content.hex()}"
        chunk.contacts.append(
            (
                f"{contact_id}\t{workspace_id}\t{escaped(contact.email)}\t{escaped(contact.phone)}\t"
                f"{escaped(contact.first_name)}\t{escaped(contact.last_name)}\t{escaped(contact.company)}\t"
                f"{escaped(contact.source)}\t{array(contact.tags)}\t{json(dict(contact.custom))}\t{array(contact.flags)}\t"
                f"{'t' if opted_out else 'f'}\t{json({name: tuple(origin) for name, origin in view.origins.items()})}\t{when if opted_out else _NULL}\t"
                f"{when if person.consent else _NULL}\t1\t{when}\t{when}\n"
            ).encode()
        )
        said = person_to_json(person)
        raw = said.pop("raw", {})
        chunk.people.append((encode_json(said), encode_json(raw)))
        said_json, raw_json = chunk.people[-1]
        chunk.changes.append(
            (
                f"{change_id}\t{workspace_id}\t{contact_id}\t{contact_id}\t1\t{NEW}\t{self._source}\t{KIND}\t{when}\t"
                f"{escaped(said_json)}\t{escaped(raw_json)}\t{json(before)}\t{json(after)}\t"
                f"{escaped('; '.join(person.notes))}\t{digest}\t"
                f"{self._now}\t{write.import_id}\t{write.line}\n"
            ).encode()
        )


CONTACT_COLUMNS = (
    "id",
    "workspace_id",
    "email",
    "phone",
    "first_name",
    "last_name",
    "company",
    "source",
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


def escaped(text: str) -> str:
    """Return a text as COPY reads it."""
    return _SPECIAL.sub(lambda found: _ESCAPES[found[0]], text) if _SPECIAL.search(text) else text


def json(value: Any) -> str:
    """Return a value as COPY reads it into a jsonb column."""
    return escaped(encode_json(value)) if value else "{}"


def array(words: Collection[str]) -> str:
    """Return texts as COPY reads them into a text[] column."""
    quoted = ('"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"' for word in words)
    return escaped(f"{{{','.join(quoted)}}}") if words else "{}"


def id_maker(received_at: datetime) -> Callable[[int], tuple[str, str]]:
    """Return what makes the ids of a record, for its contact and its change: of one instant, in the order of records.

    UUIDs of version 7: the instant, the record's place where others count within the millisecond, and chance.
    """
    instant = f"{int(received_at.timestamp() * 1000):012x}"
    head = f"{instant[:8]}-{instant[8:]}-7"

    def ids(record: int) -> tuple[str, str]:
        chance = os.urandom(12).hex()
        high, low = record >> 14, record & 0x3FFF
        start = f"{head}{high:03x}-{0x8000 | low:04x}-"
        # The first bit of what is left: the contact's before the change's.
        return f"{start}{int(chance[0], 16) & 7:x}{chance[1:12]}", f"{start}{int(chance[12], 16) | 8:x}{chance[13:]}"

    return ids

