"""One run's steps, without a database: what is recorded, replayed, parked."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from mainstay.engine.failure import describe_failure
from mainstay.engine.guard import Terms
from mainstay.engine.history import Parked
from mainstay.engine.steps import StepRunner
from mainstay.errors import (
    DatabaseUnavailableError,
    FencedError,
    NeedsHumanError,
    PermanentError,
    TransientError,
    VendorError,
    WorkflowError,
)
from mainstay.model import Attempt, AttemptState, Promise, Run, RunState
from mainstay.runs import Claimed, Progress

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
RUN = Run(UUID(int=1), UUID(int=2), "welcome.v1", {}, "execution")


class Ledger:
    """What a run has recorded, and the time."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []
        self.now = NOW
        self.keys: list[str] = []
        self.fault: Exception | None = None
        self.terms = {"chat.post": Terms(promise=Promise.NONE), "crm.add_tag": Terms(promise=Promise.STATE)}

    def runner(self, *, waits: dict[int, Any] | None = None, taken_over: bool = False) -> StepRunner:
        claimed = Claimed(replace(RUN, taken_over=taken_over), tuple(self.attempts), waits or {})
        return StepRunner(
            claimed,
            record=self.record,
            open_http=self.open_http,
            terms=lambda _workspace, _connection, name, _said: self.terms.get(name, Terms()),
            clock=lambda: self.now,
            rng=random.Random(1),
        )

    async def record(self, progress: Progress) -> None:
        if self.fault is not None:
            raise self.fault
        self.attempts.extend(progress.attempts)
        self.attempts.sort(key=lambda attempt: (attempt.step, attempt.number))

    def open_http(self, _workspace: UUID, _connection: str, key: str) -> Any:
        self.keys.append(key)
        return SimpleNamespace(exchanges=[])

    def keep(self, steps: StepRunner) -> None:
        """Keep what a driver would write at the run's end."""
        self.attempts.extend(steps.take_unwritten())
        self.attempts.sort(key=lambda attempt: (attempt.step, attempt.number))

    def story(self) -> list[tuple[int, int, str, str]]:
        return [(one.step, one.number, one.name, one.state.value) for one in self.attempts]


def gives(value: Any) -> Callable[[Any], Any]:
    async def call(_http: Any) -> Any:
        return value

    return call


def fails(*errors: Exception) -> Callable[[Any], Any]:
    left = list(errors)

    async def call(_http: Any) -> Any:
        raise left.pop(0)

    return call


async def never(_http: Any) -> Any:
    pytest.fail("a recorded step was run again")


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


async def test_a_recorded_step_gives_its_result_without_a_call(ledger: Ledger) -> None:
    steps = ledger.runner()
    assert await steps.step("chat.post", gives({"id": "1"})) == {"id": "1"}
    assert ledger.story() == []  # written with the next step's start, one commit instead of two
    await steps.step("chat.post", gives({"id": "2"}))
    assert ledger.story() == [(1, 1, "chat.post", "ok")]
    ledger.keep(steps)

    again = ledger.runner()
    assert [await again.step("chat.post", never), await again.step("chat.post", never)] == [{"id": "1"}, {"id": "2"}]
    assert again.is_resumed


async def test_the_idempotency_key_is_the_same_for_each_attempt_of_a_step(ledger: Ledger) -> None:
    steps = ledger.runner()
    with pytest.raises(Parked):
        await steps.step("chat.post", fails(TransientError("503", status=503)))
    ledger.keep(steps)
    ledger.now += timedelta(hours=1)
    await ledger.runner().step("chat.post", gives(None))

    assert ledger.keys == [f"{RUN.id}-1"] * 2


async def test_a_passing_failure_parks_the_run_at_the_vendors_word(ledger: Ledger) -> None:
    steps = ledger.runner()
    with pytest.raises(Parked) as caught:
        await steps.step("chat.post", fails(TransientError("429", status=429, retry_after=30.0)))

    settlement = caught.value.settlement
    assert settlement.state is RunState.WAITING
    assert settlement.wake_at is not None
    assert NOW + timedelta(seconds=30) <= settlement.wake_at <= NOW + timedelta(seconds=33)
    (attempt,) = steps.take_unwritten()
    assert (attempt.state, attempt.status, attempt.next_at) == (AttemptState.RETRY, 429, settlement.wake_at)


async def test_woken_too_early_it_parks_again_without_a_call(ledger: Ledger) -> None:
    steps = ledger.runner()
    with pytest.raises(Parked) as caught:
        await steps.step("chat.post", fails(TransientError("429", retry_after=30.0)))
    ledger.keep(steps)
    ledger.now += timedelta(seconds=5)

    with pytest.raises(Parked) as again:
        await ledger.runner().step("chat.post", never)
    assert again.value.settlement.wake_at == caught.value.settlement.wake_at


@pytest.mark.parametrize("error", [PermanentError("404", status=404), NeedsHumanError("401", status=401)])
async def test_a_failure_for_good_is_recorded_at_once_and_raised_alike_again(
    ledger: Ledger, error: VendorError
) -> None:
    steps = ledger.runner()
    with pytest.raises(type(error)):
        await steps.step("chat.post", fails(error))
    assert ledger.story() == [(1, 1, "chat.post", "failed")]
    assert steps.step_of(error) == 1

    again = ledger.runner()
    with pytest.raises(type(error)) as caught:
        await again.step("chat.post", never)
    assert (str(caught.value), caught.value.status) == (str(error), error.status)
    assert again.step_of(caught.value) == 1


async def test_the_step_behind_an_error_is_found_through_its_causes(ledger: Ledger) -> None:
    steps = ledger.runner()

    async def workflow() -> None:
        try:
            await steps.step("chat.post", fails(PermanentError("404")))
        except PermanentError as error:
            message = "no chat"
            raise RuntimeError(message) from error

    with pytest.raises(RuntimeError) as caught:
        await workflow()
    assert steps.step_of(caught.value) == 1
    assert steps.step_of(RuntimeError("another")) is None
    assert steps.step_of(None) is None


async def test_a_fault_inside_a_step_is_one_kind_of_error_now_and_at_its_replay(ledger: Ledger) -> None:
    said = []
    for call in (fails(KeyError("x")), never):
        with pytest.raises(WorkflowError) as caught:
            await ledger.runner().step("look up", call)
        said.append(str(caught.value))

    assert said[0] == said[1]
    assert said[0].startswith("KeyError: 'x' at test_steps.py:")
    assert ledger.story() == [(1, 1, "look up", "failed")]


@pytest.mark.parametrize("error", [FencedError("lost"), DatabaseUnavailableError("away")])
async def test_who_lost_the_run_makes_no_further_call_even_if_the_workflow_catches_everything(
    ledger: Ledger, error: Exception
) -> None:
    steps = ledger.runner()
    calls: list[int] = []

    async def post(_http: Any) -> None:
        calls.append(1)

    await steps.step("chat.post", post)
    ledger.fault = error
    for _ in range(3):
        with pytest.raises(type(error)):
            await steps.step("chat.post", post)

    assert calls == [1]
    assert steps.stopped is error


async def test_an_edited_workflow_is_refused_with_the_mend(ledger: Ledger) -> None:
    steps = ledger.runner()
    await steps.step("chat.post", gives(None))
    ledger.keep(steps)

    with pytest.raises(WorkflowError, match="'email.send' now, but this run recorded 'chat.post'.*a new version"):
        await ledger.runner().step("email.send", never)


class TestSideBySide:
    async def test_what_is_under_way_is_recorded_before_the_run_parks(self, ledger: Ledger) -> None:
        steps = ledger.runner()
        released = asyncio.Event()

        async def slow(_http: Any) -> str:
            await released.wait()
            return "done"

        both = asyncio.gather(steps.step("email.send", slow), steps.step("chat.post", fails(TransientError("503"))))
        with pytest.raises(Parked):
            await both
        closing = asyncio.ensure_future(steps.close())
        await asyncio.sleep(0)
        assert not closing.done()
        released.set()
        settlement = await closing
        ledger.keep(steps)

        assert settlement is not None
        assert settlement.waiting_for == "retry of chat.post"
        assert ledger.story() == [(1, 1, "email.send", "ok"), (2, 1, "chat.post", "retry")]
        ledger.now += timedelta(hours=1)
        again = ledger.runner()
        assert await again.step("email.send", never) == "done"
        assert await again.step("chat.post", gives("posted")) == "posted"

    async def test_what_has_not_begun_does_not_begin_once_the_run_is_parked(self, ledger: Ledger) -> None:
        steps = ledger.runner()
        looked_up = asyncio.Event()

        async def prepare(_step: int) -> None:
            await looked_up.wait()

        both = asyncio.gather(
            steps.step("crm.add_note", never, prepare=prepare), steps.step("chat.post", fails(TransientError("503")))
        )
        with pytest.raises(Parked):
            await both
        looked_up.set()
        await steps.close()
        await asyncio.sleep(0)

        assert ledger.keys == [f"{RUN.id}-2"]

    async def test_of_two_waits_the_earlier_counts_and_both_are_kept(self, ledger: Ledger) -> None:
        steps = ledger.runner()
        released = asyncio.Event()

        async def locked(_http: Any) -> None:
            await released.wait()
            raise TransientError("423")

        both = asyncio.gather(
            steps.step("crm.add_tag", locked),
            steps.wait_for("message.received", contact_id=None, timeout=timedelta(hours=2)),
        )
        with pytest.raises(Parked):
            await both
        released.set()
        settlement = await steps.close()

        assert settlement is not None
        assert settlement.waiting_for == "retry of crm.add_tag"
        assert settlement.wake_at is not None
        assert settlement.wake_at < NOW + timedelta(hours=2)
        assert [wait.event_type for wait in settlement.waits] == ["message.received"]

    async def test_a_step_that_is_broken_off_may_have_reached_its_vendor(self, ledger: Ledger) -> None:
        steps = ledger.runner()

        async def hang(_http: Any) -> None:
            await asyncio.Event().wait()

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await steps.step("chat.post", hang)
        ledger.keep(steps)
        again = ledger.runner()
        await again.step("chat.post", gives(None))
        ledger.keep(again)

        assert [(one.state.value, one.fate, one.repeated) for one in ledger.attempts] == [
            ("retry", "unsure", False),
            ("ok", "", True),
        ]


class TestRepeats:
    async def test_the_first_unrecorded_step_of_a_run_taken_over_may_be_a_repeat(self, ledger: Ledger) -> None:
        steps = ledger.runner()
        await steps.step("chat.post", gives(None))
        ledger.keep(steps)

        taken_over = ledger.runner(taken_over=True)
        await taken_over.step("chat.post", never)
        await taken_over.step("chat.post", gives(None))
        ledger.keep(taken_over)

        assert [one.repeated for one in ledger.attempts] == [False, True]

    async def test_a_call_without_an_answer_is_repeated_knowingly(self, ledger: Ledger) -> None:
        steps = ledger.runner()
        with pytest.raises(Parked):
            await steps.step("chat.post", fails(TransientError("no answer", unsure=True)))
        ledger.keep(steps)
        ledger.now += timedelta(hours=1)
        again = ledger.runner()
        await again.step("chat.post", gives(None))
        ledger.keep(again)

        assert [(one.fate, one.repeated) for one in ledger.attempts] == [("unsure", False), ("", True)]

    async def test_a_repeatable_step_is_never_marked(self, ledger: Ledger) -> None:
        steps = ledger.runner(taken_over=True)
        await steps.step("crm.add_tag", gives(None))
        (attempt,) = steps.take_unwritten()
        assert not attempt.repeated


class TestTime:
    async def test_a_sleep_is_reckoned_once(self, ledger: Ledger) -> None:
        def in_an_hour(now: datetime) -> datetime:
            return now + timedelta(hours=1)

        for later in (timedelta(), timedelta(minutes=30), timedelta(minutes=29)):
            ledger.now += later
            steps = ledger.runner()
            with pytest.raises(Parked) as caught:
                await steps.sleep(in_an_hour)
            ledger.keep(steps)
            assert caught.value.settlement.wake_at == NOW + timedelta(hours=1)
        ledger.now = NOW + timedelta(hours=1)
        steps = ledger.runner()
        await steps.sleep(in_an_hour)
        ledger.keep(steps)

        assert [one.state.value for one in ledger.attempts] == ["waiting", "ok"]

    async def test_a_sleep_that_is_over_parks_nothing(self, ledger: Ledger) -> None:
        steps = ledger.runner()
        await steps.sleep(lambda now: now - timedelta(seconds=1))
        assert [one.state for one in steps.take_unwritten()] == [AttemptState.OK]

    async def test_a_wait_gives_its_event_again_and_again(self, ledger: Ledger) -> None:
        steps = ledger.runner()
        with pytest.raises(Parked) as caught:
            await steps.wait_for("message.received", contact_id=UUID(int=7), timeout=timedelta(minutes=10))
        ledger.keep(steps)
        (wait,) = caught.value.settlement.waits
        assert (wait.step, wait.contact_id, wait.deadline) == (1, UUID(int=7), NOW + timedelta(minutes=10))

        woken = ledger.runner(waits={1: {"type": "message.received"}})
        event = await woken.wait_for("message.received", contact_id=UUID(int=7), timeout=timedelta(minutes=10))
        ledger.keep(woken)
        again = ledger.runner()
        assert event == {"type": "message.received"}
        assert await again.wait_for("message.received", contact_id=UUID(int=7), timeout=None) == event

    async def test_a_wait_is_none_after_its_deadline(self, ledger: Ledger) -> None:
        steps = ledger.runner()
        with pytest.raises(Parked):
            await steps.wait_for("message.received", contact_id=None, timeout=timedelta(minutes=10))
        ledger.keep(steps)
        ledger.now += timedelta(minutes=10)
        assert await ledger.runner().wait_for("message.received", contact_id=None, timeout=None) is None


def test_a_failure_says_where_in_the_users_file_it_happened() -> None:
    def own_code() -> None:
        message = "no"
        raise ValueError(message)

    with pytest.raises(ValueError, match="no") as caught:
        own_code()
    assert describe_failure(caught.value).startswith("ValueError: no at test_steps.py:")
    assert describe_failure(ValueError("never raised")) == "ValueError: never raised"
    assert describe_failure(PermanentError("404: gone")) == "404: gone"
