"""The queries of the API, as they are really sent, on a seeded database: none may read a big table from end to end."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from mainstay.db import Pool, acquire
from mainstay.insight import list_contacts, people
from mainstay.insight.paging import resolve_short_id
from mainstay.model import new_id
from tests.insight.test_plans import BIG, CONTACTS
from tests.plans import Recorder, scans

CALLS: dict[str, Callable[[Any, UUID, Any], Awaitable[Any]]] = {
    "means": lambda c, w, i: people.means(c, w, i["contact"]),
    "person": lambda c, w, i: people.person_detail(c, w, i["contact"]),
    "list": lambda c, w, _: list_contacts(c, w),
    "list before": lambda c, w, i: list_contacts(c, w, before=i["contact"]),
    "by e-mail": lambda c, w, i: people.people_with(c, w, "email", i["email"]),
    "by e-mail before": lambda c, w, i: people.people_with(c, w, "email", i["email"], before=i["contact"]),
    "elsewhere": lambda c, w, _: people.person_elsewhere(c, w, "ghl", "x"),
    "still there": lambda c, w, i: people.still_there(c, w, [i["contact"]]),
    "lineage": lambda c, w, i: people.lineage(c, w, i["contact"]),
    "merges": lambda c, w, i: people.merges_of(c, w, i["contact"]),
    "is merge": lambda c, w, i: people.is_merge(c, w, i["contact"]),
    "suggestions": lambda c, w, _: people.list_suggestions(c, w),
    "suggestions before": lambda c, w, i: people.list_suggestions(c, w, before=(0.5, i["contact"])),
    "suggestions rejected": lambda c, w, _: people.list_suggestions(c, w, state="rejected"),
    "suggestion": lambda c, w, i: people.suggestion_contacts(c, w, i["contact"]),
    "suggestion by short id": lambda c, w, _: resolve_short_id(c, "suggestions", w, "abcd"),
}
_CONTACTS = """
    INSERT INTO contacts (id, workspace_id, email, merged_into, created_at, updated_at)
    SELECT lpad(to_hex(n), 32, '0')::uuid, $1, 'p' || n || '@example.com',
           CASE WHEN n % 3 = 2 THEN lpad(to_hex(n - 1), 32, '0')::uuid END, now(), now()
    FROM generate_series(1, $2::integer) AS n
"""
_IDENTIFIERS = """
    INSERT INTO identifiers (workspace_id, kind, value, home_id, contact_id, standing, source, created_at)
    SELECT workspace_id, 'email', email, id, coalesce(merged_into, id), 'owner', 'x', now() FROM contacts
"""
_CHANGES = """
    INSERT INTO changes (id, workspace_id, contact_id, home_id, version, rule, source, kind, occurred_at, person,
                         before, after, at)
    SELECT gen_random_uuid(), workspace_id, id, id, n, 'new', 'x', 'form', now(), '{}', '{}', '{}', now()
    FROM contacts, generate_series(1, 3) AS n
"""
_CROSSWALK = """
    INSERT INTO crosswalk (workspace_id, record_type, record_id, connection, external_id, wanted_version, updated_at)
    SELECT workspace_id, 'contact', id, 'ghl', id::text, 1, now() FROM contacts
"""
_MERGES = """
    INSERT INTO merges (id, workspace_id, survivor_id, merged_id, rule, at, undone_at)
    SELECT gen_random_uuid(), workspace_id, id, gen_random_uuid(), 'bridge', now(), now() FROM contacts
"""
_SUGGESTIONS = """
    INSERT INTO suggestions (id, workspace_id, one_id, other_id, state, rule, score, opened_at, decided_at)
    SELECT gen_random_uuid(), workspace_id, id, 'ffffffff-ffff-ffff-ffff-ffffffffffff',
           (ARRAY['open', 'accepted', 'rejected', 'stale'])[1 + row_number() OVER () % 4], 'bridge', random(), now(),
           now() - random() * interval '1 year'
    FROM contacts
"""


@pytest.mark.timeout(240)
async def test_no_query_reads_a_big_table_from_end_to_end(pool: Pool) -> None:
    async with acquire(pool) as connection:
        workspace_id = new_id()
        await connection.execute("INSERT INTO workspaces (id, slug, name) VALUES ($1, 'acme', 'Acme')", workspace_id)
        async with connection.transaction():
            await connection.execute("SELECT set_config('mainstay.writer', 'identity', true)")
            await connection.execute(_CONTACTS, workspace_id, CONTACTS)
            for statement in (_IDENTIFIERS, _CHANGES, _CROSSWALK):
                await connection.execute(statement)
            await connection.execute(_MERGES)
            await connection.execute(_SUGGESTIONS)
        await connection.execute("ANALYZE")
        ids = {
            "contact": await connection.fetchval("SELECT id FROM contacts ORDER BY id DESC OFFSET 901 LIMIT 1"),
            "email": await connection.fetchval("SELECT value FROM identifiers WHERE kind = 'email' LIMIT 1"),
        }
        failures = []
        for name, call in CALLS.items():
            recorder = Recorder(connection)
            await call(recorder, workspace_id, ids)
            assert recorder.sent
            for query, values in recorder.sent:
                for mode in ("force_custom_plan", "force_generic_plan"):
                    await connection.execute(f"SET plan_cache_mode = {mode}")
                    rows = await connection.fetch(f"EXPLAIN (FORMAT JSON) {query}", *values)
                    bad = set(scans(json.loads(rows[0][0])[0]["Plan"])) & (BIG | {"merges", "suggestions"})
                    failures += [f"{name}, {mode}: reads all of {bad}\n{query}"] if bad else []
        assert not failures, "\n\n".join(failures)
