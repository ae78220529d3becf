"""Runs of one workflow and key take turns: exact under races, in order, and none is forgotten."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainstay.db import Pool, acquire, transact
from mainstay.model import Overlap, Run, RunState
from mainstay.runs import (
    Progress,
    Settlement,
    begin_missed,
    cancel,
    claim_execution,
    move_turns,
    requeue,
    return_turns,
    settle,
    wake_overdue,
)
from mainstay.runs.turns import Line, begin_next
from tests.runs.lines import Lines

LATER = datetime.now(UTC) + timedelta(hours=1)
RACES = 200


@pytest.fixture
async def lines(pool: Pool) -> Lines:
    return await Lines.open(pool)


@pytest.fixture
async def under_way(lines: Lines) -> Run:
    """A run of Sarah's that is driven."""
    await lines.made(lines.new())
    (run,) = await lines.claim((await lines.take())[0])
    return run


async def test_one_begins_and_the_others_follow_in_order(lines: Lines) -> None:
    runs = [lines.new() for _ in range(5)]
    assert await lines.made(*runs[:2]) == {runs[0].id}
    for run in runs[2:]:
        assert await lines.made(run) == set()
    assert await lines.drain() == [run.id for run in runs]


async def test_lines_of_other_keys_and_runs_without_one_do_not_wait(lines: Lines, under_way: Run) -> None:
    others = [lines.new("bob"), lines.new(""), lines.new("")]
    assert await lines.made(*others) == {run.id for run in others}
    assert (await lines.rows())[under_way.id]["state"] == "running"


@pytest.mark.parametrize("state", [RunState.DONE, RunState.FAILED])
async def test_the_next_begins_in_the_transaction_that_ends_the_one_before(
    lines: Lines, under_way: Run, state: RunState
) -> None:
    await lines.made(second := lines.new(), lines.new())
    await lines.take()
    await lines.end(under_way, state)
    row = (await lines.rows())[second.id]
    assert (row["state"], row["is_behind"]) == ("queued", False)
    assert await lines.take() == [row["execution_id"]]


async def test_a_run_that_waits_keeps_its_turn(lines: Lines, under_way: Run) -> None:
    await lines.made(second := lines.new())
    async with acquire(lines.pool) as connection, connection.transaction():
        await settle(connection, [Progress(under_way, (), Settlement(RunState.WAITING, LATER, "its sleep to end"))])
    assert (await lines.rows())[second.id]["is_behind"]


async def test_skip_notes_what_it_did_not_begin(lines: Lines, under_way: Run) -> None:
    skipped = lines.new(overlap=Overlap.SKIP)
    assert await lines.made(skipped) == set()
    row = (await lines.rows())[skipped.id]
    assert (row["state"], row["error"]) == ("cancelled", f"not begun: run {str(under_way.id)[-8:]} had not ended")
    assert row["finished_at"] is not None
    await lines.end(under_way)
    assert await lines.made(after := lines.new(overlap=Overlap.SKIP)) == {after.id}


async def test_of_two_that_skip_in_one_transaction_the_first_begins(lines: Lines) -> None:
    one, two = lines.new(overlap=Overlap.SKIP), lines.new(overlap=Overlap.SKIP)
    assert await lines.made(one, two) == {one.id}
    assert (await lines.rows())[two.id]["state"] == "cancelled"


async def test_replace_cancels_whoever_has_the_turn_and_fences_it_off(lines: Lines, under_way: Run) -> None:
    await lines.made(behind := lines.new())
    newest = [lines.new(overlap=Overlap.REPLACE) for _ in range(2)]
    assert await lines.made(*newest) == {newest[1].id}
    rows = await lines.rows()
    assert {rows[run_id]["state"] for run_id in (under_way.id, behind.id)} == {"cancelled"}
    assert rows[under_way.id]["error"] == "replaced by a later run"
    assert not await lines.end(under_way)
    assert await lines.drain() == [newest[1].id]


async def test_debounced_events_make_one_run_with_the_last_of_them(lines: Lines) -> None:
    moments = [LATER + timedelta(minutes=minute) for minute in range(3)]
    runs = [lines.new(not_before=moment) for moment in moments]
    assert await lines.made(*runs[:2]) == set()
    (row,) = (await lines.rows()).values()
    assert (row["wake_at"], row["state"], row["is_behind"]) == (moments[1], "waiting", False)

    await lines.made(runs[2])
    (row,) = (await lines.rows()).values()
    assert row["wake_at"] == moments[2]
    # The entry of before finds nothing any more.
    assert await claim_execution(lines.pool, runs[0].execution_id) == []
    assert row["execution_id"] in await lines.take()
    assert len(await lines.claim(row["execution_id"])) == 1
    await lines.made(next_one := lines.new(not_before=LATER))
    assert (await lines.rows())[next_one.id]["is_behind"]


async def test_a_debounced_run_that_is_behind_still_waits_for_its_moment_when_its_turn_comes(
    lines: Lines, under_way: Run
) -> None:
    await lines.made(second := lines.new(not_before=LATER))
    await lines.end(under_way)
    row = (await lines.rows())[second.id]
    assert (row["state"], row["is_behind"], row["wake_at"]) == ("waiting", False, LATER)


async def test_a_failed_run_that_is_retried_waits_for_its_turn_and_goes_first(lines: Lines, under_way: Run) -> None:
    await lines.end(under_way, RunState.FAILED)
    runs = [lines.new() for _ in range(3)]
    await lines.made(*runs)
    async with acquire(lines.pool) as connection, connection.transaction():
        assert await requeue(connection, lines.workspace_id, under_way.id)
    assert (await lines.rows())[under_way.id]["is_behind"]
    await lines.check()
    assert await lines.drain() == [runs[0].id, under_way.id, runs[1].id, runs[2].id]


async def test_a_failed_run_is_retried_at_once_when_its_line_is_empty(lines: Lines, under_way: Run) -> None:
    await lines.end(under_way, RunState.FAILED)
    async with acquire(lines.pool) as connection, connection.transaction():
        await requeue(connection, lines.workspace_id, under_way.id)
    assert await lines.drain() == [under_way.id]


async def test_cancelling_lets_the_next_begin_and_takes_children_along(lines: Lines, under_way: Run) -> None:
    child = lines.new("", parent_id=under_way.id)
    grandchild = lines.new("", parent_id=child.id)
    await lines.made(second := lines.new(), child, grandchild, other := lines.new(""))
    async with acquire(lines.pool) as connection, connection.transaction():
        gone = await cancel(connection, lines.workspace_id, [under_way.id], reason="cancelled by Dana")
        assert await cancel(connection, lines.workspace_id, [under_way.id], reason="again") == set()
    assert gone == {under_way.id, child.id, grandchild.id}
    rows = await lines.rows()
    assert (rows[under_way.id]["error"], rows[under_way.id]["claim"]) == ("cancelled by Dana", None)
    assert rows[second.id]["state"] == "queued"
    assert rows[other.id]["state"] == "queued"
    assert not await lines.end(under_way)


async def test_nothing_of_another_workspace_is_cancelled(lines: Lines, under_way: Run) -> None:
    stranger = await Lines.open(lines.pool)
    async with acquire(lines.pool) as connection, connection.transaction():
        assert await cancel(connection, stranger.workspace_id, [under_way.id], reason="x") == set()


async def test_what_waits_past_its_deadline_is_driven_also_from_behind(lines: Lines, under_way: Run) -> None:
    late = lines.new(deadline_at=LATER)
    await lines.made(late)
    await lines.take()
    for moment, count in ((LATER - timedelta(seconds=1), 0), (LATER, 1), (LATER, 0)):
        async with acquire(lines.pool) as connection, connection.transaction():
            assert await wake_overdue(connection, moment) == count
    (entry,) = await lines.take()
    assert await claim_execution(lines.pool, entry) == []
    (claimed,) = await claim_execution(lines.pool, entry, now=LATER)
    assert claimed.run.id == late.id
    await lines.end(claimed.run, RunState.FAILED)
    assert (await lines.rows())[under_way.id]["state"] == "running"
    await lines.check()


# Races -------------------------------------------------------------------------------------------------------------


async def test_the_next_is_inserted_in_the_instant_in_which_the_one_before_ends(lines: Lines) -> None:
    """Two connections at once, as two workers have them: whichever commits first, nobody is left behind."""
    outcomes: set[object] = set()
    for n in range(RACES):
        key = f"key {n}"
        await lines.made(one := lines.new(key))
        (run,) = [run for entry in await lines.take() for run in await lines.claim(entry)]
        two = lines.new(key)
        begun, _ = await asyncio.gather(lines.made(two), lines.end(run))
        outcomes.add(bool(begun))
        row = (await lines.rows())[two.id]
        outcomes.add((row["state"], row["is_behind"]))
        assert await lines.drain() == [two.id], (n, one.id)
    # Each way of meeting has come up, or this proves little.
    assert {False, ("queued", False)} <= outcomes


async def test_whoever_was_not_seen_by_the_end_before_it_looks_again(lines: Lines, under_way: Run) -> None:
    """Held open by hand: inserted while the end, which saw nobody, has not been committed."""
    second = lines.new()
    async with acquire(lines.pool) as ending, ending.transaction():
        await settle(ending, [Progress(under_way, (), Settlement(RunState.DONE))])
        assert await lines.made(second) == set()
        (entry,) = await lines.take()
        looking = asyncio.create_task(lines.claim(entry))
        # It waits for the row that the end holds.
        await _until_blocked(lines.pool)
        assert not looking.done()
    await looking
    assert await lines.drain() == [second.id]


async def test_whoever_is_committed_after_the_end_looks_again(lines: Lines, under_way: Run) -> None:
    second = lines.new()
    async with acquire(lines.pool) as inserting, inserting.transaction():
        assert await lines.add(inserting, second) == set()
        await lines.end(under_way)
    assert (await lines.rows())[second.id]["is_behind"]
    assert await lines.drain() == [second.id]


async def test_two_that_meet_at_an_empty_line_do_not_both_begin(lines: Lines) -> None:
    for n in range(RACES):
        runs = [lines.new(f"key {n}") for _ in range(3)]
        begun = await asyncio.gather(*(lines.made(run) for run in runs))
        assert sum(len(some) for some in begun) == 1
        await lines.check()
    assert len(await lines.drain()) == 3 * RACES


async def test_two_that_replace_at_once_leave_one(lines: Lines) -> None:
    for n in range(RACES // 4):
        runs = [lines.new(f"key {n}", Overlap.REPLACE) for _ in range(3)]
        await asyncio.gather(*(lines.made(run) for run in runs))
        assert len(await lines.drain()) == 1


async def test_ends_cancels_retries_and_looks_all_at_once_forget_nobody(lines: Lines) -> None:
    for n in range(RACES // 4):
        key = f"key {n}"
        await lines.made(failed := lines.new(key))
        (run,) = [run for entry in await lines.take() for run in await lines.claim(entry)]
        await lines.end(run, RunState.FAILED)
        runs = [lines.new(key) for _ in range(4)]
        await lines.made(runs[0])
        (run,) = [run for entry in await lines.take() for run in await lines.claim(entry)]

        async def retry(run_id: UUID = failed.id) -> None:
            await transact(lines.pool, lambda connection: requeue(connection, lines.workspace_id, run_id))

        async def cancelled(run_id: UUID = runs[1].id) -> set[UUID]:
            return await transact(
                lines.pool, lambda connection: cancel(connection, lines.workspace_id, [run_id], reason="by hand")
            )

        await lines.made(runs[1])
        line = Line(lines.workspace_id, "welcome.v1", key)

        async def look(line: Line = line) -> None:
            await transact(lines.pool, lambda connection: begin_next(connection, line))

        await asyncio.gather(lines.end(run), retry(), cancelled(), lines.made(runs[2]), look(), lines.made(runs[3]))
        await lines.check()
        began = await lines.drain()
        assert set(began) == {failed.id, runs[2].id, runs[3].id}


async def _until_blocked(pool: Pool) -> None:
    async with acquire(pool) as connection:
        while not await connection.fetchval("SELECT TRUE FROM pg_locks WHERE NOT granted LIMIT 1"):
            pass


# Merges ------------------------------------------------------------------------------------------------------------


async def _contacts(lines: Lines) -> tuple[UUID, UUID]:
    one, two = lines.new().id, lines.new().id
    return one, two


async def test_a_merge_makes_two_lines_one_and_what_has_begun_goes_on(lines: Lines) -> None:
    survivor, merged = await _contacts(lines)
    first, other = lines.new(str(survivor)), lines.new(str(merged))
    await lines.made(first, other)
    driven = {run.id: run for entry in await lines.take() for run in await lines.claim(entry)}
    behind = [lines.new(str(merged)), lines.new(str(survivor))]
    await lines.made(*behind)
    async with acquire(lines.pool) as connection, connection.transaction():
        await move_turns(connection, lines.workspace_id, merged, survivor)
    await lines.check()

    await lines.made(after := lines.new(str(survivor)))
    assert await lines.drain() == []
    await lines.end(driven[first.id])
    assert await lines.drain() == []
    await lines.end(driven[other.id])
    assert await lines.drain() == [*(run.id for run in behind), after.id]


async def test_a_merge_with_an_empty_line_lets_the_first_of_the_other_begin(lines: Lines) -> None:
    survivor, merged = await _contacts(lines)
    await lines.made(first := lines.new(str(merged)))
    (run,) = [run for entry in await lines.take() for run in await lines.claim(entry)]
    await lines.made(second := lines.new(str(merged)))
    async with acquire(lines.pool) as connection, connection.transaction():
        await move_turns(connection, lines.workspace_id, merged, survivor)
    assert await lines.drain() == []
    await lines.end(run)
    assert await lines.drain() == [second.id]
    assert (await lines.rows())[first.id]["key"] == str(survivor)


async def test_un_merge_gives_each_its_own_line_back(lines: Lines) -> None:
    stayed, restored = await _contacts(lines)
    async with acquire(lines.pool) as connection:
        await connection.execute("SET session_replication_role = replica")
        await connection.executemany(
            "INSERT INTO contacts (id, workspace_id, version, created_at, updated_at) VALUES ($1, $2, 1, now(), now())",
            [(stayed, lines.workspace_id), (restored, lines.workspace_id)],
        )
        await connection.execute("SET session_replication_role = DEFAULT")
    await lines.made(first := lines.new(str(stayed), contact_id=stayed))
    (run,) = [run for entry in await lines.take() for run in await lines.claim(entry)]
    await lines.made(theirs := lines.new(str(stayed), contact_id=restored), own := lines.new(str(stayed)))
    async with acquire(lines.pool) as connection, connection.transaction():
        await return_turns(connection, lines.workspace_id, stayed, restored)
    assert await lines.drain() == [theirs.id]
    await lines.end(run)
    assert await lines.drain() == [own.id]
    assert (await lines.rows())[first.id]["state"] == "done"


# Whatever happens --------------------------------------------------------------------------------------------------

_KEYS = [str(UUID(int=n)) for n in (1, 2)]
_ACTS = st.one_of(
    st.tuples(st.just("make"), st.sampled_from(_KEYS), st.sampled_from(list(Overlap)[:3])),
    st.tuples(st.sampled_from(["drive", "end", "fail", "cancel", "retry", "look"]), st.integers(0, 5), st.none()),
    st.tuples(st.just("merge"), st.just(0), st.none()),
)


@given(st.lists(_ACTS, min_size=3, max_size=25))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_happens_one_has_the_turn_and_all_begin_in_the_end(
    pool: Pool, acts: list[tuple[str, str | int, Overlap | None]]
) -> None:
    lines = await Lines.open(pool)
    driven: list[Run] = []
    expected: list[UUID] = []
    for act, what, overlap in acts:
        if act == "make":
            assert isinstance(what, str)
            assert overlap is not None
            await lines.made(made := lines.new(what, overlap))
            expected.append(made.id)
        elif act == "drive":
            for entry in await lines.take():
                driven += await lines.claim(entry)
        elif act in {"end", "fail"} and driven:
            run = driven.pop(int(what) % len(driven))
            await lines.end(run, RunState.DONE if act == "end" else RunState.FAILED)
        elif act in {"cancel", "retry"} and expected:
            run_id = expected[int(what) % len(expected)]
            async with acquire(pool) as connection, connection.transaction():
                if act == "cancel":
                    await cancel(connection, lines.workspace_id, [run_id], reason="by hand")
                else:
                    await requeue(connection, lines.workspace_id, run_id)
        elif act == "look":
            await begin_missed(pool, None)
        elif act == "merge":
            async with acquire(pool) as connection, connection.transaction():
                await move_turns(connection, lines.workspace_id, UUID(int=2), UUID(int=1))
        await lines.check()
    for run in driven:
        await lines.end(run)
    await lines.drain()
    rows = (await lines.rows()).values()
    assert {row["state"] for row in rows} <= {"done", "failed", "cancelled"}
    assert all(row["started_at"] is not None for row in rows if row["state"] != "cancelled")
