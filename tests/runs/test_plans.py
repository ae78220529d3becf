"""The hot statements, as they are really sent, on a seeded database: none may read a big table from end to end."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import md5
from typing import Any
from uuid import UUID

import pytest

from mainstay.db import Connection, Pool, acquire
from mainstay.identity import ContactWrite, Person, erase, merge, resolve, unmerge
from mainstay.intake.store import OpenExecution, ToldEvent, keep, load_delivery, told_before
from mainstay.model import Run, new_id
from mainstay.records import follow_merge, follow_unmerge, forget
from mainstay.records.erasing import erase_late, erase_traces
from mainstay.records.store import external_id_of
from mainstay.retention import Forgetting, Retention
from mainstay.runs import Wait, children_ended, claim_execution, recheck_wait, requeue, return_waits, wake
from mainstay.watch import resolve_healed
from tests.intake.arrivals import arrival
from tests.plans import Recorder, RecordingPool, scans

ROWS = 20_000
BIG = {
    *("runs", "attempts", "waits", "events", "contacts", "identifiers", "crosswalk", "crosswalk_beside", "changes"),
    *("suggestions", "delivery_keys", "deliveries"),
}

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
SELECT $1, 'contact', md5('c' || n)::uuid, 'ghl', 'y' || n FROM generate_series(1, $2::integer) AS n;
INSERT INTO suggestions (id, workspace_id, one_id, other_id, state, rule, opened_at)
SELECT md5('s' || n)::uuid, $1, least(md5('c' || n), md5('c' || n + 1))::uuid,
       greatest(md5('c' || n), md5('c' || n + 1))::uuid, 'open', 'bridge', now()
FROM generate_series(1, $2::integer) AS n;
INSERT INTO crosswalk (workspace_id, record_type, record_id, connection, external_id, wanted_version, updated_at)
SELECT $1, 'contact', md5('c' || n)::uuid, 'ghl', 'x' || n, 1, now() FROM generate_series(1, $2::integer) AS n;
INSERT INTO runs (id, workspace_id, workflow, state, input, execution_id, contact_id, created_at)
SELECT md5('r' || n)::uuid, $1, 'welcome.v1', (ARRAY['done', 'done', 'done', 'waiting', 'failed'])[n % 5 + 1], '{}',
       'e' || n, md5('c' || n)::uuid, now() FROM generate_series(1, $2::integer) AS n;
INSERT INTO runs (id, workspace_id, workflow, state, waiting_for, input, execution_id, created_at, parent_id,
                  parent_step, place)
SELECT md5('k' || n)::uuid, $1, 'child.v1', (ARRAY['done', 'waiting', 'waiting'])[n % 3 + 1],
       (ARRAY['', 'its place', 'a reply'])[n % 3 + 1], '{}', 'k' || n, now(), md5('r' || n % 4)::uuid, 1, n
FROM generate_series(1, $2::integer) AS n;
INSERT INTO waits (workspace_id, run_id, step, event_type, match)
SELECT $1, md5('r' || n)::uuid, 1, 'children ended', '{"at_most": 1}'
FROM generate_series(1, least(4, $2::integer)) AS n;
INSERT INTO attempts (workspace_id, run_id, step, number, name, state, started_at)
SELECT $1, md5('r' || n)::uuid, 1, 1, 'chat.post', 'ok', now() FROM generate_series(1, $2::integer) AS n;
INSERT INTO waits (workspace_id, run_id, step, event_type, contact_id)
SELECT $1, md5('r' || n)::uuid, 2, 'message.received', md5('c' || n)::uuid FROM generate_series(1, $2::integer) AS n;
INSERT INTO events (id, workspace_id, type, contact_id, source, data, at)
SELECT md5('e' || n)::uuid, $1, 'contact.updated', md5('c' || n)::uuid, 'website', '{}', now()
FROM generate_series(1, $2::integer) AS n;
INSERT INTO delivery_keys (workspace_id, source, key, delivery_id, seen_at)
SELECT $1, 'website', 'k' || n, md5('d' || n)::uuid, now() FROM generate_series(1, $2::integer) AS n;
INSERT INTO deliveries (id, workspace_id, source, kind, state, verified, method, url, headers, body, received_at)
SELECT md5('d' || n)::uuid, $1, 'website', 'form', 'processed', '', 'POST', '', '{}', '', now()
FROM generate_series(1, $2::integer) AS n;
"""


@pytest.fixture
async def seeded(pool: Pool) -> UUID:
    workspace_id = new_id()
    async with acquire(pool) as connection, connection.transaction():
        await connection.execute("INSERT INTO workspaces (id, slug, name) VALUES ($1, 'acme', 'Acme')", workspace_id)
        await connection.execute("SET LOCAL mainstay.writer = 'identity'")
        for statement in filter(str.strip, _SEED.split(";\n")):
            await connection.execute(statement, workspace_id, ROWS)
        await connection.execute("ANALYZE")
    return workspace_id


def an_id(kind: str, number: int) -> UUID:
    return UUID(md5(f"{kind}{number}".encode(), usedforsecurity=False).hexdigest())


async def scanned(connection: Connection, recorder: Recorder) -> dict[tuple[str, str], set[str]]:
    """Return the statements that read a big table from end to end, with the tables."""
    bad = {}
    for query, values in recorder.sent:
        # Planned for any parameter too: PostgreSQL may do so after the fifth use of a statement.
        for mode in ("force_custom_plan", "force_generic_plan"):
            await connection.execute(f"SET LOCAL plan_cache_mode = {mode}")
            found = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {query}", *values)
            plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
            if tables := set(scans(plan)) & BIG:
                bad[mode, query] = tables
    return bad


async def test_no_hot_statement_reads_a_big_table(pool: Pool, seeded: UUID) -> None:
    async with acquire(pool) as connection, connection.transaction():
        recorder: Any = Recorder(connection)
        await claim_execution(RecordingPool(recorder), "e3")  # type: ignore[arg-type]
        await wake(recorder, [(seeded, "message.received", an_id("c", 3), {}), (seeded, "message.received", None, {})])
        run = Run(an_id("r", 3), seeded, "welcome.v1", {}, "e3")
        for contact in (an_id("c", 3), None):
            await recheck_wait(recorder, run, Wait(2, "message.received", contact, None, new_id()))
        await children_ended(recorder, [an_id("k", 3), an_id("k", 6)])
        await requeue(recorder, seeded, an_id("r", 4))
        person = Person(email="p7@example.com", phone="+13125550147", connection="ghl", external_id="x7")
        await resolve(recorder, [ContactWrite(seeded, person, "website")])
        merged = await merge(recorder, seeded, an_id("c", 11), an_id("c", 12), by="Ann", keep=an_id("c", 12))
        await follow_merge(recorder, seeded, merged.survivor_id, merged.merged_id)
        parted = await unmerge(recorder, seeded, merged.merge_id, by="Ann")
        await follow_unmerge(recorder, seeded, parted.contact.id, parted.restored.id)
        await return_waits(recorder, parted.contact.id, parted.restored.id)
        erased = await erase(recorder, seeded, an_id("c", 13))
        await forget(recorder, seeded, erased.group)
        await erase_traces(recorder, seeded, erased.group, erased.delivery_ids)
        await keep(recorder, [arrival(seeded, key="k9"), arrival(seeded, key="new")], OpenExecution())
        await load_delivery(recorder, "deliveries", seeded, an_id("d", 3))
        await external_id_of(recorder, seeded, an_id("c", 3), "ghl")
        await resolve_healed(connection)
        told = {ToldEvent(seeded, "website", key, an_id("d", 5)) for key in ("k5", "k9", "another")}
        assert {each.key for each in await told_before(recorder, told)} == {"k9"}
        await erase_late(recorder, {an_id("r", 5): an_id("d", 5)})
        assert len(recorder.sent) > 15

        assert await scanned(connection, recorder) == {}


async def test_what_is_old_goes_without_reading_a_big_table(pool: Pool, seeded: UUID) -> None:
    @dataclass(frozen=True)
    class Keeps:
        retention = Retention(calls=timedelta(days=7), runs=timedelta(days=7), deliveries=timedelta(days=7))

    async with acquire(pool) as connection, connection.transaction():
        recorder: Any = Recorder(connection)
        # Ids of which some are older, some newer, than what is kept.
        now = datetime.now(UTC) + timedelta(days=365 * 100)
        forgetting = Forgetting(RecordingPool(recorder), {seeded: Keeps()}, lambda: now)  # type: ignore[arg-type]
        assert await forgetting.look(seconds=0.2) > 0
        assert {"runs", "deliveries"} <= {
            table
            for query, _ in recorder.sent
            for table in BIG
            if f"DELETE FROM {table} " in query  # noqa: S608 - looked for
        }
        # A portion is a good part of so small a table: asked is whether an index could serve, as it must at scale.
        await connection.execute("ANALYZE; SET LOCAL enable_seqscan = off")
        assert await scanned(connection, recorder) == {}
