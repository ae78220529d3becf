"""How often a source brings leads, and when its silence is no accident any more. Pure.

Leads come by the hour of the week, more or less of them from day to day. So for any stretch of time there is a number
of leads to be expected, and a probability of so few as came: a negative binomial one, as days differ more than chance
alone would let them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import accumulate

DAYS = 7 * 10
"""So many days of its past a rhythm is learned from, at most."""
_QUARTER_DAYS = 91
_NOTHING = (0.0,) * 25
"""What is awaited of a holiday: some bring what a Sunday does, some nothing at all."""
_FALSE_STOPS_A_QUARTER = 0.5
_FALSE_DROPS_A_QUARTER = 0.15
"""What the thresholds aim at, for silence and for fewer than usual; the promise is one in all."""
_USUAL = 0.2
_WINDOWS_DAYS = (1, 3, 7)
_FARTHEST = timedelta(days=28)
_DAY = timedelta(days=1)

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

    rates: tuple[tuple[float, ...], ...]
    spread: float
    _through: tuple[tuple[float, ...], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        through = tuple((0.0, *accumulate(of_day)) for of_day in self.rates)
        object.__setattr__(self, "_through", through)

    @property
    def a_day(self) -> float:
        """Leads on a mean day."""
        return sum(of_day[24] for of_day in self._through) / 7

    def by_day(self, since: datetime, until: datetime, is_holiday: Holiday = no_holiday) -> Iterator[float]:
        """Yield how many leads are to be expected on each day between two times on the business's clock (naive)."""
        day, first, last = since.date(), since.date(), until.date()
        while day <= last:
            through = _NOTHING if is_holiday(day) else self._through[day.weekday()]
            ends = _part(through, until) if day == last else through[24]
            yield max(0.0, ends - (_part(through, since) if day == first else 0.0))
            day += _DAY

    def expected(self, since: datetime, until: datetime, is_holiday: Holiday = no_holiday) -> float:
        """Return how many leads are to be expected between two times on the business's clock (naive)."""
        return sum(self.by_day(since, until, is_holiday))

    def surprise(self, since: datetime, until: datetime, is_holiday: Holiday = no_holiday) -> float:
        """Return how unlikely it is that none came between two times: minus the logarithm of its probability.

        Days differ from each other more than the hours of one do, so it is taken day by day.
        """
        return sum(self.spread * math.log1p(each / self.spread) for each in self.by_day(since, until, is_holiday))

    def silent_from(self, last: datetime, is_holiday: Holiday = no_holiday) -> datetime | None:
        """Return from when no lead since ``last`` is no accident any more; None for not within four weeks."""
        hour, limit = last, self.limit
        while hour < last + _FARTHEST:
            end = hour.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
            if self.surprise(last, end, is_holiday) >= limit:
                return end
            hour = end
        return None

    @property
    def limit(self) -> float:
        """Return how surprising a silence must be: with each lead there is a chance of a false alarm."""
        return math.log(max(self.a_day * _QUARTER_DAYS, 1.0) / _FALSE_STOPS_A_QUARTER)


@dataclass(frozen=True, slots=True)
class Silence:
    """Fewer leads than chance explains: ``seen`` of ``expected`` since ``since``; ``is_total`` when none came."""

    since: datetime
    seen: int
    expected: float
    is_total: bool


def _part(through: tuple[float, ...], moment: datetime) -> float:
    """Return what a day is expected to have brought by a time of it."""
    before = through[moment.hour]
    return before + (through[moment.hour + 1] - before) * (moment.minute / 60 + moment.second / 3600)


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
    *,
    heard_from: datetime | None = None,
) -> Silence | None:
    """Say whether a source brings fewer leads than chance explains.

    Args:
        rhythm: what is to be expected.
        last: when the last lead came, on the business's clock.
        now: the time, on the same clock.
        seen_since: gives how many leads came since a time.
        is_holiday: says of a day whether it is one.
        heard_from: since when the source speaks again, after a silence; what was before counts no more.
    """
    if rhythm.surprise(last, now, is_holiday) >= rhythm.limit:
        return Silence(last, 0, rhythm.expected(last, now, is_holiday), is_total=True)
    for days in _WINDOWS_DAYS:
        since = now - timedelta(days=days)
        if heard_from is not None and since < heard_from:
            break
        seen, expected = seen_since(since), rhythm.expected(since, now, is_holiday)
        if _may_be_few(seen, expected, rhythm.spread * days) and (
            at_most(seen, expected, rhythm.spread * days) < _FALSE_DROPS_A_QUARTER / len(_WINDOWS_DAYS) / _QUARTER_DAYS
        ):
            return Silence(since, seen, expected, is_total=False)
    return None


def _may_be_few(seen: int, expected: float, spread: float) -> bool:
    """Pass over the sum where it cannot be small: seldom is a number so far below its mean."""
    return seen < expected - 1.5 * math.sqrt(expected + expected**2 / spread)


def is_usual_again(
    rhythm: Rhythm, now: datetime, seen_since: Callable[[datetime], int], is_holiday: Holiday = no_holiday
) -> bool:
    """Say whether a source that brought too few has had a day like others: expected some, and got no unlikely few."""
    since = now - _DAY
    expected = rhythm.expected(since, now, is_holiday)
    return expected > 1 and at_most(seen_since(since), expected, rhythm.spread) > _USUAL
