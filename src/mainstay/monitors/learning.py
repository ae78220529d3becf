"""A source's rhythm, learned from its past. Pure, and apart, as only whoever learns needs numpy, which is slow to load.

A day on which hardly any lead came, as of a holiday or an outage, teaches nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from mainstay.monitors.rhythm import DAYS, Holiday, Rhythm, no_holiday

LEAST_DAYS = 14
LEAST_LEADS = 20
_HALF_LIFE_DAYS = 21.0
_HARDLY_ANY = 0.2
"""A day with less than this share of what its weekday brings teaches nothing."""
_MOST_SPREAD = 50.0


def learn(
    by_hour: Sequence[Sequence[int]] | NDArray[np.int64], first: date, is_holiday: Holiday = no_holiday
) -> Rhythm | None:
    """Learn a rhythm from the leads of whole days.

    Args:
        by_hour: leads by day (oldest first) and hour of the day on the business's clock.
        first: the first of these days.
        is_holiday: says of a day whether it is one.

    Returns:
        None where there is too little to learn from: less than two weeks, or than twenty leads.
    """
    first += timedelta(days=max(0, len(by_hour) - DAYS))
    counts = np.asarray(by_hour[-DAYS:], dtype=np.int64)
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
    return Rhythm(tuple(map(tuple, rates.tolist())), _spread(totals, rates.sum(axis=1)[weekdays], weights))


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
    own = np.divide(
        smooth, smooth.sum(axis=1, keepdims=True), out=shape.copy(), where=smooth.sum(axis=1, keepdims=True) > 0
    )
    share = (by_weekday.sum(axis=1) / (by_weekday.sum(axis=1) + 200.0))[:, None]
    rates: NDArray[np.float64] = level[:, None] * (share * own + (1 - share) * shape)
    return rates


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
    return min(1 / max(float(variance), 1 / _MOST_SPREAD), _MOST_SPREAD)
