from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from mainstay.db import Pool, acquire
from mainstay.retention import PORTION, Forgetting, Retention
from tests.insight.seed import NOW, Seed

ALL = ("runs", "attempts", "deliveries", "delivery_keys", "waits", "approvals", "hand_retries", "traces")


class Keeps:
    """A workspace that keeps things so long."""

    def __init__(self, **kept: timedelta) -> None:
        self.retention = Retention(**kept)


def forgetting(pool: Pool, seed: Seed, **days: float) -> Forgetting:
    kept = Keeps(**{name: timedelta(days=number) for name, number in days.items()})
    return Forgetting(pool, {seed.workspace_id: kept}, lambda: NOW)


async def counts(seed: Seed) -> dict[str, int]:
    query = "SELECT count(*) FROM {} WHERE workspace_id = $1"
    return {table: await seed.connection.fetchval(query.format(table), seed.workspace_id) for table in ALL}


@pytest.fixture
async def seed(pool: Pool) -> Any:
    async with acquire(pool) as connection:
        yield await Seed.workspace(connection)


async def _old(seed: Seed, delivery: UUID | None = None, **values: Any) -> UUID:
    """A run of a hundred days ago, with all that a run can have."""
    run = await seed.run(at=seed.ago(days=100), delivery_id=delivery, **values)
    await seed.attempt(run, 1, exchanges=[{"request": "hello"}])
    await seed.insert("waits", workspace_id=seed.workspace_id, run_id=run, step=1, event_type="a.b")
    await seed.insert(
        "approvals", id=run, workspace_id=seed.workspace_id, run_id=run, step=1, question="?", state="expired",
        asked_at=seed.ago(days=100),
    )  # fmt: skip
    await seed.insert("hand_retries", id=run, workspace_id=seed.workspace_id, run_id=run, at=seed.ago(days=99))
    await seed.insert("traces", run_id=run, workspace_id=seed.workspace_id, traceparent="00-a-b-01")
    return run


async def test_what_is_over_goes_with_all_that_hangs_on_it_and_what_is_needed_stays(pool: Pool, seed: Seed) -> None:
    delivery, other, rejected, unread = [
        await seed.delivery(at=seed.ago(days=100), state=state)
        for state in ("processed", "processed", "rejected", "accepted")
    ]
    for each in (delivery, other):
        await seed.insert(
            "delivery_keys", workspace_id=seed.workspace_id, source="website", key=str(each), delivery_id=each,
            seen_at=seed.ago(days=100),
        )  # fmt: skip
    parent = await seed.run(at=seed.ago(days=101), state="waiting", waiting_for="its children")
    gone = [
        await _old(seed, delivery),
        await _old(seed, state="cancelled"),
        await _old(seed, state="failed", handled_at=seed.ago(days=90)),
    ]
    kept = [
        parent,
        await _old(seed, other, state="failed"),
        await _old(seed, state="waiting", waiting_for="message.received"),
        await _old(seed, finished_at=seed.ago(days=3)),
        await _old(seed, parent_id=parent, parent_step=1, place=0),
        await seed.run(at=seed.ago(days=3)),
    ]
    neighbour = await Seed.workspace(seed.connection, "bell")
    theirs = await _old(neighbour)

    assert await forgetting(pool, seed).look() == 0
    assert await forgetting(pool, seed, calls=60, runs=90, deliveries=90).look(seconds=60) == len(gone) + 2

    found = {row["id"] for row in await seed.connection.fetch("SELECT id FROM runs")}
    assert found == {*kept, theirs}
    assert {row["id"] for row in await seed.connection.fetch("SELECT id FROM deliveries")} == {other, unread}
    assert rejected not in {other, unread}
    assert await counts(seed) == {
        "runs": 6, "attempts": 4, "deliveries": 2, "delivery_keys": 1, "waits": 4, "approvals": 4, "hand_retries": 4,
        "traces": 4,
    }  # fmt: skip
    calls = await seed.connection.fetch("SELECT run_id FROM attempts WHERE exchanges <> '[]'")
    assert {row["run_id"] for row in calls} == {kept[1], kept[2], theirs}
    assert await seed.connection.fetchval("SELECT count(*) FROM attempts WHERE run_id = $1", kept[3]) == 1


async def test_it_goes_on_where_it_was_and_begins_again_an_hour_later(pool: Pool, seed: Seed) -> None:
    await seed.connection.execute(
        """
        INSERT INTO runs (id, workspace_id, workflow, state, input, execution_id, created_at, finished_at)
        SELECT ('018' || lpad(to_hex(n), 9, '0') || '70008000000000000000')::uuid, $1, 'a.v1',
               CASE WHEN n = 7 THEN 'waiting' ELSE 'done' END, '{}', '', $2, $2
        FROM generate_series(1, $3::int) AS n
        """,
        seed.workspace_id,
        seed.ago(days=200),
        PORTION * 2 + 10,
    )
    once = forgetting(pool, seed, runs=90)
    async with acquire(pool) as other, other.transaction():
        await other.execute(
            "INSERT INTO forgetting (workspace_id, kind) VALUES ($1, 'runs') ON CONFLICT DO NOTHING", seed.workspace_id
        )
    async with acquire(pool) as other, other.transaction():
        # Another process is at it.
        await other.execute("SELECT FROM forgetting FOR UPDATE")
        assert await once.look(seconds=60) == 0
    assert await once.look(seconds=0.0) == 0
    assert await once.look(seconds=60) == PORTION * 2 + 9
    await seed.connection.execute("UPDATE runs SET state = 'done'")
    assert await once.look(seconds=60) == 0
    await seed.connection.execute("UPDATE forgetting SET next_at = '-infinity'")
    assert await once.look(seconds=60) == 1
