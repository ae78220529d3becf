"""What a mirror asks for each batch and page must cost the same however large the book and the copy are."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from hashlib import md5
from typing import Any
from uuid import UUID

import pytest

from mainstay.db import Connection, Pool, acquire
from mainstay.kit import Pulled, Submission
from mainstay.mirrors import USUAL_COLUMNS, Mirror, MirroredType, drifts, reading, store
from mainstay.mirrors.drifts import Found, Page
from mainstay.mirrors.pushing import BATCH
from mainstay.model import new_id
from mainstay.records import Done, Want, copies_of, pushed, want
from mainstay.records.deleting import delete_late
from tests.plans import Recorder, RecordingPool, touched

ROWS = 40_000
SIZE = 500
MOST = 20_000
"""So many rows may a node look at: a portion of a comparison's end is the most, and what it left when it was undone."""
STATES = {
    "stale": "some rows are stale",
    "load": "in the midst of the first load",
    "drifted": "all has drifted",
    "new": "statistics know others only",
}

_SEED = """
INSERT INTO contacts (id, workspace_id, email, created_at, updated_at)
SELECT md5('c' || n)::uuid, $1, n || '@example.com', now(), now() FROM generate_series(1, $2::integer) AS n;
INSERT INTO records (id, workspace_id, type, contact_id, values, created_at, updated_at)
SELECT id, $1, 'invoice', id, '{"number": "1"}', now(), now() FROM contacts WHERE $2 > 0;
INSERT INTO mirrors (workspace_id, name, layout, loaded_at, written_at, comparison, compare_run_id)
SELECT $1, 'sheet', 'x', now(), now(), 2, $1 WHERE $2 > 0;
INSERT INTO mirrored (workspace_id, mirror, record_id, digest, written_at, seen_in, seen_page)
SELECT $1, 'sheet', md5('c' || n)::uuid, decode(md5('d'), 'hex'), now() - interval '1 hour', 1, 0
FROM generate_series(1, $2::integer) AS n
"""
_IN_CRM = """
INSERT INTO crosswalk (workspace_id, record_type, record_id, connection, external_id, wanted_version, pushed_version,
                       updated_at)
SELECT $1, 'contact', md5('c' || n)::uuid, 'hub', 'h' || md5('c' || n)::uuid, 1, 1, now()
FROM generate_series(1, $2::integer) AS n;
INSERT INTO identifiers (workspace_id, kind, value, home_id, contact_id, standing, source, created_at)
SELECT $1, 'email', n || '@example.com', md5('c' || n)::uuid, md5('c' || n)::uuid, 'owner', 'website', now()
FROM generate_series(1, $2::integer) AS n
"""
_OTHERS = """
INSERT INTO mirrored (workspace_id, mirror, record_id, digest, written_at, seen_in, seen_page)
SELECT $1, 'other', md5('c' || n)::uuid, decode(md5('d'), 'hex'), now(), 1, 0 FROM generate_series(1, $2::integer) AS n
"""
_STALE = "INSERT INTO stale_in_mirror (workspace_id, mirror, record_id) SELECT $1, 'sheet', id FROM contacts"
_CONTACTS_STALE = """
INSERT INTO contacts_stale_in_mirror (workspace_id, mirror, contact_id) SELECT $1, 'sheet', id FROM contacts
"""
_DRIFTED = """
INSERT INTO drifts (id, workspace_id, mirror, key, record_id, kind, state, found_in)
SELECT gen_random_uuid(), $1, 'sheet', id::text, id, 'changed', 'open', 1 FROM contacts
"""


async def _ask(connection: Any, workspace_id: UUID, mirror: Mirror) -> None:
    """Send what a batch, a page, the end of a comparison and a revert send."""
    await store.due(connection, workspace_id, [mirror])
    batch = await store.next_batch(connection, workspace_id, mirror, SIZE)
    digests = {record.id: b"d" * 16 for record in batch.records}
    assert len(digests) == SIZE or not batch.stale
    page = Page(2, 0, datetime.now(UTC))
    await drifts.odd(connection, workspace_id, "sheet", page, digests)
    found = [Found("changed", str(each), each) for each in digests]
    await drifts.note(connection, workspace_id, "sheet", page, digests, found)
    await store.note_written(connection, workspace_id, "sheet", batch, digests)
    await drifts.note_missing(connection, workspace_id, "sheet", 2, UUID(int=2**126))
    await drifts.note_right(connection, workspace_id, "sheet", 2)
    await drifts.revert_some(connection, workspace_id, "sheet", None, by="test")


class Listing:
    """A CRM of which as many changed as a page has: half are known by their ids, half by an e-mail alone."""

    async def pull_contacts(self, _cursor: str) -> Pulled:
        ids = [f"h{UUID(bytes=md5(f'c{n}'.encode(), usedforsecurity=False).digest())}" for n in range(1, SIZE)]
        said = [
            Submission(email=f"{n}@example.com", external_id=external_id if n % 2 else f"x{n}")
            for n, external_id in enumerate(ids, start=1)
        ]
        return Pulled(tuple(said), (), "", has_more=False)


async def _ask_crm(connection: Any, workspace_id: UUID, mirror: Mirror) -> None:
    """Send what a batch of a load and a page of a comparison send of a mirror in a CRM, besides what tables do."""
    batch = await store.next_batch(connection, workspace_id, mirror, BATCH)
    known = await copies_of(connection, workspace_id, "hub", [each.id for each in batch.contacts])
    assert len(known) == BATCH
    wants = [Want(workspace_id, each.id, 2, "hub") for each in batch.contacts]
    await want(connection, wants, by=new_id())
    done = [Done(each, known[each.record_id][0]) for each in wants]
    assert not await delete_late(connection, done, ())
    assert await pushed(connection, done) == [False] * BATCH
    crm: Any = Listing()
    pool: Any = RecordingPool(connection)
    listed = await reading.list_changed(pool, workspace_id, mirror, crm, "US", "")
    assert len(listed.rows) + len(listed.double) == SIZE - 1
    assert len(await reading.unseen(connection, workspace_id, mirror, 2, str(UUID(int=2**126)))) == reading.PAGE


@asynccontextmanager
async def undone(connection: Connection) -> AsyncIterator[None]:
    """Take back what is done in it."""
    transaction = connection.transaction()
    await transaction.start()
    yield
    await transaction.rollback()


@pytest.mark.parametrize("kind", ["contact", "invoice"])
@pytest.mark.parametrize("state", STATES)
async def test_nothing_reads_a_copy_from_end_to_end(pool: Pool, state: str, kind: MirroredType) -> None:
    workspace_id = new_id()
    async with acquire(pool) as connection, connection.transaction():
        await connection.execute("INSERT INTO workspaces (id, slug, name) VALUES ($1, 'acme', 'Acme')", workspace_id)
        await connection.execute("SELECT set_config('mainstay.writer', 'identity', true)")
        if state == "new":
            await connection.execute(_OTHERS, new_id(), ROWS)
            await connection.execute("ANALYZE")
        for statement in _SEED.split(";\n"):
            await connection.execute(statement, workspace_id, ROWS)
        is_in_crm = kind == "contact" and state in {"load", "new"}
        for statement in _IN_CRM.split(";\n") if is_in_crm else ():
            await connection.execute(statement, workspace_id, ROWS)
        if state in {"stale", "new"}:
            await connection.execute(_STALE, workspace_id)
            await connection.execute(_CONTACTS_STALE, workspace_id)
        if state == "load":
            await connection.execute("UPDATE mirrors SET loaded_at = NULL, loaded_to = $1", UUID(int=2**127))
        if state == "drifted":
            await connection.execute(_DRIFTED, workspace_id)
        if state != "new":
            await connection.execute("ANALYZE")
        recorder = Recorder(connection)
        async with undone(connection):
            await _ask(recorder, workspace_id, Mirror("sheet", "sheet", record=kind))
        if is_in_crm:
            async with undone(connection):
                await _ask_crm(recorder, workspace_id, Mirror("sheet", "hub", columns=USUAL_COLUMNS, role="crm"))
        assert len(recorder.sent) > 10

        bad = {}
        for query, values in recorder.sent:
            async with undone(connection):
                rows = await connection.fetch(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", *values)
            plan = json.loads(rows[0][0])[0]["Plan"]
            if many := [(node, count) for node, count in touched(plan) if count > MOST]:
                bad[query] = many
    assert not bad, "\n".join(f"{many}\n{query}" for query, many in bad.items())
