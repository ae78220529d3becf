"""What a batch and a page of a mirror cost is the same however many contacts, notes and drifts there are."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from mainstay.db import Pool, acquire
from mainstay.insight.mirrors import find_drift, list_drifts, list_mirrors
from mainstay.mirrors import drifts, store
from mainstay.mirrors.drifts import Found, Page
from mainstay.model import new_id
from tests.plans import Recorder, scans

ROWS = 40_000
BIG = {"contacts", "mirrored", "stale_in_mirror", "drifts"}
SEED = """
INSERT INTO contacts (id, workspace_id, email, created_at, updated_at)
SELECT md5('c' || n)::uuid, $1, n || '@example.com', now(), now() FROM generate_series(1, $2::integer) AS n;
INSERT INTO mirrors (workspace_id, name, layout, loaded_at)
SELECT $1, 'm' || n, 'x', CASE WHEN n > 1 THEN now() END FROM generate_series(1, 4) AS n WHERE $2 > 0;
INSERT INTO mirrored (workspace_id, mirror, contact_id, digest, written_at, seen_in, seen_page)
SELECT $1, 'm' || n % 4 + 1, md5('c' || n)::uuid, 'x', now(), 1, 0 FROM generate_series(1, $2::integer) AS n;
INSERT INTO stale_in_mirror (workspace_id, mirror, contact_id)
SELECT $1, 'm' || n % 2 + 2, md5('c' || n)::uuid FROM generate_series(1, $2::integer) AS n;
INSERT INTO drifts (id, workspace_id, mirror, key, contact_id, kind, state, found_in)
SELECT md5('d' || n)::uuid, $1, 'm' || n % 4 + 1, n::text, md5('c' || n)::uuid, 'changed',
       (ARRAY['open', 'gone', 'reverted', 'gone'])[n % 4 + 1], 1 FROM generate_series(1, $2::integer) AS n
"""
Asks = Callable[[Any, UUID, list[UUID]], Awaitable[Any]]


async def note_written(connection: Any, workspace: UUID, ids: list[UUID]) -> None:
    batch = await store.next_batch(connection, workspace, "m2", 50)
    await store.note_written(connection, workspace, "m2", batch, dict.fromkeys(ids, b"y"))


PAGE = Page(1, 0, datetime(2026, 3, 2, tzinfo=UTC))
CALLS: dict[str, Asks] = {
    "the next batch": lambda connection, workspace, _: store.next_batch(connection, workspace, "m2", 50),
    "a page of the first load": lambda connection, workspace, _: store.next_batch(connection, workspace, "m1", 50),
    "a batch noted": note_written,
    "made stale": lambda connection, workspace, ids: store.make_stale(connection, workspace, "m2", ids),
    "what is known": lambda connection, workspace, ids: drifts.known(connection, workspace, "m2", PAGE, ids),
    "a page noted": lambda connection, workspace, ids: drifts.note(
        connection, workspace, "m2", PAGE, ids, [Found("changed", str(ids[0]), ids[0])]
    ),
    "some reverted": lambda connection, workspace, ids: drifts.revert(connection, workspace, "m1", ids),
    "those open": drifts.open_ones,
    "some left": lambda connection, workspace, ids: drifts.decide(
        connection, workspace, ids, "left", by="dana", only=["open"]
    ),
    "reverted ones": lambda connection, workspace, ids: drifts.reverted(connection, workspace, "m1", ids),
    "listed": lambda connection, workspace, _: list_drifts(connection, workspace),
    "listed, decided": lambda connection, workspace, _: list_drifts(connection, workspace, decided=True),
    "one": lambda connection, workspace, ids: find_drift(connection, workspace, ids[0]),
    "the mirrors": lambda connection, workspace, _: list_mirrors(connection, workspace),
}


async def test_no_query_reads_a_big_table_from_end_to_end(pool: Pool) -> None:
    workspace_id = new_id()
    bad = []
    async with acquire(pool) as connection, connection.transaction():
        await connection.execute("INSERT INTO workspaces (id, slug, name) VALUES ($1, 'acme', 'Acme')", workspace_id)
        await connection.execute("SELECT set_config('mainstay.writer', 'identity', true)")
        for statement in SEED.split(";\n"):
            await connection.execute(statement, workspace_id, ROWS)
        await connection.execute("ANALYZE")
        rows = await connection.fetch("SELECT id FROM contacts LIMIT 20")
        for name, call in CALLS.items():
            recorder = Recorder(connection)
            await call(recorder, workspace_id, [row["id"] for row in rows])
            assert recorder.sent
            for query, values in recorder.sent:
                explained = await connection.fetch(f"EXPLAIN (FORMAT JSON) {query}", *values)
                if found := set(scans(json.loads(explained[0][0])[0]["Plan"])) & BIG:
                    bad.append(f"{name}: reads all of {found}\n{query}")
    assert not bad, "\n\n".join(bad)
