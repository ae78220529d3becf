"""Which lane a delivery goes to: a flood of one workspace leaves the lane of leads to the others."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import pytest

from mainstay.db import Pool, acquire
from mainstay.intake import flood
from mainstay.intake.flood import FLOOD, Floods
from mainstay.intake.store import OpenExecution, keep
from mainstay.model import Lane, new_id
from mainstay.runs import NewRun, add_runs
from tests.intake.arrivals import arrival


async def a_workspace(pool: Pool, slug: str) -> UUID:
    workspace_id = new_id()
    async with acquire(pool) as connection:
        await connection.execute("INSERT INTO workspaces (id, slug, name) VALUES ($1, $2, $2)", workspace_id, slug)
    return workspace_id


async def queue(pool: Pool, workspace: UUID, count: int, lane: Lane) -> None:
    async with acquire(pool) as connection:
        await add_runs(
            connection, [NewRun(new_id(), workspace, "inbound.v1", {}, "e", lane=lane) for _ in range(count)]
        )


@pytest.mark.parametrize(
    ("lead", "backfill", "is_flooded"),
    [(0, 0, False), (FLOOD - 60, 0, False), (FLOOD, 0, True), (0, FLOOD * 2, False), (FLOOD, FLOOD, True)],
)
async def test_only_leads_that_wait_make_a_flood(pool: Pool, lead: int, backfill: int, is_flooded: bool) -> None:
    busy, other = await a_workspace(pool, "busy"), await a_workspace(pool, "other")
    await queue(pool, busy, lead, Lane.LEAD)
    await queue(pool, busy, backfill, Lane.BACKFILL)
    async with acquire(pool) as connection:
        found = await Floods().look(connection, {busy: 50, other: 50})
    assert found == ({busy} if is_flooded else set())


async def test_a_trickle_is_not_asked_about(pool: Pool) -> None:
    workspace = await a_workspace(pool, "acme")
    await queue(pool, workspace, FLOOD + 1, Lane.LEAD)
    floods = Floods()
    async with acquire(pool) as connection:
        assert [await floods.look(connection, {workspace: 10}) for _ in range(5)] == [set()] * 4 + [{workspace}]


async def test_a_flood_ends_when_the_leads_are_worked_off(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flood, "_LOOK_SECONDS", -1.0)
    workspace = await a_workspace(pool, "acme")
    await queue(pool, workspace, FLOOD, Lane.LEAD)
    floods = Floods()
    async with acquire(pool) as connection:
        assert await floods.look(connection, {workspace: 50}) == {workspace}
        await connection.execute("UPDATE runs SET state = 'done'")
        assert await floods.look(connection, {workspace: 1}) == set()


async def test_each_lane_has_its_own_queue_entries(pool: Pool) -> None:
    workspace = await a_workspace(pool, "acme")
    arrivals = [arrival(workspace, lane=Lane.BACKFILL if number % 3 else Lane.LEAD) for number in range(9)]
    async with acquire(pool) as connection, connection.transaction():
        await keep(connection, arrivals, OpenExecution())
    async with acquire(pool) as connection:
        rows = await connection.fetch(
            """
            SELECT runs.lane, entry.queue_name FROM runs
            JOIN dbos.workflow_status AS entry ON entry.workflow_uuid = runs.execution_id
            """
        )
    assert Counter((row["lane"], row["queue_name"]) for row in rows) == {
        ("lead", "executions"): 3,
        ("backfill", "backfill"): 6,
    }
