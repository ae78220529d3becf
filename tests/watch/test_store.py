from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from mainstay.db import Pool, acquire
from mainstay.model import new_id
from mainstay.runs import NewRun, add_runs
from mainstay.watch import recover, report, resolve_healed, trouble_of_quarantine, trouble_of_run
from mainstay.watch.store import acknowledge

TROUBLE = trouble_of_run("welcome.v1", "slack", "permanent", "no such channel\0")


@pytest.fixture
async def workspace(pool: Pool) -> UUID:
    workspace_id = new_id()
    async with acquire(pool) as connection:
        await connection.execute("INSERT INTO workspaces (id, slug, name) VALUES ($1, 'acme', 'Acme')", workspace_id)
    return workspace_id


async def failed_run(pool: Pool, workspace: UUID, incident: UUID) -> UUID:
    run_id = new_id()
    async with acquire(pool) as connection:
        await add_runs(connection, [NewRun(run_id, workspace, "welcome.v1", {}, "execution")])
        await connection.execute("UPDATE runs SET state = 'failed', incident_id = $2 WHERE id = $1", run_id, incident)
    return run_id


async def test_one_cause_is_one_open_incident_in_each_workspace(pool: Pool, workspace: UUID) -> None:
    other = new_id()
    async with acquire(pool) as connection:
        await connection.execute("INSERT INTO workspaces (id, slug, name) VALUES ($1, 'bell', 'Bell')", other)
        first = await report(connection, workspace, TROUBLE)
        again = await report(connection, workspace, TROUBLE)
        elsewhere = await report(connection, other, TROUBLE)
    assert (first.is_new, again.is_new, elsewhere.is_new) == (True, False, True)
    assert first.id == again.id != elsewhere.id


async def test_it_closes_when_its_runs_have_ended_well_or_were_handled(pool: Pool, workspace: UUID) -> None:
    async with acquire(pool) as connection:
        incident = (await report(connection, workspace, TROUBLE)).id
    one, two = [await failed_run(pool, workspace, incident) for _ in range(2)]
    async with acquire(pool) as connection:
        for query, run_id, is_over in (
            ("UPDATE runs SET state = 'queued' WHERE id = $1", one, 0),
            ("UPDATE runs SET handled_at = now() WHERE id = $1", two, 0),
            ("UPDATE runs SET state = 'done' WHERE id = $1", one, 1),
        ):
            await connection.execute(query, run_id)
            assert await resolve_healed(connection) == is_over
        assert (await report(connection, workspace, TROUBLE)).is_new


async def test_one_of_a_sender_closes_after_a_quiet_day(pool: Pool, workspace: UUID) -> None:
    async with acquire(pool) as connection:
        await report(connection, workspace, trouble_of_quarantine("website", "the secret is missing"))
        assert await resolve_healed(connection) == 0
        await connection.execute("UPDATE incidents SET last_seen = last_seen - interval '25 hours'")
        assert await resolve_healed(connection) == 1


async def test_what_comes_back_reopens_and_people_who_were_never_told_of_its_end_hear_nothing(
    pool: Pool, workspace: UUID
) -> None:
    async with acquire(pool) as connection:
        first = await report(connection, workspace, TROUBLE)
        assert (first.news, (await report(connection, workspace, TROUBLE)).news) == ("opened", "")
        assert (await report(connection, workspace, TROUBLE, "critical")).news == "worse"
        assert (await report(connection, workspace, TROUBLE, "critical")).news == ""
        await connection.execute("UPDATE incidents SET alert_phase = 'told'")
        assert await acknowledge(connection, workspace, first.id, "dana@acme.example")
        assert not await acknowledge(connection, workspace, first.id, "bob@acme.example")

        async def again(phase: str, hours_ago: int = 0) -> tuple[bool, str, str]:
            await connection.execute("UPDATE incidents SET alert_phase = $1", phase)
            assert await recover(connection, workspace, TROUBLE.fingerprint)
            assert not await recover(connection, workspace, TROUBLE.fingerprint)
            await connection.execute("UPDATE incidents SET resolved_at = now() - make_interval(hours => $1)", hours_ago)
            found = await report(connection, workspace, TROUBLE)
            row = await connection.fetchrow("SELECT * FROM incidents WHERE id = $1", found.id)
            assert row is not None
            assert row["state"] == "open"
            return found.id == first.id, found.news, row["acknowledged_by"]

        assert await again("told") == (True, "", "dana@acme.example"), "its end was not told"
        assert await again("none") == (True, "reopened", "")
        assert await again("told", 25) == (False, "opened", "")
        assert await connection.fetchval("SELECT count(*) FROM incidents") == 2
        assert await connection.fetchval("SELECT max(reopened) FROM incidents") == 2


async def test_a_cause_that_many_report_at_once_is_reopened_once(pool: Pool, workspace: UUID) -> None:
    async def told(_: int) -> str:
        async with acquire(pool) as connection, connection.transaction():
            return (await report(connection, workspace, TROUBLE)).news

    for expected in ("opened", "reopened", "reopened"):
        assert sorted(await asyncio.gather(*map(told, range(6)))) == ["", "", "", "", "", expected]
        async with acquire(pool) as connection:
            assert await recover(connection, workspace, TROUBLE.fingerprint)
            assert await connection.fetchval("SELECT count(*) FROM incidents") == 1
