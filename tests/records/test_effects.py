"""What calls left elsewhere is kept with the steps: by who has the run, once, and of nobody who was deleted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from mainstay.db import GroupCommit, Pool, acquire
from mainstay.errors import FencedError
from mainstay.model import Attempt, AttemptState, Effect, RecordState, Run, RunState, new_id
from mainstay.records import Ownership, settling_effects
from mainstay.runs import NewRun, Progress, Settlement, add_runs

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)


@pytest.fixture
async def run(pool: Pool) -> Run:
    workspace, run_id, claim = new_id(), new_id(), new_id()
    async with acquire(pool) as connection, connection.transaction():
        await connection.execute("INSERT INTO workspaces (id, slug, name) VALUES ($1, 'acme', 'Acme')", workspace)
        await add_runs(connection, [NewRun(run_id, workspace, "job.v1", {}, "e")], claims={run_id: claim})
    return Run(run_id, workspace, "job.v1", {}, "e", claim)


def progress(run: Run, *effects: Effect | None, ended: bool = False) -> Progress:
    attempts = [
        Attempt(run.id, number, "tasks.create_task", 1, AttemptState.OK, NOW, connection="work", effect=effect)
        for number, effect in enumerate(effects, 1)
    ]
    return Progress(run, tuple(attempts), Settlement(RunState.DONE) if ended else None)


def task(external_id: str, contact_id: UUID | None = None, *, gone: bool = False, **fields: str) -> Effect:
    return Effect(RecordState("task", external_id, fields, is_gone=gone, changed_at=NOW), contact_id)


async def settled(pool: Pool, *news: Progress) -> list[Exception | None]:
    write = settling_effects(lambda _: {"task": Ownership("work")}, locks="identity")
    async with acquire(pool) as connection, connection.transaction():
        return list(await write.apply(connection, news))


async def rows(pool: Pool, table: str) -> Sequence[Any]:
    async with acquire(pool) as connection:
        return [dict(row) for row in await connection.fetch(f"SELECT * FROM {table} ORDER BY 1")]  # noqa: S608


async def test_records_and_steps_are_one_write(pool: Pool, run: Run) -> None:
    await settled(pool, progress(run, task("t1", title="Call"), None, task("t1", status="done"), ended=True))

    (record,) = await rows(pool, "records")
    assert (record["values"], record["version"]) == ({"title": "Call", "status": "done"}, 2)
    said = await rows(pool, "record_changes")
    assert {(each["source"], each["run_id"], each["connection"]) for each in said} == {("job.v1", run.id, "work")}
    assert len(await rows(pool, "attempts")) == 3


async def test_a_write_that_is_repeated_as_its_answer_was_lost_changes_nothing(pool: Pool, run: Run) -> None:
    for _ in range(2):
        await settled(pool, progress(run, task("t1", title="Call")))

    assert [each["version"] for each in await rows(pool, "records")] == [1]
    assert len(await rows(pool, "record_changes")) == 1


async def test_who_lost_the_run_records_nothing(pool: Pool, run: Run) -> None:
    lost = Run(run.id, run.workspace_id, "job.v1", {}, "e", new_id())
    fenced, kept = await settled(pool, progress(lost, task("t1")), progress(run, task("t2")))

    assert isinstance(fenced, FencedError)
    assert kept is None
    assert [each["external_id"] for each in await rows(pool, "crosswalk")] == ["t2"]
    commit = GroupCommit(pool)
    with pytest.raises(FencedError):
        await commit(settling_effects(lambda _: {}, locks="identity"), progress(lost, task("t3")))


async def test_nothing_is_kept_of_who_was_deleted(pool: Pool, run: Run) -> None:
    there, gone = new_id(), new_id()
    async with acquire(pool) as connection:
        await connection.execute("SET session_replication_role = replica")
        for contact, deleted in ((there, None), (gone, NOW)):
            await connection.execute(
                """
                INSERT INTO contacts (id, workspace_id, deleted_at, created_at, updated_at)
                VALUES ($1, $2, $3, now(), now())
                """,
                contact,
                run.workspace_id,
                deleted,
            )
        await connection.execute("SET session_replication_role = DEFAULT")
    await settled(pool, progress(run, task("t1", gone), task("t2", there)))

    assert [each["contact_id"] for each in await rows(pool, "records")] == [there]


async def test_that_one_is_gone_is_kept_where_it_was_known(pool: Pool, run: Run) -> None:
    await settled(pool, progress(run, task("t1", title="Call"), task("t1", gone=True), task("t9", gone=True)))

    (record,) = await rows(pool, "records")
    assert record["values"] == {"title": "Call"}
    assert record["gone_at"] is not None
