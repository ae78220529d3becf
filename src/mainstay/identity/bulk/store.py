"""SQL of bulk writing: lines that nobody knows are copied as they are, the others take the one write path."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.identity.bulk.chunk import Chunk, Origin
from mainstay.identity.bulk.rows import CHANGE_COLUMNS, CONTACT_COLUMNS, IDENTIFIER_COLUMNS
from mainstay.identity.rules import EMAIL, PHONE
from mainstay.identity.store.keys import lock_workspace
from mainstay.identity.store.reading import Keyring, read_keys
from mainstay.identity.store.write import ContactWrite, Dropped, Resolution
from mainstay.identity.store.writing import Writing, keys_that_find
from mainstay.model import new_id

if TYPE_CHECKING:
    from mainstay.db import Connection
    from mainstay.identity.store.merging import Merged


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
    await lock_workspace(connection, origin.workspace_id)
    known = sorted(chunk.involved | await _known(connection, origin.workspace_id, chunk))
    resolved = await _resolve(connection, origin, chunk, known)
    await _copy(connection, chunk, set(known))
    return ChunkOutcome(len(chunk) - len(known), resolved)


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
    ids = {chunk.numbers[place]: chunk.ids[place] for place in places}
    writing = _LineWriting(connection, await read_keys(connection, keys_that_find(writes)), ids)
    writing.batch.is_compared = False
    await writing.look_back()
    resolved = [(write, await writing.write(write)) for write in writes]
    await writing.batch.flush()
    return resolved


class _LineWriting(Writing):
    """Writes of lines, whose ids are given by their place in the file."""

    def __init__(self, connection: Connection, keyring: Keyring, ids: Mapping[int, tuple[str, str]]) -> None:
        super().__init__(connection, keyring)
        self._ids = ids
        self._latest: dict[UUID, UUID] = {}

    async def look_back(self) -> None:
        """Read what was said last of each contact: others may have written since the import began."""
        rows = await self.connection.fetch(
            """
            SELECT asked.id, latest.id AS change_id FROM unnest($1::uuid[]) AS asked (id)
            CROSS JOIN LATERAL (SELECT id FROM changes WHERE contact_id = asked.id ORDER BY id DESC LIMIT 1) AS latest
            """,
            list(self.batch.views),
        )
        self._latest = {row["id"]: row["change_id"] for row in rows}

    def new_contact_id(self, write: ContactWrite) -> UUID:
        return UUID(self._ids[write.line or 0][0])

    def new_change_id(self, write: ContactWrite, contact_id: UUID) -> UUID:
        change_id = UUID(self._ids[write.line or 0][1])
        latest = self._latest.get(contact_id)
        if latest is not None and latest > change_id:
            change_id = new_id()
        self._latest[contact_id] = change_id
        return change_id

    def note_merge(self, merge: Merged) -> None:
        # The merge is itself something that was said of the survivor.
        self._latest[merge.survivor_id] = new_id()


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
