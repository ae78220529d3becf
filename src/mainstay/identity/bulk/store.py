"""SQL of bulk writing: lines that nobody knows are copied as they are, the others take the one write path."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.identity.bulk.chunk import Chunk, Origin, merge_id_of, moved
from mainstay.identity.bulk.rows import CHANGE_COLUMNS, CONTACT_COLUMNS, IDENTIFIER_COLUMNS, received
from mainstay.identity.rules import EMAIL, PHONE
from mainstay.identity.store.keys import lock_workspace
from mainstay.identity.store.reading import Keyring, read_keys
from mainstay.identity.store.write import ContactWrite, Dropped, Resolution
from mainstay.identity.store.writing import Writing, keys_that_find
from mainstay.model import made_at

if TYPE_CHECKING:
    from mainstay.db import Connection


@dataclass(frozen=True, slots=True)
class ChunkOutcome:
    """What became of a chunk.

    ``fresh`` counts the lines that made a contact of their own, ``resolved`` gives the others with their outcome.
    """

    fresh: int
    resolved: Sequence[tuple[ContactWrite, Resolution | Dropped]]


async def write_chunk(connection: Connection, origin: Origin, chunk: Chunk) -> ChunkOutcome:
    """Write consecutive lines inside the caller's transaction, with the outcome that writing each in order has.

    Others that write to the workspace wait until the commit.
    """
    await connection.execute(_SETTINGS)
    await lock_workspace(connection, origin.workspace_id)
    origin, chunk = await _after_others(connection, origin, chunk)
    known = sorted(chunk.involved | await _known(connection, origin.workspace_id, chunk))
    # The many first, at the right edge of the indexes by id, then the few in between: so the pages of these stay full.
    await _copy(connection, chunk, set(known))
    resolved = await _resolve(connection, origin, chunk, known)
    return ChunkOutcome(len(chunk) - len(known), resolved)


async def _after_others(connection: Connection, origin: Origin, chunk: Chunk) -> tuple[Origin, Chunk]:
    """Return the chunk with ids that are later than all that was said so far, by others or by an earlier chunk.

    Of contacts the older survives, of equal values the one that was said first: both go by ids.
    """
    latest = await connection.fetchval("SELECT id FROM changes ORDER BY id DESC LIMIT 1")
    if latest is None or not chunk.ids or latest < UUID(chunk.ids[0][0]):
        return origin, chunk
    now = datetime.now(UTC)
    after = made_at(latest) + timedelta(milliseconds=1)  # their clock may be ahead of ours
    return replace(origin, received_at=now), moved(origin, chunk, max(after, now))


_SETTINGS = """
    SET LOCAL plan_cache_mode = force_custom_plan;
    SET LOCAL enable_seqscan = off;
    SET LOCAL synchronous_commit = off
"""
# The statistics of a table that grows so fast are always of a smaller one: a plan that trusts them reads the whole of
# it for every chunk. And a commit may be on disk a moment later: what a crash takes of it is done again by whoever goes
# on, because how far the file is goes with it; what others built on it, and were told is kept, is on disk after it.


async def _known(connection: Connection, workspace_id: UUID, chunk: Chunk) -> set[int]:
    """Return the places of lines that name somebody who is known, or who was."""
    places: set[int] = set()
    for kind, values in ((EMAIL, chunk.emails), (PHONE, chunk.phones)):
        asked = [value for value in values if value]
        if asked:
            rows = await connection.fetch(_IDENTIFIERS, workspace_id, kind, asked)
            found = {row["value"] for row in rows}
            places.update(place for place, value in enumerate(values) if value in found)
    contents = [content for content in chunk.contents if content]
    if contents:
        rows = await connection.fetch(_CONTENTS, workspace_id, contents)
        known = {row["content"] for row in rows}
        places.update(place for place, content in enumerate(chunk.contents) if content in known)
    if await connection.fetchval(
        "SELECT EXISTS (SELECT FROM erased_identifiers WHERE workspace_id = $1)", workspace_id
    ):
        places |= await _erased(connection, workspace_id, chunk)
    return places


async def _erased(connection: Connection, workspace_id: UUID, chunk: Chunk) -> set[int]:
    keys = [
        *((place, EMAIL, value) for place, value in enumerate(chunk.emails) if value),
        *((place, PHONE, value) for place, value in enumerate(chunk.phones) if value),
        *chunk.weak,
    ]
    if not keys:
        return set()
    rows = await connection.fetch(_ERASED, workspace_id, *map(list, zip(*keys, strict=True)))
    return {row["place"] for row in rows}


_IDENTIFIERS = """
    SELECT DISTINCT value FROM identifiers
    WHERE workspace_id = $1 AND kind = $2 AND value = ANY($3) AND standing <> 'weak'
"""
_CONTENTS = "SELECT content FROM changes WHERE workspace_id = $1 AND content = ANY($2)"
_ERASED = """
    SELECT place FROM unnest($2::integer[], $3::text[], $4::text[]) AS asked (place, kind, value)
    JOIN workspaces AS w ON w.id = $1
    JOIN erased_identifiers AS e ON e.workspace_id = $1 AND e.digest = identifier_digest(w.digest_key, kind, value)
"""


async def _resolve(
    connection: Connection, origin: Origin, chunk: Chunk, places: Sequence[int]
) -> list[tuple[ContactWrite, Resolution | Dropped]]:
    if not places:
        return []
    writes = [chunk.write(origin, place) for place in places]
    writing = _LineWriting(connection, await read_keys(connection, keys_that_find(writes)), origin, chunk)
    writing.batch.is_compared = False
    resolved = [(write, await writing.write(write)) for write in writes]
    await writing.batch.flush()
    return resolved


class _LineWriting(Writing):
    """Writes of lines, whose ids and instants are given by their place in the file."""

    def __init__(self, connection: Connection, keyring: Keyring, origin: Origin, chunk: Chunk) -> None:
        super().__init__(connection, keyring)
        self._began = origin.received_at
        self._lines = dict(zip(chunk.numbers, zip(chunk.records, chunk.ids, strict=True), strict=True))

    def received_at(self, write: ContactWrite) -> datetime:
        record, _ = self._lines[write.line or 0]
        return received(self._began, record)

    def new_contact_id(self, write: ContactWrite) -> UUID:
        _, (contact_id, _) = self._lines[write.line or 0]
        return UUID(contact_id)

    def new_change_id(self, write: ContactWrite) -> UUID:
        _, (_, change_id) = self._lines[write.line or 0]
        return UUID(change_id)

    def new_merge_change_id(self, write: ContactWrite, number: int) -> UUID:
        _, (contact_id, _) = self._lines[write.line or 0]
        return merge_id_of(contact_id, number)


async def _copy(connection: Connection, chunk: Chunk, known: set[int]) -> None:
    for table, columns, rows in (
        ("contacts", CONTACT_COLUMNS, chunk.contacts),
        ("identifiers", IDENTIFIER_COLUMNS, chunk.identifiers),
        ("changes", CHANGE_COLUMNS, chunk.changes),
    ):
        fresh = [row for place, row in enumerate(rows) if place not in known] if known else rows
        if fresh:
            await connection.copy_to_table(table, source=_once(b"".join(fresh)), columns=columns)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
