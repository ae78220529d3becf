"""Which attempts stand, are tried again or are set aside, for each way of retrying a run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from mainstay.db import Pool, acquire, transact
from mainstay.model import Attempt, AttemptState, Run, RunState, new_id
from mainstay.runs import Again, NewRun, Progress, Settlement, add_runs, claim_execution, requeue, settle

NOW = datetime(2026, 3, 2, tzinfo=UTC)
OK, FAILED, RETRY, WAITING = AttemptState.OK, AttemptState.FAILED, AttemptState.RETRY, AttemptState.WAITING
BEFORE = {"contact": {"email": "sarah@example.com"}}
EDITED = {"contact": {"email": "sarah@example.org"}}

# What was recorded, as (step, state, fate, asked); the step that failed; the retry; what then stands, as
# step: "stands" (a checkpoint), "again" (tried again, its doubts with it) or "aside".
Recorded = tuple[int, AttemptState, str, int]
LINEAR: tuple[Recorded, ...] = ((1, OK, "", 0), (2, OK, "", 0), (3, FAILED, "permanent", 3))
CAUGHT: tuple[Recorded, ...] = ((1, FAILED, "human", 1), (2, OK, "", 0), (3, FAILED, "permanent", 3))
ABOUT_IT: tuple[Recorded, ...] = ((1, OK, "", 0), (2, FAILED, "human", 2), (3, OK, "", 0), (4, OK, "", 0))
BESIDE: tuple[Recorded, ...] = ((1, FAILED, "human", 3), (2, FAILED, "permanent", 3), (3, OK, "", 0))
DONE: tuple[Recorded, ...] = ((1, OK, "", 0), (2, OK, "", 0), (3, OK, "", 0))
OWN_CODE: tuple[Recorded, ...] = ((1, OK, "", 0), (2, OK, "", 0))
STANDS, AGAIN, ASIDE = "stands", "again", "aside"

CASES: dict[str, tuple[tuple[Recorded, ...], RunState, int | None, Again, dict[int, str]]] = {
    "the step that failed": (LINEAR, RunState.FAILED, 3, Again(), {1: STANDS, 2: STANDS, 3: AGAIN}),
    "the step that failed, said by its number": (
        LINEAR, RunState.FAILED, 3, Again(3), {1: STANDS, 2: STANDS, 3: AGAIN}),
    "an earlier step": (LINEAR, RunState.FAILED, 3, Again(2), {1: STANDS, 2: ASIDE, 3: ASIDE}),
    "the start": (LINEAR, RunState.FAILED, 3, Again(1), {1: ASIDE, 2: ASIDE, 3: ASIDE}),
    "the step that failed, with another input": (
        LINEAR, RunState.FAILED, 3, Again(given=EDITED), {1: STANDS, 2: STANDS, 3: ASIDE}),
    "the step that failed by its number, with another input": (
        LINEAR, RunState.FAILED, 3, Again(3, EDITED), {1: STANDS, 2: STANDS, 3: ASIDE}),
    "the start, with another input": (LINEAR, RunState.FAILED, 3, Again(1, EDITED), {1: ASIDE, 2: ASIDE, 3: ASIDE}),
    "behind a failure that was caught": (CAUGHT, RunState.FAILED, 3, Again(), {1: STANDS, 2: STANDS, 3: AGAIN}),
    "from a step behind a failure that was caught": (
        CAUGHT, RunState.FAILED, 3, Again(2), {1: STANDS, 2: ASIDE, 3: ASIDE}),
    "what was done about the failure": (
        ABOUT_IT, RunState.FAILED, 2, Again(), {1: STANDS, 2: AGAIN, 3: ASIDE, 4: ASIDE}),
    "what was done about the failure, with another input": (
        ABOUT_IT, RunState.FAILED, 2, Again(given=EDITED), {1: STANDS, 2: ASIDE, 3: ASIDE, 4: ASIDE}),
    "of steps side by side those that failed": (BESIDE, RunState.FAILED, 1, Again(), {1: AGAIN, 2: AGAIN, 3: STANDS}),
    "of steps side by side, by number: what failed beside it too": (
        BESIDE, RunState.FAILED, 2, Again(2, EDITED), {1: ASIDE, 2: ASIDE, 3: ASIDE}),
    "a done run from a step": (DONE, RunState.DONE, None, Again(2), {1: STANDS, 2: ASIDE, 3: ASIDE}),
    "a done run from its start": (DONE, RunState.DONE, None, Again(1), {1: ASIDE, 2: ASIDE, 3: ASIDE}),
    "a cancelled run from its start": (DONE, RunState.CANCELLED, None, Again(1), {1: ASIDE, 2: ASIDE, 3: ASIDE}),
    "a failure in the workflow's own code": (OWN_CODE, RunState.FAILED, None, Again(), {1: STANDS, 2: STANDS}),
    "a failure in the workflow's own code, with another input": (
        OWN_CODE, RunState.FAILED, None, Again(given=EDITED), {1: STANDS, 2: STANDS}),
    "a done run, not said from where": (DONE, RunState.DONE, None, Again(), {}),
    "a cancelled run, with another input, not said from where": (
        DONE, RunState.CANCELLED, None, Again(given=EDITED), {}),
}  # fmt: skip


async def made(
    pool: Pool, recorded: tuple[Recorded, ...], state: RunState, failed_step: int | None, **more: Any
) -> Run:
    workspace_id = new_id()
    async with acquire(pool) as connection:
        await connection.execute(
            "INSERT INTO workspaces (id, slug, name) VALUES ($1, $2, 'Acme')", workspace_id, f"acme-{workspace_id}"
        )
        await add_runs(connection, [NewRun(new_id(), workspace_id, "welcome.v1", BEFORE, "execution", **more)])
    (claimed,) = await claim_execution(pool, "execution")
    run = claimed.run
    attempts = [
        Attempt(run.id, step, f"step {step}", 1, how, NOW, fate=fate, asked=asked)
        for step, how, fate, asked in recorded
    ]
    news = Progress(run, tuple(attempts), Settlement(state, failed_step=failed_step, error="no"))
    assert await transact(pool, lambda session: settle(session, [news])) == [None]
    return run


async def again(pool: Pool, run: Run, how: Again, workspace_id: UUID | None = None) -> bool:
    return await transact(pool, lambda session: requeue(session, workspace_id or run.workspace_id, run.id, again=how))


async def rows(pool: Pool, query: str, *values: Any) -> Any:
    async with acquire(pool) as connection:
        return await connection.fetch(query, *values)


@pytest.mark.parametrize("case", CASES)
async def test_what_stands_and_what_is_set_aside(pool: Pool, case: str) -> None:
    recorded, state, failed_step, how, expected = CASES[case]
    run = await made(pool, recorded, state, failed_step)

    assert await again(pool, run, how) is bool(expected)

    found = await rows(pool, "SELECT * FROM attempts WHERE run_id = $1 ORDER BY step", run.id)
    story = {step: (how, fate) for step, how, fate, _ in recorded}
    if not expected:
        assert not any(row["is_set_aside"] for row in found)
        return
    became = {}
    for row in found:
        was, fate = story[row["step"]]
        is_again = row["state"] == RETRY and was is FAILED
        became[row["step"]] = ASIDE if row["is_set_aside"] else AGAIN if is_again else STANDS
        # The story says how it ended, whatever becomes of it.
        assert row["fate"] == fate
        assert row["state"] == (RETRY if became[row["step"]] == AGAIN else was)
    assert became == expected
    (row,) = await rows(pool, "SELECT * FROM runs WHERE id = $1", run.id)
    assert (row["state"], row["error"], row["failed_step"], row["finished_at"]) == ("queued", "", None, None)
    assert row["input"] == (how.given or BEFORE)
    (told,) = await rows(pool, "SELECT * FROM hand_retries WHERE run_id = $1", run.id)
    assert told["input_before"] == (BEFORE if how.given else None)
    assert not await again(pool, run, how), "it is under way"


async def test_a_step_that_is_set_aside_waits_for_nothing_any_more(pool: Pool) -> None:
    run = await made(pool, ((1, OK, "", 0),), RunState.FAILED, None)
    async with acquire(pool) as connection:
        for step in (1, 2):
            await connection.execute(
                "INSERT INTO waits (workspace_id, run_id, step, event_type) VALUES ($1, $2, $3, 'message.received')",
                run.workspace_id, run.id, step,
            )  # fmt: skip
    assert await again(pool, run, Again(2))
    assert [row["step"] for row in await rows(pool, "SELECT step FROM waits WHERE run_id = $1", run.id)] == [1]


async def test_the_next_claim_reads_what_is_set_aside_as_story(pool: Pool) -> None:
    run = await made(pool, DONE, RunState.DONE, None)
    await again(pool, run, Again(2))
    (row,) = await rows(pool, "SELECT execution_id FROM runs WHERE id = $1", run.id)
    (claimed,) = await claim_execution(pool, row["execution_id"])
    assert [one.is_set_aside for one in claimed.attempts] == [False, True, True]


async def test_another_workspace_cannot(pool: Pool) -> None:
    run = await made(pool, LINEAR, RunState.FAILED, 3)
    assert not await again(pool, run, Again(), new_id())


async def test_what_a_deleted_contact_left_empty_cannot_begin_again(pool: Pool) -> None:
    run = await made(pool, DONE, RunState.DONE, None)
    async with acquire(pool) as connection:
        await connection.execute("UPDATE runs SET input = '{}' WHERE id = $1", run.id)
    assert not await again(pool, run, Again(1))
