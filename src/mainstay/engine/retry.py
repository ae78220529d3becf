"""When a failed call is tried again: exponential, full jitter, the vendor's own word first. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """From ``first`` up to ``longest`` between two tries; after ``give_up`` since the first try a human is told."""

    first: timedelta = timedelta(seconds=1)
    longest: timedelta = timedelta(hours=1)
    give_up: timedelta = timedelta(hours=24)


DEFAULT_POLICY = RetryPolicy()


def next_delay(
    policy: RetryPolicy, *, number: int, elapsed: timedelta, retry_after: float | None, rng: random.Random
) -> timedelta | None:
    """Return how long to wait after try ``number`` (from 1), or None to give up.

    The ceiling doubles with each try; the wait is drawn evenly below it, but never under half of ``policy.first``.
    The vendor's ``retry_after`` (seconds) is a floor, spread by up to a tenth so that not all come back at once.
    """
    if elapsed >= policy.give_up:
        return None
    ceiling = min(policy.longest.total_seconds(), policy.first.total_seconds() * 2 ** min(number - 1, 30))
    floor = policy.first.total_seconds() / 2
    delay = max(floor, rng.uniform(0, ceiling))
    if retry_after is not None:
        delay = max(delay, retry_after * rng.uniform(1.0, 1.1))
    return timedelta(seconds=delay)
