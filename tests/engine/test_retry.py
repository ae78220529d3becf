from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.engine.retry import DEFAULT_POLICY, RetryPolicy, next_delay, policy_of
from mainstay.model import Retry

policies = st.builds(
    RetryPolicy,
    first=st.timedeltas(timedelta(milliseconds=10), timedelta(minutes=1)),
    longest=st.timedeltas(timedelta(minutes=1), timedelta(hours=6)),
    give_up=st.timedeltas(timedelta(hours=6), timedelta(days=3)),
)
_HAIR = timedelta(microseconds=1)


@given(policies, st.integers(1, 10_000), st.integers())
def test_a_wait_lies_between_half_the_first_and_the_doubled_ceiling(
    policy: RetryPolicy, number: int, seed: int
) -> None:
    delay = next_delay(policy, number=number, elapsed=timedelta(), retry_after=None, rng=random.Random(seed))

    ceiling = min(policy.longest, policy.first * 2 ** min(number - 1, 30))
    assert delay is not None
    assert policy.first / 2 - _HAIR <= delay <= ceiling + _HAIR


@given(policies, st.integers(1, 50), st.floats(0, 86_400), st.integers())
def test_the_vendors_word_is_a_floor(policy: RetryPolicy, number: int, retry_after: float, seed: int) -> None:
    delay = next_delay(policy, number=number, elapsed=timedelta(), retry_after=retry_after, rng=random.Random(seed))

    assert delay is not None
    assert delay >= timedelta(seconds=retry_after) - _HAIR
    assert delay <= max(policy.longest, timedelta(seconds=retry_after * 1.1)) + _HAIR


@given(policies, st.integers(1, 50), st.timedeltas(timedelta(), timedelta(days=9)), st.integers())
def test_it_ends_when_the_patience_does(policy: RetryPolicy, number: int, more: timedelta, seed: int) -> None:
    rng = random.Random(seed)
    at_the_end = policy.give_up + more

    assert next_delay(policy, number=number, elapsed=at_the_end, retry_after=1.0, rng=rng) is None
    assert next_delay(policy, number=number, elapsed=policy.give_up - _HAIR, retry_after=None, rng=rng) is not None


def test_many_that_fail_together_do_not_come_back_together() -> None:
    delays = {
        next_delay(DEFAULT_POLICY, number=8, elapsed=timedelta(), retry_after=None, rng=random.Random(seed))
        for seed in range(100)
    }
    assert len(delays) > 90


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_first_tries_come_soon(number: int) -> None:
    delay = next_delay(DEFAULT_POLICY, number=number, elapsed=timedelta(), retry_after=None, rng=random.Random(1))
    assert delay is not None
    assert delay <= timedelta(seconds=4)


levels = st.lists(
    st.builds(
        Retry,
        first=st.none() | st.timedeltas(timedelta(seconds=1), timedelta(hours=2)),
        longest=st.none() | st.timedeltas(timedelta(seconds=1), timedelta(hours=2)),
        give_up=st.none() | st.timedeltas(timedelta(), timedelta(days=3)),
    ),
    max_size=5,
)


@given(levels)
def test_of_each_length_the_narrowest_level_that_says_it_stands(said: list[Retry]) -> None:
    policy = policy_of(said)

    def narrowest(name: str) -> Any:
        return next((value for one in said if (value := getattr(one, name)) is not None), getattr(DEFAULT_POLICY, name))

    assert policy.give_up == narrowest("give_up")
    assert policy.longest == narrowest("longest")
    assert policy.first == min(narrowest("first"), policy.longest)


@given(policies, st.data(), st.integers())
def test_the_last_try_is_when_the_patience_ends(policy: RetryPolicy, data: st.DataObject, seed: int) -> None:
    elapsed = data.draw(st.timedeltas(timedelta(), policy.give_up - _HAIR))

    delay = next_delay(policy, number=40, elapsed=elapsed, retry_after=None, rng=random.Random(seed))

    assert delay is not None
    assert elapsed + delay <= max(policy.give_up, elapsed + policy.first / 2) + _HAIR


@given(policies, st.integers())
def test_every_series_ends_with_a_human_told(policy: RetryPolicy, seed: int) -> None:
    rng, elapsed, tries = random.Random(seed), timedelta(), 1
    while (delay := next_delay(policy, number=tries, elapsed=elapsed, retry_after=None, rng=rng)) is not None:
        elapsed, tries = elapsed + delay, tries + 1
        if tries > 2000:
            break

    assert elapsed <= policy.give_up + policy.longest
    assert tries > 1


def test_one_try_alone() -> None:
    policy = policy_of([Retry(give_up="0s")])
    assert next_delay(policy, number=1, elapsed=timedelta(), retry_after=None, rng=random.Random(1)) is None
