"""Of a pull and a webhook whoever comes first tells what happened; the other tells it to nobody again."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from mainstay.db import Pool, acquire
from mainstay.model import RecordState, new_id
from mainstay.records import Heard, Ownership, Told, Word, judge_told, keep, note_told, take_told

NINE = datetime(2026, 5, 4, 9, tzinfo=UTC)
LATE = timedelta(minutes=5)


@pytest.fixture
async def workspace(pool: Pool) -> UUID:
    workspace_id = new_id()
    async with acquire(pool) as connection:
        await connection.execute("INSERT INTO workspaces (id, slug, name) VALUES ($1, 'acme', 'Acme')", workspace_id)
        await connection.execute(
            """
            INSERT INTO pulls (workspace_id, connection, record_type, cursor, began_at, heard_at)
            VALUES ($1, 'books', 'invoice', '', $2, $2)
            """,
            workspace_id,
            NINE,
        )
    return workspace_id


class Both:
    """A pull and a webhook that say the same of an invoice, each in a transaction of its own."""

    def __init__(self, pool: Pool, workspace: UUID, external_id: str = "1", **fields: str) -> None:
        self.pool, self.workspace = pool, workspace
        state = RecordState("invoice", external_id, fields or {"status": "paid"}, changed_at=NINE)
        self.word = Word(workspace, "books", state, Ownership("books"), "books")
        self.told: list[str] = []

    async def _keep(self, connection: Any) -> Heard:
        [heard] = await keep(connection, [self.word])
        return heard

    async def pull(self, event: str = "invoice.paid") -> None:
        async with acquire(self.pool) as connection, connection.transaction():
            heard = await self._keep(connection)
            if heard.is_news:
                told = Told(self.workspace, "books", "invoice", heard.record_id, event, NINE)
                await note_told(connection, [told])
        if heard.is_news:
            self.told.append("pull")

    async def deliver(self, event: str = "invoice.paid", name: str = "books") -> None:
        async with acquire(self.pool) as connection, connection.transaction():
            heard = await self._keep(connection)
            late = await take_told(connection, [(name, heard.record_id, event, heard.is_news)])
        if (heard.record_id, event) not in late:
            self.told.append("webhook")


async def test_at_once_each_is_told_once(pool: Pool, workspace: UUID) -> None:
    every = [Both(pool, workspace, str(number)) for number in range(20)]

    await asyncio.gather(*(act() for both in every for act in (both.pull, both.deliver)))

    assert [len(both.told) for both in every] == [1] * 20


async def test_only_the_event_that_was_told_is_late_and_only_once(pool: Pool, workspace: UUID) -> None:
    both = Both(pool, workspace)
    await both.pull()
    await both.deliver("invoice.sent")
    await both.deliver(name="stripe")
    await both.deliver()
    await both.deliver()

    assert both.told == ["pull", "webhook", "webhook", "webhook"]


async def test_where_no_webhook_ever_told_of_such_a_record_none_is_missed(pool: Pool, workspace: UUID) -> None:
    async with acquire(pool) as connection:
        await connection.execute("UPDATE pulls SET heard_at = NULL")
        await Both(pool, workspace).pull()
        assert await judge_told(connection, workspace, "books", "invoice", LATE) == (0, None)


async def test_what_no_webhook_answers_is_judged_once(pool: Pool, workspace: UUID) -> None:
    for number in range(3):
        await Both(pool, workspace, str(number)).pull()
    await Both(pool, workspace, "0").deliver("invoice.sent")

    async def judge() -> tuple[int, datetime | None]:
        async with acquire(pool) as connection:
            return await judge_told(connection, workspace, "books", "invoice", LATE)

    assert await judge() == (2, NINE)
    assert (await judge())[0] == 0
    # It is known as long as a webhook may still come.
    late = Both(pool, workspace, "1")
    await late.deliver()
    assert late.told == []
    async with acquire(pool) as connection:
        await connection.execute("UPDATE pulled_records SET told_at = told_at - interval '8 days'")
    await judge()
    async with acquire(pool) as connection:
        assert await connection.fetchval("SELECT count(*) FROM pulled_records") == 0
