"""What a pull asks on a seeded database: none of it may read a big table from end to end."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from mainstay.db import Pool, acquire
from mainstay.identity import Person
from mainstay.insight import list_pulls
from mainstay.model import RecordState, RecordType, new_id
from mainstay.pulls import Pull, store
from mainstay.records import Ownership, Told, Word, forget_id, judge_told, keep, note_heard, note_told, take_told
from tests.plans import Recorder, scans

ROWS = 20_000
BIG = {"contacts", "identifiers", "crosswalk", "crosswalk_beside", "changes", "runs", "records", "pulled_records"}
_SEED = """
INSERT INTO contacts (id, workspace_id, email, created_at, updated_at)
SELECT md5('c' || n)::uuid, $1, 'p' || n || '@example.com', now(), now() FROM generate_series(1, $2::integer) AS n;
INSERT INTO identifiers (workspace_id, kind, value, home_id, contact_id, standing, source, created_at)
SELECT $1, 'email', 'p' || n || '@example.com', md5('c' || n)::uuid, md5('c' || n)::uuid, 'owner', 'website', now()
FROM generate_series(1, $2) AS n;
INSERT INTO changes (id, workspace_id, contact_id, home_id, version, rule, source, kind, occurred_at, person, before,
                     after, at)
SELECT md5('h' || n)::uuid, $1, md5('c' || n)::uuid, md5('c' || n)::uuid, 1, 'new', 'website', 'form', now(), '{}',
       '{}', '{}', now() FROM generate_series(1, $2::integer) AS n;
INSERT INTO crosswalk_beside (workspace_id, record_type, record_id, connection, external_id)
SELECT $1, 'contact', md5('c' || n)::uuid, 'hub', 'y' || n FROM generate_series(1, $2::integer) AS n;
INSERT INTO crosswalk (workspace_id, record_type, record_id, connection, external_id, wanted_version, updated_at)
SELECT $1, 'contact', md5('c' || n)::uuid, 'hub', 'x' || n, 1, now() FROM generate_series(1, $2::integer) AS n;
INSERT INTO pulled_changes (workspace_id, connection, contact_id, changed_at)
SELECT $1, 'other', md5('c' || n)::uuid, now() FROM generate_series(1, $2::integer) AS n;
INSERT INTO records (id, workspace_id, type, values, origins, version, created_at, updated_at)
SELECT md5('i' || n)::uuid, $1, 'invoice', '{"status": "open"}', '{}', 1, now(), now()
FROM generate_series(1, $2::integer) AS n;
INSERT INTO crosswalk (workspace_id, record_type, record_id, connection, external_id, wanted_version, updated_at)
SELECT $1, 'invoice', md5('i' || n)::uuid, 'books', 'i' || n, 1, now() FROM generate_series(1, $2::integer) AS n;
INSERT INTO pulled_records (workspace_id, connection, record_type, record_id, event, changed_at, told_at, is_judged)
SELECT $1, 'books', 'invoice', md5('i' || n)::uuid, 'invoice.updated', now(), now(), true
FROM generate_series(1, $2::integer) AS n;
INSERT INTO runs (id, workspace_id, workflow, state, input, execution_id, created_at)
SELECT md5('r' || n)::uuid, $1, 'reconcile.v1', 'done', '{}', 'e' || n, now() FROM generate_series(1, $2::integer) AS n
"""


async def test_a_pull_costs_the_same_in_a_big_book(pool: Pool) -> None:
    workspace_id, now = new_id(), datetime.now(UTC)
    bad = {}
    async with acquire(pool) as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("SELECT set_config('mainstay.writer', 'identity', true)")
        await connection.execute("INSERT INTO workspaces (id, slug, name) VALUES ($1, 'acme', 'Acme')", workspace_id)
        for statement in filter(str.strip, _SEED.split(";\n")):
            await connection.execute(statement, workspace_id, ROWS)
        await connection.execute("ANALYZE")
        recorder: Any = Recorder(connection)
        pull = Pull("hub", timedelta(minutes=15), ("hooks",))
        people = [
            Person(email=f"p{n}@example.com", connection="hub", external_id=f"x{n}", occurred_at=now.isoformat())
            for n in range(20)
        ]
        await store.declare(recorder, workspace_id, {"contact": "hub", "invoice": "books"})
        await store.hold_due(recorder, workspace_id, "hub", pull.every)
        assert len(await store.known(recorder, workspace_id, "hub", people)) == 19
        await store.note_brought(recorder, workspace_id, "hub", [(new_id(), now)])
        await store.judge(recorder, workspace_id, pull)
        await store.is_silent(recorder, workspace_id, ("hooks",), now)
        await store.missed_of_a_day(recorder, workspace_id, "hub")
        await forget_id(recorder, workspace_id, "hub", ["x7", "y8"])
        await list_pulls(recorder, workspace_id, now)
        await _pull_records(recorder, workspace_id, now)
        for query, values in recorder.sent:
            rows = await connection.fetch(f"EXPLAIN (FORMAT JSON) {query}", *values)
            if found := BIG.intersection(scans(json.loads(rows[0][0])[0]["Plan"])):
                bad[query] = found
        await transaction.rollback()
    assert not bad, "\n".join(f"{found}\n{query}" for query, found in bad.items())


async def _pull_records(recorder: Any, workspace_id: UUID, now: datetime) -> None:
    kind: RecordType = "invoice"
    (record_id,) = [row["id"] for row in await recorder.fetch("SELECT id FROM records WHERE id = md5($1)::uuid", "i7")]
    states = [
        RecordState(kind, f"i{n}", {"status": "paid"}, contact_external_id=f"x{n}", changed_at=now) for n in range(20)
    ]
    assert await store.records_of_somebody(recorder, workspace_id, "books", states) == frozenset()
    heard = await keep(recorder, [Word(workspace_id, "books", each, Ownership(), "books") for each in states])
    assert sum(each.is_new for each in heard) == 1
    told = Told(workspace_id, "books", kind, record_id, "invoice.updated", now - timedelta(minutes=9))
    await note_told(recorder, [told])
    await note_heard(recorder, {(workspace_id, "books", kind), (workspace_id, "hub", kind)})
    await recorder.execute("UPDATE pulls SET heard_at = $2 WHERE workspace_id = $1", workspace_id, told.changed_at)
    assert await judge_told(recorder, workspace_id, "books", kind, timedelta(minutes=5)) == (1, told.changed_at)
    assert await take_told(recorder, [("books", record_id, "invoice.updated", False)])
    await store.hold_due(recorder, workspace_id, "books", timedelta(0), kind)
    await store.standing_of(recorder, workspace_id, "books", record_id, kind)
