"""How soon a source's silence is found, and how often there is none: the learned rhythm beside a fixed threshold.

    python bench/silence.py [--sources 25] [--weeks 52]

Histories are generated: leads by hour of the week, days that differ by chance, growth, holidays, now and then a burst.
The first ten weeks are for learning; then each hour is judged as the watcher would. False alarms are counted over all
the rest, in episodes, a source and quarter; the stops and drops are put into the same histories at random business
hours. The fixed rule is "no lead in N business hours", for four hours, as people write it, and for ten. Each is judged
where the stack says its days off, and where it does not. Nothing is asserted.
"""

from __future__ import annotations

import argparse
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from statistics import median

import numpy as np
from numpy.typing import NDArray

from mainstay.monitors.calendars import DaysOff
from mainstay.monitors.learning import learn
from mainstay.monitors.rhythm import DAYS, Holiday, Rhythm, no_holiday, silence

FIRST = date(2025, 1, 6)
OPEN, CLOSE = 8, 18
DROP = 0.35
Counts = NDArray[np.int64]


def history(rng: np.random.Generator, weeks: int, a_day: float) -> tuple[Counts, set[date]]:
    """Return leads by day and hour, and the days that are holidays."""
    days = weeks * 7
    by_hour = np.exp(-((np.arange(24) - rng.uniform(11, 15)) ** 2) / rng.uniform(12, 30))
    by_hour /= by_hour.sum()
    weekend = rng.uniform(0.05, 0.5)
    growth = rng.normal(0.002, 0.004)
    shape = rng.uniform(6, 20)
    holidays = {FIRST + timedelta(days=int(day)) for day in rng.choice(days, size=weeks // 5, replace=False)}
    counts = np.zeros((days, 24), dtype=np.int64)
    for day in range(days):
        today = FIRST + timedelta(days=day)
        level = a_day * 7 / 5 * (1 + growth) ** day * rng.gamma(shape) / shape
        level *= weekend if today.weekday() >= 5 else 1.0
        level *= 0.1 if today in holidays else 1.0
        level *= rng.uniform(2, 5) if rng.random() < 0.02 else 1.0
        counts[day] = rng.poisson(level * by_hour)
    return counts, holidays


def moments(counts: Counts, rng: np.random.Generator) -> list[datetime]:
    """Return each lead's time."""
    found = []
    for day, hour in zip(*np.nonzero(counts), strict=True):
        began = datetime.combine(FIRST + timedelta(days=int(day)), time(int(hour)))
        found += [began + timedelta(minutes=float(each)) for each in rng.uniform(0, 60, counts[day, hour])]
    return sorted(found)


class Watch:
    """Judges one source, hour by hour, as time goes on."""

    def __init__(self, counts: Counts, leads: list[datetime], known: Callable[[date], bool]) -> None:
        self._counts, self._leads, self._known = counts, leads, known
        self._rhythms: dict[int, Rhythm | None] = {}

    def rhythm(self, day: int) -> Rhythm | None:
        """Return what was learned by the beginning of a day."""
        if day not in self._rhythms:
            since = max(0, day - DAYS)
            self._rhythms[day] = learn(self._counts[since:day], FIRST + timedelta(days=since), self._known)
        return self._rhythms[day]

    def learned(self, now: datetime) -> bool:
        """Judge by the rhythm."""
        rhythm = self.rhythm((now.date() - FIRST).days)
        place = self.before(now)
        if rhythm is None or place == 0:
            return False
        last = self._leads[place - 1]
        return silence(rhythm, last, now, lambda since: place - self.before(since), self._known) is not None

    def before(self, moment: datetime) -> int:
        """Return how many leads came before a time."""
        return bisect_left(self._leads, moment)


def business_hours(since: datetime, until: datetime, is_day_off: Holiday = no_holiday) -> float:
    """Return the business hours between two times."""
    total, day = 0.0, since.date()
    while day <= until.date():
        if day.weekday() < 5 and not is_day_off(day):
            begins = max(since, datetime.combine(day, time(OPEN)))
            ends = min(until, datetime.combine(day, time(CLOSE)))
            total += max(0.0, (ends - begins).total_seconds() / 3600)
        day += timedelta(days=1)
    return total


def hours_of(first: int, last: int) -> list[datetime]:
    """Return each hour of some days."""
    return [
        datetime.combine(FIRST + timedelta(days=day), time(hour)) for day in range(first, last) for hour in range(24)
    ]


def episodes(judge: Callable[[datetime], bool], hours: list[datetime]) -> int:
    """Count the alarms that begin."""
    count, is_on = 0, False
    for now in hours:
        found = judge(now)
        count += found and not is_on
        is_on = found
    return count


def found_after(judge: Callable[[datetime], bool], began: datetime, most_days: int = 28) -> float | None:
    """Return after how many business hours a trouble is found."""
    now = began
    while now < began + timedelta(days=most_days):
        now += timedelta(minutes=30)
        if judge(now):
            return business_hours(began, now)
    return None


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", type=int, default=25)
    parser.add_argument("--weeks", type=int, default=52)
    parser.add_argument("--leads", type=int, nargs="*", default=[5, 20, 100], help="leads a day, of each size")
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    for a_day in arguments.leads:
        measure(rng, a_day, arguments.sources, arguments.weeks)


def fixed_episodes(leads: list[datetime], hours: float, is_day_off: Holiday = no_holiday) -> int:
    """Count the alarms of the fixed rule: gaps of so many business hours."""
    return sum(business_hours(since, until, is_day_off) >= hours for since, until in pairwise(leads))


def fixed_after(leads: list[datetime], began: datetime, hours: float, most_days: int = 28) -> float | None:
    """Return after how many business hours the fixed rule finds a trouble."""
    place = bisect_right(leads, began)
    ends = began + timedelta(days=most_days)
    near = [*leads[max(0, place - 1) : bisect_right(leads, ends)], ends]
    for since, until in pairwise(near):
        if until > began and business_hours(since, until) >= hours:
            return max(0.0, business_hours(began, since)) + max(0.0, hours - business_hours(since, max(since, began)))
    return None


def measure(rng: np.random.Generator, a_day: float, sources: int, weeks: int) -> None:
    """Measure sources of one size."""
    days, quarters = weeks * 7, sources * (weeks * 7 - DAYS) / 91
    rules = ("learned", "fixed 4 h", "fixed 10 h")
    alarms = {f"{rule}, holidays {known}": 0 for rule in rules for known in ("known", "unknown")}
    stops: dict[str, list[float | None]] = {"learned": [], "fixed 4 h": [], "fixed 10 h": []}
    drops: dict[str, list[float | None]] = {"learned": [], "fixed 4 h": [], "fixed 10 h": []}
    for _ in range(sources):
        counts, holidays = history(rng, weeks, a_day)
        leads = moments(counts, rng)
        hours = hours_of(DAYS, days)
        days_off = DaysOff(spans=tuple((day, day) for day in sorted(holidays))).includes
        watch, unknowing = Watch(counts, leads, days_off), Watch(counts, leads, no_holiday)
        alarms["learned, holidays known"] += episodes(watch.learned, hours)
        alarms["learned, holidays unknown"] += episodes(unknowing.learned, hours)
        for limit in (4, 10):
            judged = [each for each in leads if each >= hours[0]]
            alarms[f"fixed {limit} h, holidays known"] += fixed_episodes(judged, limit, days_off)
            alarms[f"fixed {limit} h, holidays unknown"] += fixed_episodes(judged, limit)
        for _ in range(4):
            day = int(rng.integers(DAYS, days - 30))
            while (FIRST + timedelta(days=day)).weekday() >= 5 or FIRST + timedelta(days=day) in holidays:
                day += 1
            began = datetime.combine(FIRST + timedelta(days=day), time(OPEN)) + timedelta(
                hours=float(rng.uniform(0, 10))
            )
            for share, into in ((0.0, stops), (DROP, drops)):
                kept = [each for each in leads if each < began or rng.random() < share]
                thinned = counts.copy()
                thinned[day + 1 :] = rng.binomial(counts[day + 1 :], share)
                trouble = Watch(thinned, kept, days_off)
                into["learned"].append(found_after(trouble.learned, began))
                for limit in (4, 10):
                    into[f"fixed {limit} h"].append(fixed_after(kept, began, limit))
    print(f"\n{a_day} leads a day, {sources} sources, {quarters:.0f} source-quarters")
    for name, count in alarms.items():
        print(f"  {name:30} {count / quarters:6.2f} false alarms a source and quarter")
    for what, found in (("full stop", stops), (f"drop to {DROP:.0%}", drops)):
        for name, delays in found.items():
            print(f"  {what:14} {name:12} {told(delays)}")


def told(delays: list[float | None]) -> str:
    """Word delays in business hours."""
    known = sorted(each for each in delays if each is not None)
    missed = len(delays) - len(known)
    if not known:
        return f"never found in 4 weeks ({missed})"
    tail = known[int(len(known) * 0.9)] if len(known) > 1 else known[0]
    lost = f"not within 4 weeks: {missed / len(delays):.0%}"
    return f"found after {median(known):5.1f} business hours (90 %: {tail:5.1f}); {lost}"


if __name__ == "__main__":
    main()
