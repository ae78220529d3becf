"""Which queue entry drives a delivery: shared while it waits, never one that may have been taken from the queue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

import pytest

from mainstay.db import Connection, Pool, acquire
from mainstay.intake.store import OpenExecution, keep
from mainstay.model import new_id
from tests.intake.arrivals import arrival

DEQUEUE = "SELECT workflow_uuid FROM dbos.workflow_status WHERE status = 'ENQUEUED' FOR UPDATE SKIP LOCKED"


@pytest.fixture
async def workspace(pool: Pool) -> UUID:
    workspace_id = new_id()
    async with acquire(pool) as connection:
        await connection.execute("INSERT INTO workspaces (id, slug, name) VALUES ($1, 'acme', 'Acme')", workspace_id)
    return workspace_id


@pytest.fixture
def execution(monkeypatch: pytest.MonkeyPatch) -> OpenExecution:
    """One that stays open as long as it waits in the queue: what follows must not depend on the machine's speed."""
    monkeypatch.setattr("mainstay.intake.store._OPEN_SECONDS", 3600)
    return OpenExecution()


async def kept(pool: Pool, workspace: UUID, execution: OpenExecution, count: int = 1) -> None:
    async with acquire(pool) as connection, connection.transaction():
        await keep(connection, [arrival(workspace) for _ in range(count)], execution)


async def sizes(pool: Pool) -> Sequence[int]:
    """Return how many runs each queue entry has, oldest first; every run must have one."""
    async with acquire(pool) as connection:
        rows = await connection.fetch(
            """
            SELECT runs.execution_id, entry.workflow_uuid FROM runs
            LEFT JOIN dbos.workflow_status AS entry ON entry.workflow_uuid = runs.execution_id ORDER BY runs.id
            """
        )
    assert all(row["workflow_uuid"] for row in rows)
    return list(Counter(row["execution_id"] for row in rows).values())


async def dequeued(connection: Connection) -> int:
    rows = await connection.fetch(DEQUEUE)
    await connection.execute(
        "UPDATE dbos.workflow_status SET status = 'PENDING' WHERE workflow_uuid = ANY($1)",
        [row["workflow_uuid"] for row in rows],
    )
    return len(rows)


async def test_deliveries_of_several_transactions_share_an_entry(
    pool: Pool, workspace: UUID, execution: OpenExecution
) -> None:
    for _ in range(3):
        await kept(pool, workspace, execution)
    assert await sizes(pool) == [3]


@pytest.mark.parametrize(
    ("batches", "expected"),
    [([40], [32, 8]), ([30, 5], [32, 3]), ([32, 1], [32, 1]), ([20, 64], [32, 32, 20]), ([64, 64], [32] * 4)],
)
async def test_an_entry_has_a_bounded_number_of_runs(
    pool: Pool, workspace: UUID, execution: OpenExecution, batches: list[int], expected: list[int]
) -> None:
    for count in batches:
        await kept(pool, workspace, execution, count)
    assert await sizes(pool) == expected


async def test_an_entry_is_open_only_for_a_moment(
    pool: Pool, workspace: UUID, execution: OpenExecution, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainstay.intake.store._OPEN_SECONDS", 0)
    for _ in range(2):
        await kept(pool, workspace, execution)
    assert await sizes(pool) == [1, 1]


async def test_what_has_left_the_queue_is_not_joined(pool: Pool, workspace: UUID, execution: OpenExecution) -> None:
    await kept(pool, workspace, execution)
    async with acquire(pool) as connection:
        assert await dequeued(connection) == 1
    await kept(pool, workspace, execution)
    assert await sizes(pool) == [1, 1]


async def test_what_is_leaving_the_queue_is_not_joined_nor_waited_for(
    pool: Pool, workspace: UUID, execution: OpenExecution
) -> None:
    await kept(pool, workspace, execution)
    async with acquire(pool) as connection, connection.transaction():
        await dequeued(connection)
        await kept(pool, workspace, execution)
    assert await sizes(pool) == [1, 1]


async def test_an_entry_stays_in_the_queue_until_what_joins_it_is_committed(
    pool: Pool, workspace: UUID, execution: OpenExecution
) -> None:
    await kept(pool, workspace, execution)
    async with acquire(pool) as worker:
        async with acquire(pool) as connection, connection.transaction():
            await keep(connection, [arrival(workspace)], execution)
            assert await dequeued(worker) == 0
        assert await dequeued(worker) == 1
    assert await sizes(pool) == [2]


async def test_an_entry_of_a_transaction_that_failed_is_not_joined(
    pool: Pool, workspace: UUID, execution: OpenExecution
) -> None:
    async with acquire(pool) as connection:
        transaction = connection.transaction()
        await transaction.start()
        await keep(connection, [arrival(workspace)], execution)
        await transaction.rollback()
    await kept(pool, workspace, execution)
    assert await sizes(pool) == [1]
