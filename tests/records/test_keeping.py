"""What systems say of records: one record each, whoever says it, how often and how many at once."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from mainstay.db import Pool, acquire
from mainstay.model import RecordState, new_id
from mainstay.records import Heard, Ownership, Word, keep

BOOKS = Ownership("books")
NINE = datetime(2026, 5, 4, 9, tzinfo=UTC)


@pytest.fixture
async def workspace(pool: Pool) -> UUID:
    workspace_id = new_id()
    async with acquire(pool) as connection:
        await connection.execute("INSERT INTO workspaces (id, slug, name) VALUES ($1, 'acme', 'Acme')", workspace_id)
    return workspace_id


def word(workspace: UUID, connection: str, external_id: str, *, minute: int = 0, gone: bool = False, **of: str) -> Word:
    state = RecordState("invoice", external_id, of, is_gone=gone, changed_at=NINE + timedelta(minutes=minute))
    return Word(workspace, connection, state, BOOKS, f"{connection} source")


async def heard(pool: Pool, *words: Word) -> list[Heard]:
    async with acquire(pool) as connection, connection.transaction():
        return await keep(connection, words)


async def rows(pool: Pool, table: str = "records") -> list[dict[str, Any]]:
    async with acquire(pool) as connection:
        return [dict(row) for row in await connection.fetch(f"SELECT * FROM {table} ORDER BY id")]  # noqa: S608


async def test_two_systems_mean_one_record_by_its_reference(pool: Pool, workspace: UUID) -> None:
    await heard(pool, word(workspace, "stripe", "in_1", reference="job-77", status="open", total="120.00"))
    [later] = await heard(pool, word(workspace, "books", "1045", reference="job-77", status="paid", number="A-1"))

    [record] = await rows(pool)
    assert later.record_id == record["id"]
    assert not later.is_new
    assert record["values"] == {"reference": "job-77", "status": "paid", "total": "120.00", "number": "A-1"}
    assert record["version"] == 2
    [again] = await heard(pool, word(workspace, "stripe", "in_1", minute=9, status="void"))
    assert again.refused == {"status": "void"}
    assert (await rows(pool))[0]["values"]["status"] == "paid"


async def test_two_of_one_reference_in_one_system_are_two(pool: Pool, workspace: UUID) -> None:
    both = [word(workspace, "books", "1", reference="job-77"), word(workspace, "books", "2", reference="job-77")]
    at_once = await heard(pool, *both)
    later = await heard(pool, word(workspace, "books", "3", reference="job-77"), *both)

    assert len({each.record_id for each in (*at_once, *later)}) == 3
    assert [each.record_id for each in later[1:]] == [each.record_id for each in at_once]


async def test_what_says_nothing_new_leaves_no_trace(pool: Pool, workspace: UUID) -> None:
    await heard(pool, word(workspace, "books", "1", reference="r", total="5"))
    await heard(pool, word(workspace, "stripe", "in_1", reference="r", total="6"))
    told = await rows(pool, "record_changes")

    [echo] = await heard(pool, word(workspace, "books", "1", minute=4, total="5"))
    [refused] = await heard(pool, word(workspace, "stripe", "in_1", minute=5, total="6"))

    assert (echo.changed, refused.refused) == ((), {"total": "6"})
    assert await rows(pool, "record_changes") == told
    assert (await rows(pool))[0]["version"] == 1


async def test_an_older_word_does_not_turn_back_a_newer(pool: Pool, workspace: UUID) -> None:
    await heard(pool, word(workspace, "books", "1", minute=5, status="paid"))
    await heard(pool, word(workspace, "books", "1", minute=1, status="open", number="A-1"))

    assert (await rows(pool))[0]["values"] == {"status": "paid", "number": "A-1"}


async def test_only_who_is_right_about_it_can_say_that_it_is_gone(pool: Pool, workspace: UUID) -> None:
    await heard(pool, word(workspace, "books", "1", reference="r"))
    await heard(pool, word(workspace, "stripe", "in_1", reference="r", gone=True))
    assert (await rows(pool))[0]["gone_at"] is None
    await heard(pool, word(workspace, "books", "1", gone=True))
    assert (await rows(pool))[0]["gone_at"] is not None
    await heard(pool, word(workspace, "books", "1"))
    assert (await rows(pool))[0]["gone_at"] is None


async def test_an_older_word_brings_nothing_back(pool: Pool, workspace: UUID) -> None:
    await heard(pool, word(workspace, "books", "1", minute=5, gone=True))
    await heard(pool, word(workspace, "books", "1", minute=1, status="open"))

    [record] = await rows(pool)
    assert record["gone_at"] is not None
    assert record["values"] == {"status": "open"}


async def test_many_who_speak_of_a_new_one_at_once_make_one(pool: Pool, workspace: UUID) -> None:
    said = [word(workspace, f"system{number % 4}", "1", minute=number, reference="r") for number in range(24)]

    made = await asyncio.gather(*(heard(pool, each) for each in said))

    [record] = await rows(pool)
    assert {each.record_id for [each] in made} == {record["id"]}
    assert sum(each.is_new for [each] in made) == 1


async def test_it_is_about_the_contact_that_the_system_names_by_its_own_id(pool: Pool, workspace: UUID) -> None:
    contact = new_id()
    async with acquire(pool) as connection:
        await connection.execute(
            """
            INSERT INTO crosswalk (workspace_id, record_type, record_id, connection, external_id, wanted_version,
                                   updated_at) VALUES ($1, 'contact', $2, 'books', 'customer-7', 0, now())
            """,
            workspace,
            contact,
        )
    state = RecordState("invoice", "1", {"total": "5"}, contact_external_id="customer-7")
    await heard(pool, Word(workspace, "books", state, BOOKS, "quickbooks"))

    assert (await rows(pool))[0]["contact_id"] == contact


async def test_nothing_is_another_workspace_s(pool: Pool, workspace: UUID) -> None:
    other = new_id()
    async with acquire(pool) as connection:
        await connection.execute("INSERT INTO workspaces (id, slug, name) VALUES ($1, 'b', 'B')", other)
    await heard(pool, word(workspace, "books", "1", reference="r"), word(other, "books", "1", reference="r"))

    assert {record["workspace_id"] for record in await rows(pool)} == {workspace, other}


async def test_the_longest_values_fit_into_the_indexes(pool: Pool, workspace: UUID) -> None:
    rng = random.Random(5)

    def text(length: int) -> str:
        return "".join(chr(rng.randrange(0x20000, 0x2A000)) for _ in range(length))

    invoice = RecordState("invoice", "1", {"reference": text(200), "number": text(5_000)}).canonical()
    message = RecordState("message", "2", {"status": text(5_000), "subject": text(5_000)}).canonical()
    said = [Word(workspace, "books", state, BOOKS, "books") for state in (invoice, message)]
    await heard(pool, *said)
    await heard(pool, *said)

    assert [record["values"] for record in await rows(pool)] == [invoice.fields, message.fields]
    assert len(await rows(pool, "record_changes")) == 2
