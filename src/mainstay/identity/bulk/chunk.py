"""Lines of a file made ready for the database, in any process: pure.

Most lines are about somebody whom nobody knows yet. What is to be stored of such a line follows from the line alone, so
it is written out here, ahead of the transaction. The others are resolved one by one, as any other write.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from mainstay.identity.bulk.rows import KIND, Fresh, RowWriter
from mainstay.identity.person import Person, person_from_json
from mainstay.identity.rules import EMAIL, PHONE, Policy
from mainstay.identity.store.write import ContactWrite, content_of, effective

MAX_RECORDS = 1 << 26
"""Of one file: an id has room for the place of so many."""


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
        received_at: when the import began. All ids are of that instant, so that they sort as the lines do; where
            others have written since, of the instant in which the chunk is written.
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
        records: which record of the file it is, counted from 0.
        ids: for its contact, if it makes one, and for its change.
        emails: those that name an owner; ``phones`` likewise.
        contents: by what a line that names nobody is recognised.
        weak: (place, kind, value) of what names nobody.
        said_now: places of lines that count as said when they were received.
        involved: places of lines that share a key with another one of the chunk, or carry the id of another system.
        people: (what was said, how it was written where otherwise), as JSON.
        contacts: the row to be stored if nobody knows the line's keys, in the text form of COPY. Likewise
            ``identifiers`` and ``changes``.
    """

    numbers: list[int] = field(default_factory=list)
    records: list[int] = field(default_factory=list)
    ids: list[tuple[str, str]] = field(default_factory=list)
    emails: list[str] = field(default_factory=list)
    phones: list[str] = field(default_factory=list)
    contents: list[bytes | None] = field(default_factory=list)
    weak: list[tuple[int, str, str]] = field(default_factory=list)
    said_now: list[int] = field(default_factory=list)
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
    return ContactWrite(
        origin.workspace_id,
        person,
        origin.source,
        kind=KIND,
        policy=origin.policy,
        key="" if _names_somebody(person) else f"{origin.key}:{number}",
        import_id=origin.import_id,
        line=number,
    )


def _names_somebody(person: Person) -> bool:
    return bool(person.identifies(EMAIL) or person.identifies(PHONE) or person.external_id)


def prepare(origin: Origin, lines: Iterable[Line]) -> Chunk:
    """Make consecutive lines ready."""
    chunk = Chunk()
    make_ids = id_maker(origin.import_id, origin.received_at)
    rows = RowWriter(origin.workspace_id, origin.import_id, origin.source, origin.received_at, origin.policy.owners)
    external: list[int] = []
    for place, line in enumerate(lines):
        person = effective(line.person, origin.policy)
        content = None if _names_somebody(person) else content_of(write_of(origin, person, line.number))
        contact_id, change_id = make_ids(line.record)
        chunk.numbers.append(line.number)
        chunk.records.append(line.record)
        chunk.ids.append((contact_id, change_id))
        chunk.emails.append("" if EMAIL in person.weak else person.email)
        chunk.phones.append("" if PHONE in person.weak else person.phone)
        chunk.contents.append(content)
        chunk.weak.extend((place, kind, value) for kind in person.weak if (value := getattr(person, kind)))
        if person.external_id or person.connection in origin.policy.copies:
            external.append(place)
        written = rows.write(Fresh(contact_id, change_id, person, line.number, line.record, content))
        if written.is_said_now:
            chunk.said_now.append(place)
        chunk.people.append((written.said, written.raw))
        chunk.contacts.append(written.contact)
        chunk.identifiers.append(written.identifiers)
        chunk.changes.append(written.change)
    chunk.involved = frozenset((*external, *_collided(chunk)))
    return chunk


def moved(origin: Origin, chunk: Chunk, instant: datetime) -> Chunk:
    """Return a chunk with the ids of a later instant.

    What counts as said when it was received is not moved along: such lines are among the ``involved``.
    """
    make_ids = id_maker(origin.import_id, instant)
    ids = [make_ids(record) for record in chunk.records]

    def renamed(rows: list[bytes]) -> list[bytes]:
        # Nothing that a file says can be one of these ids: it was there before they were made.
        return [
            row.replace(old[0].encode(), new[0].encode()).replace(old[1].encode(), new[1].encode())
            for row, old, new in zip(rows, chunk.ids, ids, strict=True)
        ]

    return replace(
        chunk,
        ids=ids,
        involved=chunk.involved.union(chunk.said_now),
        contacts=renamed(chunk.contacts),
        identifiers=renamed(chunk.identifiers),
        changes=renamed(chunk.changes),
    )


def _collided(chunk: Chunk) -> Iterable[int]:
    keys: tuple[list[Any], ...] = (chunk.emails, chunk.phones, chunk.contents)
    for values in keys:
        several = {value for value, count in Counter(values).items() if count > 1 and value}
        if several:
            yield from (place for place, value in enumerate(values) if value in several)


def id_maker(import_id: UUID, received_at: datetime) -> Callable[[int], tuple[str, str]]:
    """Return what makes the ids of a record, for its contact and its change: of one instant, in the order of records.

    UUIDs of version 7: the instant, the record's place where others count within the millisecond, and the chance of the
    import's own id, counted on. So the short ids of a list are neighbours in their index, as its ids are in theirs.
    """
    instant = f"{(received_at - _EPOCH) // timedelta(milliseconds=1):012x}"
    head = f"{instant[:8]}-{instant[8:]}-7"
    chance = import_id.int & _CHANCE

    def ids(record: int) -> tuple[str, str]:
        start = f"{head}{record >> 14:03x}-{0x8000 | record & 0x3FFF:04x}-"
        end = f"{chance + record & _CHANCE:011x}"
        return f"{start}0{end}", f"{start}8{end}"

    return ids


def merge_id_of(contact_id: str, number: int) -> UUID:
    """Return the id of what a record's ``number``-th merge, from 1, says: between the ids of its contact and change."""
    return UUID(f"{contact_id[:_PLACE]}{number}{contact_id[_PLACE + 1 :]}")


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CHANCE = (1 << 44) - 1
_PLACE = 24
