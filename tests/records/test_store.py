from __future__ import annotations

from uuid import UUID

import pytest

from mainstay.db import Pool, acquire
from mainstay.errors import PermanentError
from mainstay.model import new_id
from mainstay.records import Want, link, push_failed, pushed, start_push, want
from mainstay.records.store import PUSH, external_id_of, is_wanted
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
        assert await pushed(connection, Want(workspace, RECORD, 1, "ghl"), "a1", is_new=True)
        assert not await pushed(connection, Want(workspace, RECORD, 3, "ghl"), "a1", is_new=True)
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


async def test_one_record_there_for_two_contacts_here_is_refused(pool: Pool, workspace: UUID) -> None:
    other = UUID(int=6)
    await asked(pool, Want(workspace, RECORD, 1, "ghl"), Want(workspace, other, 1, "ghl"))
    async with acquire(pool) as connection:
        await pushed(connection, Want(workspace, RECORD, 1, "ghl"), "a1", is_new=True)
        with pytest.raises(PermanentError, match="one record \\(a1\\) for two contacts of ours"):
            await pushed(connection, Want(workspace, other, 1, "ghl"), "a1", is_new=True)


async def test_what_a_system_says_of_its_own_record_is_linked_and_never_relinked(pool: Pool, workspace: UUID) -> None:
    async with acquire(pool) as connection:
        assert not await is_wanted(connection, workspace, RECORD, "ghl")
        for external_id in ("a1", "a2"):
            await link(connection, [(Want(workspace, RECORD, 1, "ghl"), external_id)])
        assert await external_id_of(connection, workspace, RECORD, "ghl") == "a1"
        assert await is_wanted(connection, workspace, RECORD, "ghl")
        assert await external_id_of(connection, workspace, RECORD, "hubspot") == ""
