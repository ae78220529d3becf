"""How often a source brings leads, learned from its past, and when its silence is no accident any more. Pure.

Leads come by the hour of the week, more or less of them from day to day. A day on which hardly any came, as of a
holiday or an outage, teaches nothing. So for any stretch of time there is a number of leads to be expected, and a
probability of so few as came: a negative binomial one, as days differ more than chance alone would let them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

DAYS = 7 * 10
"""So many days of its past a rhythm is learned from, at most."""
LEAST_DAYS = 14
LEAST_LEADS = 20
_HALF_LIFE_DAYS = 21.0
_QUARTER_DAYS = 91
_HARDLY_ANY = 0.2
"""A day with less than this share of what its weekday brings teaches nothing."""
_HOLIDAY = 6
"""A holiday is awaited to be like a Sunday."""
_FALSE_ALARMS_A_QUARTER = 0.3
"""What the thresholds aim at; the promise is one."""
_WINDOWS_DAYS = (1, 3, 7)
_MOST_SPREAD = 50.0

Holiday = Callable[[date], bool]


def no_holiday(_day: date) -> bool:
    """Say of no day that it is a holiday."""
    return False


@dataclass(frozen=True, slots=True)
class Rhythm:
    """What is to be expected of a source.

    Attributes:
        rates: leads an hour, by weekday (Monday first) and hour of the day on the business's clock.
        spread: how alike days are: a day brings its expected number times a gamma of this shape. Large for very alike.
    """

    rates: NDArray[np.float64]
    spread: float

    @property
    def a_day(self) -> float:
        """Leads on a mean day."""
        return float(self.rates.sum() / 7)

    def expected(self, since: datetime, until: datetime, is_holiday: Holiday = no_holiday) -> float:
        """Return how many leads are to be expected between two times on the business's clock (naive)."""
        total = 0.0
        while since < until:
            hour = since.replace(minute=0, second=0, microsecond=0)
            end = min(hour + timedelta(hours=1), until)
            weekday = _HOLIDAY if is_holiday(since.date()) else since.weekday()
            total += float(self.rates[weekday, since.hour]) * (end - since).total_seconds() / 3600
            since = end
        return total


@dataclass(frozen=True, slots=True)
class Silence:
    """Fewer leads than chance explains: ``seen`` of ``expected`` since ``since``; ``is_total`` when none came."""

    since: datetime
    seen: int
    expected: float
    is_total: bool


def learn(counts: NDArray[np.int64], first: date, is_holiday: Holiday = no_holiday) -> Rhythm | None:
    """Learn a rhythm from the leads of whole days.

    Args:
        counts: leads by day (oldest first) and hour of the day on the business's clock.
        first: the first of these days.
        is_holiday: says of a day whether it is one.

    Returns:
        None where there is too little to learn from: less than two weeks, or than twenty leads.
    """
    counts = counts[-DAYS:]
    first += timedelta(days=0)
    days = len(counts)
    if days < LEAST_DAYS or counts.sum() < LEAST_LEADS:
        return None
    weekdays = np.array([(first + timedelta(days=day)).weekday() for day in range(days)])
    totals = counts.sum(axis=1).astype(np.float64)
    teaches = np.array([not is_holiday(first + timedelta(days=day)) for day in range(days)])
    for weekday in range(7):
        of_weekday = (weekdays == weekday) & teaches
        if of_weekday.any():
            teaches &= ~((weekdays == weekday) & (totals < _HARDLY_ANY * np.median(totals[of_weekday])))
    weights = np.where(teaches, 0.5 ** ((days - 1 - np.arange(days)) / _HALF_LIFE_DAYS), 0.0)
    if not weights.any():
        return None
    rates = _rates(counts, weekdays, weights)
    return Rhythm(rates, _spread(totals, rates.sum(axis=1)[weekdays], weights))


def _rates(counts: NDArray[np.int64], weekdays: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each hour of the week, drawn towards that of its neighbours and of days like it."""
    by_weekday = np.zeros((7, 24))
    weight = np.zeros(7)
    for weekday in range(7):
        mine = weights * (weekdays == weekday)
        by_weekday[weekday] = mine @ counts
        weight[weekday] = mine.sum()
    kernel = np.array([0.25, 0.5, 0.25])
    padded = np.pad(by_weekday, ((0, 0), (1, 1)), mode="wrap")
    smooth = padded[:, :-2] * kernel[0] + padded[:, 1:-1] * kernel[1] + padded[:, 2:] * kernel[2]
    shape = np.zeros((7, 24))
    for group in (slice(0, 5), slice(5, 7)):
        profile = smooth[group].sum(axis=0)
        shape[group] = profile / profile.sum() if profile.sum() > 0 else 1 / 24
    level = np.divide(by_weekday.sum(axis=1), weight, out=np.zeros(7), where=weight > 0)
    # Of a weekday's own shape there is little to see in ten weeks; with more leads it counts more.
    own = np.divide(smooth, smooth.sum(axis=1, keepdims=True), out=shape.copy(), where=smooth.sum(axis=1, keepdims=True) > 0)
    share = (by_weekday.sum(axis=1) / (by_weekday.sum(axis=1) + 200.0))[:, None]
    return level[:, None] * (share * own + (1 - share) * shape)


def _spread(totals: NDArray[np.float64], expected: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Return the shape of the gamma by which days differ, from what they brought beyond chance."""
    kept = (weights > 0) & (expected > 0.5)
    if kept.sum() < LEAST_DAYS // 2:
        return 4.0
    total, mean = totals[kept], expected[kept]
    beyond = ((total - mean) ** 2 - mean).sum() / (mean**2).sum()
    # A prior of some days that differ by a third, as few weeks show little of how bad a day may be.
    share = kept.sum() / (kept.sum() + 20.0)
    variance = share * max(beyond, 0.0) + (1 - share) * (1 / 3) ** 2
    return min(1 / max(variance, 1 / _MOST_SPREAD), _MOST_SPREAD)


def at_most(seen: int, expected: float, spread: float) -> float:
    """Return the probability of at most so many where so many are expected, days of this spread differing."""
    if expected <= 0 or seen >= expected:
        return 1.0
    log_term = -spread * math.log1p(expected / spread)
    step = math.log(expected / (spread + expected))
    total = 0.0
    for count in range(seen + 1):
        total += math.exp(log_term)
        log_term += math.log((count + spread) / (count + 1)) + step
    return min(total, 1.0)


def silence(
    rhythm: Rhythm,
    last: datetime,
    now: datetime,
    seen_since: Callable[[datetime], int],
    is_holiday: Holiday = no_holiday,
) -> Silence | None:
    """Say whether a source brings fewer leads than chance explains.

    Args:
        rhythm: what is to be expected.
        last: when the last lead came, on the business's clock.
        now: the time, on the same clock.
        seen_since: gives how many leads came since a time.
        is_holiday: says of a day whether it is one.
    """
    expected = rhythm.expected(last, now, is_holiday)
    chances = max(rhythm.a_day * _QUARTER_DAYS, 1.0)
    if at_most(0, expected, rhythm.spread) < _FALSE_ALARMS_A_QUARTER / 2 / chances:
        return Silence(last, 0, expected, is_total=True)
    for days in _WINDOWS_DAYS:
        since = now - timedelta(days=days)
        expected = rhythm.expected(since, now, is_holiday)
        seen = seen_since(since)
        chance = at_most(seen, expected, rhythm.spread * days)
        if chance < _FALSE_ALARMS_A_QUARTER / 2 / len(_WINDOWS_DAYS) / _QUARTER_DAYS:
            return Silence(since, seen, expected, is_total=False)
    return None
