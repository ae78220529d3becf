"""Calls of unknown outcome: what is doubted, who is asked, and what the ledger says of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal

import pytest

from mainstay.engine.guard import Doubt, Terms, doubt_about
from mainstay.engine.history import Parked
from mainstay.engine.retry import policy_of
from mainstay.errors import NeedsHumanError, PermanentError, TransientError, UnsureError, VendorError
from mainstay.model import Attempt, AttemptState, Guard, Promise, Retry
from tests.engine.test_steps import NOW, RUN, Ledger, fails, gives, never

LOST = TransientError("no answer within 20 s", unsure=True)
AWAY = TransientError("503: away", status=503)
MINUTE = timedelta(minutes=1)


def attempt(number: int, fate: str = "", guard: str = "", *, ms: int = 1000) -> Attempt:
    started = NOW + number * MINUTE
    return Attempt(RUN.id, 1, "chat.post", number, AttemptState.RETRY, started, ms, fate=fate, guard=guard)


def at(number: int, ms: int = 0) -> datetime:
    return NOW + number * MINUTE + timedelta(milliseconds=ms)


UNSURE, CLEAN = "unsure", "transient"
ASKED = ("asked", Guard.ASKED)
ORDERED = ("asked", Guard.ORDERED)


@pytest.mark.parametrize(
    ("recorded", "cut_off", "doubted"),
    [
        ([], None, None),
        ([(CLEAN, "")], None, None),
        ([(UNSURE, "")], None, Doubt(at(1), at(1, 1000))),
        ([(UNSURE, ""), (CLEAN, Guard.NOT_FOUND)], None, Doubt(at(1), at(1, 1000))),
        ([(CLEAN, ""), (UNSURE, ""), (UNSURE, Guard.NOT_FOUND)], None, Doubt(at(2), at(3, 1000))),
        ([], at(0), Doubt(at(0), at(9))),
        ([(UNSURE, "")], at(1), Doubt(at(1), at(9))),
        ([ASKED], None, Doubt(at(1), at(1, 1000))),
        ([ORDERED], None, Doubt(at(1), at(1, 1000), is_answered=True)),
        ([(UNSURE, ""), ORDERED], None, Doubt(at(2), at(2, 1000), is_answered=True)),
        ([ORDERED, (CLEAN, Guard.ORDERED)], None, Doubt(at(1), at(1, 1000), is_answered=True)),
        ([ORDERED, (UNSURE, Guard.ORDERED)], None, Doubt(at(2), at(2, 1000))),
    ],
)
def test_what_is_doubted(recorded: Sequence[tuple[str, str]], cut_off: datetime | None, doubted: Doubt | None) -> None:
    attempts = [attempt(number, fate, guard) for number, (fate, guard) in enumerate(recorded, 1)]
    assert doubt_about(attempts, cut_off, at(9)) == doubted


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def set_terms(
    ledger: Ledger, promise: Promise, on_unsure: Literal["repeat", "ask"] = "repeat", *, lookup_after: float = 10
) -> None:
    ledger.terms["chat.post"] = Terms(
        promise=promise, on_unsure=on_unsure, lookup_after=timedelta(seconds=lookup_after)
    )


async def post(ledger: Ledger, call: Any, find: Any = None, *, taken_over: bool = False) -> Any:
    """Drive the step once more; returns what it gave, or the error or park that it ended with."""
    steps = ledger.runner(taken_over=taken_over)
    try:
        return await steps.step("chat.post", call, connection="slack", find=find)
    except (VendorError, Parked) as ended:
        return ended
    finally:
        ledger.keep(steps)


async def lose(ledger: Ledger) -> None:
    """Make a first try of unknown outcome, and let its next time come."""
    assert isinstance(await post(ledger, fails(LOST), never), Parked)
    ledger.now += timedelta(hours=1)


def guards(ledger: Ledger) -> list[tuple[str, str, bool]]:
    return [(one.state.value, one.guard, one.repeated) for one in ledger.attempts]


@pytest.mark.parametrize("promise", [Promise.KEY, Promise.STATE])
async def test_where_a_repeat_is_harmless_it_is_made_and_said_why(ledger: Ledger, promise: Promise) -> None:
    set_terms(ledger, promise, "ask")
    await lose(ledger)
    assert await post(ledger, gives(1), never) == 1
    assert guards(ledger) == [("retry", "", False), ("ok", promise.value, False)]


async def test_what_the_vendor_has_is_not_done_again(ledger: Ledger) -> None:
    set_terms(ledger, Promise.LOOKUP)
    await lose(ledger)
    assert await post(ledger, never, gives({"id": "7"})) == {"id": "7"}
    assert guards(ledger) == [("retry", "", False), ("ok", "found", False)]
    assert await post(ledger, never, never) == {"id": "7"}


async def test_what_the_vendor_does_not_have_is_done(ledger: Ledger) -> None:
    set_terms(ledger, Promise.LOOKUP)
    await lose(ledger)
    assert await post(ledger, gives({"id": "8"}), gives(None)) == {"id": "8"}
    assert guards(ledger)[-1] == ("ok", "not found", False)


async def test_each_repeat_of_unknown_outcome_is_looked_for_anew(ledger: Ledger) -> None:
    set_terms(ledger, Promise.LOOKUP, "ask")
    await lose(ledger)
    assert isinstance(await post(ledger, fails(LOST), gives(None)), Parked)
    ledger.now += timedelta(hours=1)
    assert await post(ledger, never, gives({"id": "9"})) == {"id": "9"}
    assert [guard for _, guard, _ in guards(ledger)] == ["", "not found", "found"]


async def test_the_next_try_waits_until_a_look_can_be_trusted(ledger: Ledger) -> None:
    set_terms(ledger, Promise.LOOKUP, lookup_after=30)
    parked = await post(ledger, fails(LOST), never)
    assert parked.settlement.wake_at >= NOW + timedelta(seconds=30)


async def test_a_call_cut_off_by_a_kill_is_looked_for_at_once_and_not_made_before_its_time(ledger: Ledger) -> None:
    set_terms(ledger, Promise.LOOKUP, lookup_after=30)
    parked = await post(ledger, never, gives(None), taken_over=True)
    assert parked.settlement.wake_at == NOW + timedelta(seconds=30)
    assert guards(ledger) == [("retry", "not found yet", False)]
    woken_too_early = await post(ledger, never, never)
    assert woken_too_early.settlement.wake_at == NOW + timedelta(seconds=30)
    ledger.now = NOW + timedelta(seconds=30)
    assert await post(ledger, gives(3), gives(None)) == 3
    assert guards(ledger)[-1] == ("ok", "not found", False)


async def test_a_slow_look_up_does_not_put_the_last_word_off(ledger: Ledger) -> None:
    def finds_nothing_in(seconds: float) -> Any:
        async def find(_http: Any) -> None:
            ledger.now += timedelta(seconds=seconds)

        return find

    set_terms(ledger, Promise.LOOKUP, lookup_after=5)
    parked = await post(ledger, never, finds_nothing_in(2), taken_over=True)
    assert parked.settlement.wake_at == NOW + timedelta(seconds=5)
    ledger.now = NOW + timedelta(seconds=5)
    assert await post(ledger, gives(3), finds_nothing_in(1)) == 3
    assert [guard for _, guard, _ in guards(ledger)] == ["not found yet", "not found"]


async def test_a_look_up_that_began_too_early_has_not_the_last_word(ledger: Ledger) -> None:
    async def finds_nothing(_http: Any) -> None:
        ledger.now += timedelta(seconds=7)

    set_terms(ledger, Promise.LOOKUP, lookup_after=5)
    assert isinstance(await post(ledger, never, finds_nothing, taken_over=True), Parked)
    assert await post(ledger, gives(3), gives(None)) == 3


async def test_a_call_cut_off_by_a_kill_that_is_there_is_not_made(ledger: Ledger) -> None:
    set_terms(ledger, Promise.LOOKUP, lookup_after=30)
    assert await post(ledger, never, gives({"id": "7"}), taken_over=True) == {"id": "7"}
    assert guards(ledger) == [("ok", "found", False)]


async def test_while_the_vendor_cannot_be_asked_the_doubt_stands(ledger: Ledger) -> None:
    set_terms(ledger, Promise.LOOKUP)
    assert isinstance(await post(ledger, never, fails(AWAY), taken_over=True), Parked)
    assert ledger.attempts[-1].fate == "unsure"
    assert ledger.attempts[-1].error == "could not look whether it happened: 503: away"
    ledger.now += timedelta(hours=1)
    assert await post(ledger, never, gives({"id": "7"})) == {"id": "7"}


NO_ANSWER = {
    "no look-up": None,
    "not with this connection": PermanentError("no look-up"),
    "not allowed": NeedsHumanError("missing_scope"),
}


@pytest.mark.parametrize("reason", NO_ANSWER)
async def test_what_nobody_can_tell_is_repeated_and_marked(ledger: Ledger, reason: str) -> None:
    set_terms(ledger, Promise.LOOKUP)
    await lose(ledger)
    error = NO_ANSWER[reason]
    assert await post(ledger, gives(2), error and fails(error)) == 2
    assert guards(ledger)[-1] == ("ok", "repeated", True)


async def test_or_a_person_is_asked_at_once_and_nothing_is_sent(ledger: Ledger) -> None:
    set_terms(ledger, Promise.NONE, "ask")
    asked = await post(ledger, fails(LOST))
    assert isinstance(asked, UnsureError)
    assert "no answer within 20 s; it may have happened at slack all the same" in str(asked)
    assert guards(ledger) == [("failed", "asked", False)]
    again = await post(ledger, never)
    assert (type(again), str(again)) == (UnsureError, str(asked))


@pytest.mark.parametrize("reason", NO_ANSWER)
async def test_a_person_is_asked_where_a_look_up_cannot_tell(ledger: Ledger, reason: str) -> None:
    set_terms(ledger, Promise.LOOKUP, "ask")
    error = NO_ANSWER[reason]
    assert isinstance(await post(ledger, never, error and fails(error), taken_over=True), UnsureError)
    assert guards(ledger) == [("failed", "asked", False)]


async def test_a_sure_failure_asks_nobody(ledger: Ledger) -> None:
    set_terms(ledger, Promise.NONE, "ask")
    assert isinstance(await post(ledger, fails(AWAY)), Parked)
    assert ledger.attempts[-1].fate == "transient"


def answer(ledger: Ledger, state: AttemptState, guard: Guard) -> None:
    """Do what :func:`mainstay.runs.answer` does to the attempt that asked."""
    ledger.attempts[-1] = replace(ledger.attempts[-1], state=state, guard=guard)


async def test_on_a_persons_word_it_is_called_again_and_asks_again_if_that_is_lost_too(ledger: Ledger) -> None:
    set_terms(ledger, Promise.NONE, "ask")
    await post(ledger, fails(LOST))
    answer(ledger, AttemptState.RETRY, Guard.ORDERED)
    assert isinstance(await post(ledger, fails(AWAY)), Parked)
    ledger.now += timedelta(hours=1)
    assert isinstance(await post(ledger, fails(LOST)), UnsureError)
    answer(ledger, AttemptState.RETRY, Guard.ORDERED)
    assert await post(ledger, gives(5)) == 5
    assert guards(ledger)[-1] == ("ok", "told to repeat", True)


async def test_on_a_persons_word_it_stands_as_done(ledger: Ledger) -> None:
    set_terms(ledger, Promise.NONE, "ask")
    await post(ledger, fails(LOST))
    answer(ledger, AttemptState.OK, Guard.HAPPENED)
    assert await post(ledger, never) is None


async def test_a_retry_without_an_answer_sends_nothing_and_asks_again(ledger: Ledger) -> None:
    set_terms(ledger, Promise.NONE, "ask")
    await post(ledger, fails(LOST))
    answer(ledger, AttemptState.RETRY, Guard.ASKED)
    assert isinstance(await post(ledger, never), UnsureError)


async def test_a_step_beside_one_that_parks_keeps_its_doubt(ledger: Ledger) -> None:
    """Two were under way when the worker died: the one that had not begun again yet is doubted when it does."""
    set_terms(ledger, Promise.LOOKUP, lookup_after=30)
    ledger.terms["email.send"] = Terms(promise=Promise.NONE)
    steps = ledger.runner(taken_over=True)
    parked = asyncio.Event()

    async def prepare(_step: int) -> None:
        await parked.wait()

    both = asyncio.gather(
        steps.step("email.send", never, connection="mail", prepare=prepare),
        steps.step("chat.post", never, connection="slack", find=gives(None)),
    )
    with pytest.raises(Parked):
        await both
    parked.set()
    await steps.close()
    await asyncio.sleep(0)
    ledger.keep(steps)

    ledger.now += timedelta(minutes=1)
    again = ledger.runner()
    await again.step("email.send", gives(None), connection="mail")
    ledger.keep(again)
    assert [(one.fate, one.guard, one.repeated) for one in ledger.attempts if one.name == "email.send"] == [
        ("unsure", "", False),
        ("", "repeated", True),
    ]


async def test_work_of_ones_own_is_guarded_only_where_it_says_so(ledger: Ledger) -> None:
    steps = ledger.runner(taken_over=True)
    await steps.step("charge the card", gives(None))
    assert [one.guard for one in steps.take_unwritten()] == [""]


async def test_a_look_up_is_told_how_long_ago_it_was_tried(ledger: Ledger) -> None:
    set_terms(ledger, Promise.LOOKUP)
    await lose(ledger)
    told: list[float] = []

    async def find(http: Any) -> int:
        told.append(http.tried_ago)
        return 1

    assert await post(ledger, never, find) == 1
    assert told == [3600]


async def test_a_call_given_up_in_doubt_is_the_same_error_now_and_at_its_replay(ledger: Ledger) -> None:
    ledger.terms["chat.post"] = Terms(policy=policy_of([Retry(give_up="0s")]), promise=Promise.NONE)
    first, again = await post(ledger, fails(LOST)), await post(ledger, never)
    assert (type(first), str(first)) == (type(again), str(again)) == (TransientError, str(LOST))
