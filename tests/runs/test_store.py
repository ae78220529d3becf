from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from mainstay.db import Connection, Pool, acquire
from mainstay.errors import FencedError
from mainstay.model import Attempt, AttemptState, Run, RunState, new_id
from mainstay.runs import NewRun, Progress, Settlement, Wait, add_runs, claim_execution, requeue, settle, wake

NOW = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
async def workspace(pool: Pool) -> UUID:
    workspace_id = new_id()
    async with acquire(pool) as connection:
        await connection.execute("INSERT INTO workspaces (id, slug, name) VALUES ($1, 'acme', 'Acme')", workspace_id)
    return workspace_id


@pytest.fixture
async def run(pool: Pool, workspace: UUID) -> Run:
    async with acquire(pool) as connection:
        await add_runs(connection, [NewRun(new_id(), workspace, "welcome.v1", {"n": 1}, "execution")])
    (claimed,) = await claim_execution(pool, "execution")
    return claimed.run


def attempt(run: Run, step: int, number: int = 1, state: AttemptState = AttemptState.OK, **more: Any) -> Attempt:
    return Attempt(run.id, step, f"step {step}", number, state, NOW, **more)


async def recorded(pool: Pool, *news: Progress) -> list[Exception | None]:
    async with acquire(pool) as connection, connection.transaction():
        return await settle(connection, news)


async def queued(pool: Pool) -> set[str]:
    async with acquire(pool) as connection:
        rows = await connection.fetch("SELECT workflow_uuid FROM dbos.workflow_status WHERE status = 'ENQUEUED'")
    return {row["workflow_uuid"] for row in rows}


async def state_of(pool: Pool, run: Run) -> Any:
    async with acquire(pool) as connection:
        return await connection.fetchrow("SELECT * FROM runs WHERE id = $1", run.id)


async def test_whoever_claims_later_fences_off_whoever_came_before(pool: Pool, run: Run) -> None:
    (later,) = await claim_execution(pool, "execution")
    assert later.run.taken_over
    assert not run.taken_over

    (fence,) = await recorded(pool, Progress(run, (attempt(run, 1),), Settlement(RunState.DONE)))
    assert isinstance(fence, FencedError)
    assert (await state_of(pool, run))["state"] == "running"
    assert await recorded(pool, Progress(later.run, (attempt(run, 1),), Settlement(RunState.DONE))) == [None]
    assert await claim_execution(pool, "execution") == []


@pytest.mark.parametrize("is_first", [True, False])
async def test_a_claim_that_was_lost_writes_nothing_beside_the_one_that_stands(
    pool: Pool, run: Run, is_first: bool
) -> None:
    """A process that lost a run and got it back may have both in one transaction."""
    (later,) = await claim_execution(pool, "execution")
    lost, stands = Progress(run, (attempt(run, 1, error="lost"),)), Progress(later.run, (attempt(run, 2),))
    both = (lost, stands) if is_first else (stands, lost)

    outcomes = dict(zip((each.run.claim for each in both), await recorded(pool, *both), strict=True))
    assert isinstance(outcomes[run.claim], FencedError)
    assert outcomes[later.run.claim] is None
    (again,) = await claim_execution(pool, "execution")
    assert [each.step for each in again.attempts] == [2]


async def test_what_is_recorded_comes_back_as_it_was(pool: Pool, run: Run) -> None:
    kept = attempt(
        run, 1, connection="slack", exchanges=({"status": 200},), result={"id": "1"}, duration_ms=12, repeated=True
    )
    again = attempt(run, 2, state=AttemptState.RETRY, fate="unsure", error="no\0 answer", next_at=NOW, status=504)
    await recorded(pool, Progress(run, (kept, again), Settlement(RunState.WAITING, wake_at=NOW, waiting_for="retry")))
    parked = await state_of(pool, run)
    assert (parked["state"], parked["retries"], parked["claim"]) == ("waiting", 1, None)
    assert parked["execution_id"] != "execution"

    (claimed,) = await claim_execution(pool, parked["execution_id"])
    assert claimed.attempts == (kept, replace(again, error="no answer"))
    assert not claimed.run.taken_over


class TestRequeue:
    async def failed(self, pool: Pool, run: Run, failed_step: int | None, *attempts: Attempt) -> list[tuple[Any, ...]]:
        await recorded(pool, Progress(run, attempts, Settlement(RunState.FAILED, failed_step=failed_step, error="no")))
        async with acquire(pool) as connection, connection.transaction():
            assert await requeue(connection, run.workspace_id, run.id)
            assert not await requeue(connection, run.workspace_id, run.id)
            rows = await connection.fetch("SELECT step, state, fate FROM attempts ORDER BY step, number")
        return [tuple(row) for row in rows]

    async def test_the_failed_step_and_those_beside_it_are_tried_again(self, pool: Pool, run: Run) -> None:
        story = await self.failed(
            pool, run, 2,
            attempt(run, 1),
            attempt(run, 2, state=AttemptState.FAILED, fate="human", asked=3),
            attempt(run, 3, state=AttemptState.FAILED, fate="permanent", asked=3),
        )  # fmt: skip
        assert story == [(1, "ok", ""), (2, "retry", "human"), (3, "retry", "permanent")]
        assert (await state_of(pool, run))["execution_id"] in await queued(pool)

    async def test_what_was_done_about_the_failure_is_set_aside(self, pool: Pool, run: Run) -> None:
        await self.failed(
            pool, run, 1,
            attempt(run, 1, state=AttemptState.FAILED, fate="human", asked=1),
            attempt(run, 2),
            attempt(run, 3, state=AttemptState.FAILED, fate="permanent", asked=3),
        )  # fmt: skip
        (claimed,) = await claim_execution(pool, (await state_of(pool, run))["execution_id"])
        assert [one.is_set_aside for one in claimed.attempts] == [False, True, True]

    async def test_a_failure_that_was_caught_stands(self, pool: Pool, run: Run) -> None:
        caught = attempt(run, 1, state=AttemptState.FAILED, fate="human", asked=1)
        assert await self.failed(pool, run, None, caught, attempt(run, 2)) == [(1, "failed", "human"), (2, "ok", "")]

    async def test_another_workspace_cannot(self, pool: Pool, run: Run) -> None:
        await recorded(pool, Progress(run, (), Settlement(RunState.FAILED, error="no")))
        async with acquire(pool) as connection:
            assert not await requeue(connection, new_id(), run.id)


class TestWaits:
    CONTACT = UUID(int=9)

    def parks(self, run: Run, contact: UUID | None = CONTACT) -> Progress:
        wait = Wait(1, "message.received", contact, NOW + timedelta(days=1), new_id())
        waiting = attempt(run, 1, state=AttemptState.WAITING)
        return Progress(run, (waiting,), Settlement(RunState.WAITING, waiting_for="message.received", waits=(wait,)))

    async def wake(
        self, connection: Connection, run: Run, contact: UUID | None, kind: str = "message.received"
    ) -> None:
        await wake(connection, [(run.workspace_id, kind, contact, {"type": kind})])

    @pytest.mark.parametrize(
        ("waits_for", "contact", "kind", "is_woken"),
        [
            (CONTACT, CONTACT, "message.received", True),
            (None, CONTACT, "message.received", True),
            (None, None, "message.received", True),
            (CONTACT, UUID(int=8), "message.received", False),
            (CONTACT, None, "message.received", False),
            (CONTACT, CONTACT, "contact.updated", False),
        ],
    )
    async def test_an_event_wakes_whoever_waits_for_it(
        self, pool: Pool, run: Run, waits_for: UUID | None, contact: UUID | None, kind: str, is_woken: bool
    ) -> None:
        await recorded(pool, self.parks(run, waits_for))
        async with acquire(pool) as connection:
            await self.wake(connection, run, contact, kind)
        parked = await state_of(pool, run)
        assert (parked["execution_id"] in await queued(pool)) is is_woken

        (claimed,) = await claim_execution(pool, parked["execution_id"])
        assert claimed.waits == {1: {"type": kind} if is_woken else None}

    async def test_an_event_that_comes_while_the_run_is_driven_is_not_missed(self, pool: Pool, run: Run) -> None:
        await recorded(pool, self.parks(run))
        (driven,) = await claim_execution(pool, (await state_of(pool, run))["execution_id"])
        async with acquire(pool) as connection:
            await self.wake(connection, run, self.CONTACT)

        later = datetime.now(UTC) + timedelta(days=1)
        await recorded(pool, Progress(driven.run, (), Settlement(RunState.WAITING, wake_at=later)))

        parked = await state_of(pool, run)
        assert parked["execution_id"] in await queued(pool)
        (again,) = await claim_execution(pool, parked["execution_id"])
        assert again.waits == {1: {"type": "message.received"}}

        await recorded(pool, Progress(again.run, (), Settlement(RunState.WAITING, wake_at=later)))
        assert (await state_of(pool, run))["execution_id"] not in await queued(pool)  # it has seen it

    async def test_one_event_is_enough(self, pool: Pool, run: Run) -> None:
        await recorded(pool, self.parks(run))
        async with acquire(pool) as connection:
            await self.wake(connection, run, self.CONTACT)
            await self.wake(connection, run, self.CONTACT)
        assert len(await queued(pool)) == 1
