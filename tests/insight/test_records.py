"""Records as screens show them, and how the database finds them among many."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from mainstay.db import Pool, acquire
from mainstay.insight.records import list_records, record_detail, records_of, search_records
from mainstay.model import RecordState, new_id
from mainstay.records import Ownership, Word, keep
from tests.insight.seed import Seed
from tests.plans import Recorder, scans

NINE = datetime(2026, 5, 4, 9, tzinfo=UTC)
BOOKS = Ownership("books")
MANY = 40_000


def word(workspace: UUID, system: str, external_id: str, *, contact: UUID | None = None, **of: str) -> Word:
    return Word(workspace, system, RecordState("invoice", external_id, of, changed_at=NINE), BOOKS, "hook", contact)


async def test_lists_and_searches(seed: Seed) -> None:
    at, workspace = seed.connection, seed.workspace_id
    for number in range(5):
        status = "paid" if number % 2 else "open"
        await keep(at, [word(workspace, "books", f"b{number}", reference=f"job-{number}", status=status)])

    newest = await list_records(at, workspace, "invoice", size=2)
    assert [row.title for row in newest.items] == ["job-4", "job-3"]
    rest = await list_records(at, workspace, "invoice", before=newest.before, size=5)
    assert ([row.title for row in rest.items], rest.before) == (["job-2", "job-1", "job-0"], None)
    paid = await list_records(at, workspace, "invoice", status="paid")
    assert [row.title for row in paid.items] == ["job-3", "job-1"]
    assert (await list_records(at, workspace, "deal")).items == ()

    async def found(text: str) -> list[str]:
        return [row.title for row in await search_records(at, workspace, "invoice", text, connections=["books"])]

    assert await found("job-") == [f"job-{number}" for number in (4, 3, 2, 1, 0)]
    assert await found("b3") == ["job-3"]
    assert await found(str(newest.items[0].id)) == await found(str(newest.items[0].id)[-8:]) == ["job-4"]
    assert await found("100%") == []


async def test_a_record_tells_whose_word_each_value_is(seed: Seed) -> None:
    at, workspace = seed.connection, seed.workspace_id
    await keep(at, [word(workspace, "stripe", "in_1", reference="job-1", status="open", url="https://pay.example/1")])
    [heard] = await keep(at, [word(workspace, "books", "b1", reference="job-1", status="paid")])
    await keep(at, [word(workspace, "stripe", "in_1", status="void")])

    detail = await record_detail(at, workspace, heard.record_id)

    assert detail is not None
    assert detail.ids == {"books": "b1", "stripe": "in_1"}
    assert {name: change.connection for name, change in detail.origins.items()} == {
        "reference": "books", "status": "books", "url": "stripe",
    }  # fmt: skip
    assert [(change.connection, change.after, change.refused) for change in detail.changes] == [
        ("stripe", {}, {"status": "void"}),
        ("books", {"status": "paid"}, {}),
        ("stripe", {"reference": "job-1", "status": "open", "url": "https://pay.example/1"}, {}),
    ]
    shortened = await record_detail(at, workspace, heard.record_id, latest=1)
    assert shortened is not None
    assert (len(shortened.changes), shortened.has_more) == (1, True)
    assert shortened.origins == detail.origins
    assert await record_detail(at, new_id(), heard.record_id) is None


async def test_what_was_merged_brings_its_records(seed: Seed) -> None:
    at, workspace = seed.connection, seed.workspace_id
    one, other = new_id(), new_id()
    await keep(at, [word(workspace, "books", "b1", contact=one), word(workspace, "books", "b2", contact=other)])

    assert len(await records_of(at, workspace, [one, other])) == 2
    assert len(await records_of(at, workspace, [one])) == 1


async def test_a_list_of_one_contact_is_of_all_that_was_merged_into_it(seed: Seed) -> None:
    at, workspace = seed.connection, seed.workspace_id
    one = await seed.contact()
    other = await seed.contact(merged_into=one)
    for number, contact in enumerate((one, other, new_id())):
        status = "paid" if contact == other else "open"
        await keep(at, [word(workspace, "books", f"b{number}", contact=contact, number=f"A-{number}", status=status)])

    async def listed(**filters: Any) -> list[str]:
        return [row.title for row in (await list_records(at, workspace, "invoice", **filters)).items]

    assert await listed(contact_id=one) == ["A-1", "A-0"]
    assert await listed(contact_id=one, status="paid") == ["A-1"]
    assert await listed(contact_id=one, size=1) == ["A-1"]
    assert await listed(contact_id=new_id()) == []


async def test_a_record_is_found_by_what_it_is_called(seed: Seed) -> None:
    at, workspace = seed.connection, seed.workspace_id
    await keep(
        at, [word(workspace, "books", "b1", number="INV-1045", reference="roof"), word(workspace, "books", "b2")]
    )

    for text, titles in {"inv-10": ["INV-1045"], "roof": ["INV-1045"], "1045": []}.items():
        found = await search_records(at, workspace, "invoice", text, connections=["books"])
        assert [row.title for row in found] == titles


CALLS: dict[str, Callable[[Any, UUID, UUID], Awaitable[Any]]] = {
    "list": lambda c, w, r: list_records(c, w, "invoice", before=r),
    "status": lambda c, w, _: list_records(c, w, "invoice", status="paid"),
    "reference": lambda c, w, _: search_records(c, w, "invoice", "job-77", connections=["books"]),
    "contact": lambda c, w, r: list_records(c, w, "invoice", status="open", contact_id=r),
    "short id": lambda c, w, _: search_records(c, w, "invoice", "ab12", connections=["books"]),
    "one": record_detail,
    "of a contact": lambda c, w, r: records_of(c, w, [r]),
    "keep": lambda c, w, _: keep(c, [word(w, "books", "b9", reference="job-9", total="5"), word(w, "books", "new")]),
}


@pytest.mark.timeout(120)
async def test_no_query_reads_a_big_table_from_end_to_end(pool: Pool) -> None:
    async with acquire(pool) as connection:
        seed = await Seed.workspace(connection)
        ids = [new_id() for _ in range(MANY)]
        await connection.execute(
            """
            WITH made AS (
                INSERT INTO records (id, workspace_id, type, contact_id, values, created_at, updated_at)
                SELECT id, $1, 'invoice', $3,
                       jsonb_build_object('reference', 'job-' || place, 'status', 'open'), now(), now()
                FROM unnest($2::uuid[]) WITH ORDINALITY AS made (id, place) RETURNING id
            ), known AS (
                INSERT INTO crosswalk (workspace_id, record_type, record_id, connection, external_id, wanted_version,
                                       updated_at)
                SELECT $1, 'invoice', id, 'books', id::text, 0, now() FROM made
            )
            INSERT INTO record_changes (id, workspace_id, record_id, connection, source, said_at, before, after, at)
            SELECT gen_random_uuid(), $1, id, 'books', 'hook', now(), '{}', '{}', now() FROM made
            """,
            seed.workspace_id,
            ids,
            new_id(),
        )
        await connection.execute("ANALYZE records, crosswalk, record_changes, contacts")
        for name, call in CALLS.items():
            recorder = Recorder(connection)
            await call(recorder, seed.workspace_id, ids[MANY // 2])
            for query, values in recorder.sent:
                for mode in ("force_custom_plan", "force_generic_plan"):
                    await connection.execute(f"SET plan_cache_mode = {mode}")
                    rows = await connection.fetch(f"EXPLAIN (FORMAT JSON) {query}", *values)
                    bad = set(scans(json.loads(rows[0][0])[0]["Plan"])) & {"records", "crosswalk", "record_changes"}
                    assert not bad, f"{name}, {mode}: reads all of {bad}\n{query}"
                await connection.execute("RESET plan_cache_mode")
