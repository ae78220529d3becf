"""When a failed call is tried again: exponential, full jitter, the vendor's own word first. Pure."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from mainstay.model import Retry


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """From ``first`` up to ``longest`` between two tries; after ``give_up`` since the first try a human is told."""

    first: timedelta = timedelta(seconds=1)
    longest: timedelta = timedelta(hours=1)
    give_up: timedelta = timedelta(hours=24)


DEFAULT_POLICY = RetryPolicy()


def policy_of(levels: Sequence[Retry]) -> RetryPolicy:
    """Return what stands where several levels speak, the narrowest first: each length from the first that says it."""
    longest = _first(DEFAULT_POLICY.longest, *(level.longest for level in levels))
    return RetryPolicy(
        first=min(_first(DEFAULT_POLICY.first, *(level.first for level in levels)), longest),
        longest=longest,
        give_up=_first(DEFAULT_POLICY.give_up, *(level.give_up for level in levels)),
    )


def _first(default: timedelta, *said: timedelta | None) -> timedelta:
    return next((length for length in said if length is not None), default)


def next_delay(
    policy: RetryPolicy, *, number: int, elapsed: timedelta, retry_after: float | None, rng: random.Random
) -> timedelta | None:
    """Return how long to wait after try ``number`` (from 1), or None to give up.

    The ceiling doubles with each try; the wait is drawn evenly below it, but never under half of ``policy.first``; the
    last try is at ``policy.give_up``. The vendor's ``retry_after`` (seconds) is a floor, spread by up to a tenth so
    that not all come back at once; a last try waits for it too.
    """
    if elapsed >= policy.give_up:
        return None
    ceiling = min(policy.longest.total_seconds(), policy.first.total_seconds() * 2 ** min(number - 1, 30))
    floor = policy.first.total_seconds() / 2
    left = (policy.give_up - elapsed).total_seconds()
    delay = max(floor, min(rng.uniform(0, ceiling), left))
    if retry_after is not None:
        delay = max(delay, retry_after * rng.uniform(1.0, 1.1))
    return timedelta(seconds=delay)
