from __future__ import annotations

from uuid import UUID

import pytest

from mainstay.db import Pool, acquire
from mainstay.errors import PermanentError
from mainstay.model import new_id
from mainstay.records import Adopted, Want, link, push_failed, pushed, start_push, want
from mainstay.records.store import PUSH, Done, external_id_of, is_wanted
from mainstay.runs import NewRun, add_runs

RECORD = UUID(int=5)


@pytest.fixture
async def workspace(pool: Pool) -> UUID:
    workspace_id = new_id()
    async with acquire(pool) as connection:
        await connection.execute("INSERT INTO workspaces (id, slug, name) VALUES ($1, 'acme', 'Acme')", workspace_id)
    return workspace_id


async def asked(pool: Pool, *wants: Want) -> list[UUID | None]:
    """Ask for pushes; begin those that have to begin."""
    async with acquire(pool) as connection, connection.transaction():
        found = await want(connection, wants)
        for each in found:
            if each.run_id is not None:
                await add_runs(connection, [NewRun(each.run_id, each.want.workspace_id, PUSH, {}, "execution")])
    return [each.run_id for each in found]


async def test_one_push_at_a_time_and_it_hears_of_newer_versions(pool: Pool, workspace: UUID) -> None:
    (run_id,) = await asked(pool, Want(workspace, RECORD, 1, "ghl"))
    assert run_id is not None
    assert await asked(pool, Want(workspace, RECORD, 2, "ghl"), Want(workspace, RECORD, 3, "ghl")) == [None]

    async with acquire(pool) as connection:
        assert await pushed(connection, [Done(Want(workspace, RECORD, 1, "ghl"), "a1")]) == [True]
        assert await pushed(connection, [Done(Want(workspace, RECORD, 3, "ghl"), "a1")]) == [False]
        assert await external_id_of(connection, workspace, RECORD, "ghl") == "a1"
        await connection.execute("UPDATE runs SET state = 'done'")
    (next_run,) = await asked(pool, Want(workspace, RECORD, 4, "ghl"))
    assert next_run not in {None, run_id}


async def test_a_push_that_failed_makes_way_and_says_why(pool: Pool, workspace: UUID) -> None:
    (run_id,) = await asked(pool, Want(workspace, RECORD, 1, "ghl"))
    assert run_id is not None
    async with acquire(pool) as connection:
        await push_failed(connection, run_id, RECORD, "400: no\0")
        await connection.execute("UPDATE runs SET state = 'failed'")
        assert await connection.fetchval("SELECT error FROM crosswalk") == "400: no"
    (newer,) = await asked(pool, Want(workspace, RECORD, 2, "ghl"))
    assert newer is not None
    async with acquire(pool) as connection:
        assert await start_push(connection, workspace, RECORD, "ghl", run_id) == (False, "")
        assert await start_push(connection, workspace, RECORD, "ghl", newer) == (True, "")


@pytest.mark.parametrize("together", [True, False])
async def test_one_record_there_for_two_contacts_here_is_refused(pool: Pool, workspace: UUID, together: bool) -> None:
    other, third = UUID(int=6), UUID(int=7)
    done = [
        Done(Want(workspace, RECORD, 1, "ghl"), "a1"),
        Done(Want(workspace, other, 1, "ghl"), "a1"),
        Done(Want(workspace, third, 1, "ghl"), "a3"),
        Done(Want(workspace, other, 1, "hubspot"), "a1"),
    ]
    await asked(pool, *(each.want for each in done))
    async with acquire(pool) as connection:
        if together:
            results = await pushed(connection, done)
        else:
            results = [result for each in done for result in await pushed(connection, [each])]
        assert [results[0], *results[2:]] == [False, False, False]
        assert isinstance(results[1], PermanentError)
        assert f"one record (a1) for two contacts of ours: this one and {RECORD}" in str(results[1])
        assert await external_id_of(connection, workspace, other, "ghl") == ""
        assert await external_id_of(connection, workspace, third, "ghl") == "a3"


async def test_what_a_system_says_of_its_own_record_is_linked_and_never_relinked(pool: Pool, workspace: UUID) -> None:
    async with acquire(pool) as connection:
        assert not await is_wanted(connection, workspace, RECORD, "ghl")
        for external_id in ("a1", "a2"):
            await link(connection, [(Adopted(workspace, RECORD, "ghl", external_id), RECORD)])
        assert await external_id_of(connection, workspace, RECORD, "ghl") == "a1"
        assert await is_wanted(connection, workspace, RECORD, "ghl")
        assert await external_id_of(connection, workspace, RECORD, "hubspot") == ""
