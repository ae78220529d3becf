"""SQL that keeps what systems say of records that are no contacts: one write path, whoever says it.

A record is told by its id in the system that speaks, else by its reference, which all systems share. Both are locked
before they are looked up, so that two who speak of a new one at once make one of it. What is written in our own book
itself names a record by our id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.model import Record, RecordState, new_id
from mainstay.model.record import REFERENCE
from mainstay.records.ownership import CUSTOM, OURS, Folded, Ownership, Said, fold

if TYPE_CHECKING:
    from mainstay.db import Connection, Row


_ONE_SECOND = timedelta(seconds=1)
"""What a vendor's clock that counts seconds may be ahead."""
_GONE = "gone"
"""Among the origins: because of which word a record is gone, or is not."""


@dataclass(frozen=True, slots=True)
class Word:
    """What a connection says of one record, in canonical form, and what it came from.

    ``source`` names the source, workflow or pull that brought it; ``contact_id`` is the contact that it is about, where
    that is known without asking by ``state.contact_external_id``.
    """

    workspace_id: UUID
    connection: str
    state: RecordState
    ownership: Ownership
    source: str
    contact_id: UUID | None = None
    delivery_id: UUID | None = None
    run_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of a word: the record, and which of its fields it changed; ``refused`` as in :class:`Folded`.

    ``overwritten`` are those of the changed fields of which something was known before. ``is_news`` tells whether the
    record is other than before: new, changed, gone or back.
    """

    record_id: UUID
    is_new: bool
    contact_id: UUID | None
    changed: tuple[str, ...]
    refused: Mapping[str, str]
    overwritten: tuple[str, ...] = ()
    is_news: bool = True


@dataclass(slots=True)
class _Record:
    id: UUID
    contact_id: UUID | None
    values: Mapping[str, str]
    origins: Mapping[str, Mapping[str, Any]]
    version: int
    gone_at: datetime | None
    created_at: datetime
    is_new: bool = False
    is_touched: bool = False
    ids: dict[str, str] = field(default_factory=dict)
    """Its id in each system."""
    refused: dict[str, Mapping[str, str]] = field(default_factory=dict)
    """What each connection was refused last."""


def record_of(row: Row) -> Record:
    """Read a row of the table ``records``."""
    values: Mapping[str, str] = row["values"]
    return Record(
        row["id"],
        row["type"],
        row["contact_id"],
        {name: value for name, value in values.items() if not name.startswith(CUSTOM)},
        {name.removeprefix(CUSTOM): value for name, value in values.items() if name.startswith(CUSTOM)},
        row["version"],
        row["gone_at"],
        row["created_at"],
        row["updated_at"],
    )


async def keep(connection: Connection, words: Sequence[Word], *, now: datetime | None = None) -> list[Heard]:
    """Take words up, in order; one that says nothing new leaves no trace."""
    if not words:
        return []
    now = now or datetime.now(UTC)
    await hold_keys(connection, words)
    found = await _find(connection, words)
    contacts = await _contacts(connection, words)
    changes: list[tuple[Any, ...]] = []
    ids: list[tuple[Any, ...]] = []
    types: dict[UUID, tuple[UUID, str]] = {}
    heard = []
    for number, word in enumerate(words):
        contact_id = word.contact_id or contacts.get(number)
        record = _known(found, word)
        if record is None:
            record_id = UUID(word.state.external_id) if word.connection == OURS else new_id()
            record = _Record(record_id, contact_id, {}, {}, 0, None, now, is_new=True)
        was_new = record.is_new and not record.is_touched
        for key in _keys(word):
            if record not in found.setdefault(key, []):
                found[key].append(record)
        change_id = new_id()
        said = _said(word, change_id, now)
        folded, is_gone = _fold(record, said, word.ownership)
        is_news = was_new or bool(folded.after) or is_gone != (record.gone_at is not None)
        overwritten = tuple(name for name in folded.after if name in record.values)
        is_refused_anew = folded.refused != record.refused.get(word.connection, {})
        if is_news or (folded.refused and is_refused_anew):
            changes.append(_change(change_id, word, record, said, folded, now))
        if is_refused_anew:
            record.refused[word.connection] = folded.refused
            record.is_touched = True
        if is_news or (contact_id is not None and record.contact_id is None) or folded.origins != record.origins:
            record.version += is_news
            record.is_touched = True
        record.values, record.origins = folded.values, folded.origins
        record.gone_at = (record.gone_at or now) if is_gone else None
        record.contact_id = record.contact_id or contact_id
        if word.connection not in {*record.ids, OURS}:
            record.ids[word.connection] = word.state.external_id
            ids.append((word.workspace_id, word.state.type, record.id, word.connection, word.state.external_id, now))
        types[record.id] = (word.workspace_id, word.state.type)
        changed = tuple(folded.after)
        heard.append(Heard(record.id, was_new, record.contact_id, changed, folded.refused, overwritten, is_news))
    touched = [
        record
        for record in {each.id: each for several in found.values() for each in several}.values()
        if record.is_touched
    ]
    await _store(connection, [(types[each.id], each) for each in touched], changes, ids, now)
    return heard


async def hold_keys(connection: Connection, words: Sequence[Word]) -> None:
    """Let nobody else speak of the records that these words mean, or of new ones by their names, until the commit."""
    await connection.execute(
        """
        SELECT pg_advisory_xact_lock(hashtextextended(key, 3)) FROM unnest($1::text[]) AS key
        """,
        sorted({key for word in words for key in _keys(word)}),
    )


def _known(found: Mapping[str, Sequence[_Record]], word: Word) -> _Record | None:
    """Return the record that a word means: of two with one reference in one system each is one of its own."""
    by_id, *by_reference = _keys(word)
    if by_id in found:
        return found[by_id][0]
    candidates = [record for key in by_reference for record in found.get(key, ())]
    return next((record for record in candidates if word.connection not in record.ids), None)


def _keys(word: Word) -> tuple[str, ...]:
    state = word.state
    by_id = f"{word.workspace_id} {state.type} {word.connection} {state.external_id}"
    reference = state.fields.get(REFERENCE, "")
    return (by_id, f"{word.workspace_id} {state.type} {reference}") if reference else (by_id,)


async def _find(connection: Connection, words: Sequence[Word]) -> dict[str, list[_Record]]:
    """Return the records that are there, by each key that leads to one, held until the transaction ends."""
    rows = await connection.fetch(
        """
        SELECT asked.workspace_id, asked.type, asked.connection, asked.external_id, asked.reference, is_by_id, records.*
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::uuid[])
            AS asked (workspace_id, type, connection, external_id, reference, our_id)
        CROSS JOIN LATERAL (
            (SELECT record_id, TRUE AS is_by_id FROM crosswalk AS known
             WHERE known.workspace_id = asked.workspace_id AND known.connection = asked.connection
               AND known.record_type = asked.type AND known.external_id = asked.external_id LIMIT 1)
            UNION ALL
            (SELECT id, FALSE FROM records AS known
             WHERE known.workspace_id = asked.workspace_id AND known.type = asked.type AND asked.reference <> ''
               AND known.values ->> 'reference' = asked.reference AND known.values ->> 'reference' <> ''
               AND NOT EXISTS (SELECT FROM crosswalk AS theirs WHERE theirs.workspace_id = asked.workspace_id
                               AND theirs.record_type = asked.type AND theirs.record_id = known.id
                               AND theirs.connection = asked.connection)
             ORDER BY id LIMIT 1)
            UNION ALL
            (SELECT id, TRUE FROM records AS known WHERE known.id = asked.our_id
               AND known.workspace_id = asked.workspace_id AND known.type = asked.type LIMIT 1)
        ) AS named
        CROSS JOIN LATERAL (
            SELECT * FROM records WHERE records.id = named.record_id FOR NO KEY UPDATE LIMIT 1
        ) AS records
        ORDER BY records.id
        """,
        [word.workspace_id for word in words],
        [word.state.type for word in words],
        [word.connection for word in words],
        [word.state.external_id for word in words],
        [word.state.fields.get(REFERENCE, "") for word in words],
        [UUID(word.state.external_id) if word.connection == OURS else None for word in words],
    )
    records: dict[UUID, _Record] = {}
    found: dict[str, list[_Record]] = {}
    for row in rows:
        record = records.setdefault(
            row["id"],
            _Record(
                row["id"],
                row["contact_id"],
                row["values"],
                row["origins"],
                row["version"],
                row["gone_at"],
                row["created_at"],
                refused=dict(row["refused"]),
            ),
        )
        place = f"{row['workspace_id']} {row['type']}"
        key = f"{place} {row['connection']} {row['external_id']}" if row["is_by_id"] else f"{place} {row['reference']}"
        found.setdefault(key, []).append(record)
    if not records:
        return found
    ids = await connection.fetch(
        """
        SELECT known.* FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS asked (workspace_id, type, id)
        CROSS JOIN LATERAL (
            SELECT record_id, connection, external_id FROM crosswalk
            WHERE workspace_id = asked.workspace_id AND record_type = asked.type AND record_id = asked.id LIMIT 100
        ) AS known
        """,
        [row["workspace_id"] for row in rows],
        [row["type"] for row in rows],
        [row["id"] for row in rows],
    )
    for row in ids:
        records[row["record_id"]].ids.setdefault(row["connection"], row["external_id"])
    return found


async def _contacts(connection: Connection, words: Sequence[Word]) -> dict[int, UUID]:
    """Return the contacts that words are about by the ids of their own systems: place among the words to contact."""
    if not any(word.state.contact_external_id for word in words):
        return {}
    rows = await connection.fetch(
        """
        SELECT place, surviving(known.record_id) AS contact_id
        FROM unnest($1::uuid[], $2::text[], $3::text[]) WITH ORDINALITY AS asked (workspace_id, connection, id, place)
        CROSS JOIN LATERAL (
            SELECT record_id FROM record_ids
            WHERE workspace_id = asked.workspace_id AND record_type = 'contact' AND connection = asked.connection
              AND external_id = asked.id LIMIT 1
        ) AS known
        """,
        [word.workspace_id for word in words],
        [word.connection for word in words],
        [word.state.contact_external_id for word in words],
    )
    return {row["place"] - 1: row["contact_id"] for row in rows}


def _said(word: Word, change_id: UUID, now: datetime) -> Said:
    values = dict(word.state.fields) | {CUSTOM + name: value for name, value in word.state.custom.items()}
    if word.ownership.system_of_record in {OURS, word.connection}:
        # Only who is right about a record can say that it is gone, or back.
        values[_GONE] = "true" if word.state.is_gone else ""
    return Said(
        str(change_id),
        word.connection,
        values,
        min(word.state.changed_at or now, now + _ONE_SECOND),
        word.state.initial,
    )


def _fold(record: _Record, said: Said, ownership: Ownership) -> tuple[Folded, bool]:
    """Take a word up; also returns whether the record is gone after it, which is a matter of who spoke last as well."""
    stands = {**record.values, _GONE: "true" if record.gone_at else ""}
    folded = fold(stands, record.origins, said, ownership)
    values, before, after = (
        {name: value for name, value in each.items() if name != _GONE}
        for each in (folded.values, folded.before, folded.after)
    )
    refused = {name: value for name, value in folded.refused.items() if name != _GONE}
    return Folded(values, folded.origins, before, after, refused), bool(folded.values[_GONE])


def _change(change_id: UUID, word: Word, record: _Record, said: Said, folded: Folded, now: datetime) -> tuple[Any, ...]:
    return (
        change_id,
        word.workspace_id,
        record.id,
        word.connection,
        word.source,
        word.delivery_id,
        word.run_id,
        said.at,
        dict(folded.before),
        dict(folded.after),
        dict(folded.refused),
        now,
    )


async def _store(
    connection: Connection,
    touched: Sequence[tuple[tuple[UUID, str], _Record]],
    changes: Sequence[tuple[Any, ...]],
    ids: Sequence[tuple[Any, ...]],
    now: datetime,
) -> None:
    if not touched and not changes and not ids:
        return
    await connection.executemany(
        """
        INSERT INTO records AS known (id, workspace_id, type, contact_id, values, origins, refused, version, gone_at,
                                      created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ON CONFLICT (id) DO UPDATE SET contact_id = excluded.contact_id, values = excluded.values,
            origins = excluded.origins, refused = excluded.refused, version = excluded.version,
            gone_at = excluded.gone_at, updated_at = excluded.updated_at
        """,
        [
            (
                each.id,
                *of,
                each.contact_id,
                dict(each.values),
                {name: dict(origin) for name, origin in each.origins.items()},
                {system: dict(values) for system, values in each.refused.items() if values},
                each.version,
                each.gone_at,
                each.created_at,
                now,
            )
            for of, each in sorted(touched, key=lambda pair: pair[1].id)
        ],
    )
    await connection.executemany(
        """
        INSERT INTO record_changes (id, workspace_id, record_id, connection, source, delivery_id, run_id, said_at,
                                    before, after, refused, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """,
        changes,
    )
    await connection.executemany(
        """
        INSERT INTO crosswalk (workspace_id, record_type, record_id, connection, external_id, wanted_version,
                               updated_at)
        VALUES ($1, $2, $3, $4, $5, 0, $6) ON CONFLICT DO NOTHING
        """,
        ids,
    )
