"""What is learned of a source, over histories that are generated: growth, holidays, outages, clocks put forward."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.monitors.expecting import Hour, SourceRule, learned
from mainstay.monitors.learning import learn
from mainstay.monitors.rhythm import DAYS, Rhythm, at_most, silence

MONDAY = date(2025, 1, 6)
BY_HOUR = np.array([0.0] * 8 + [1, 2, 3, 3, 2, 2, 2, 2, 2, 1] + [0.0] * 6) / 20


def weeks(a_day: float, *, growth: float = 0.0, skipped: tuple[int, ...] = (), seed: int = 1) -> np.ndarray:
    """Leads of ten weeks by day and hour: few at weekends, none on the days that are skipped."""
    rng = np.random.default_rng(seed)
    level = np.array([a_day * (1 + growth) ** day * (0.1 if day % 7 >= 5 else 1.0) for day in range(DAYS)])
    level[list(skipped)] = 0
    return rng.poisson(level[:, None] * BY_HOUR)


def at(days: int, hour: float) -> datetime:
    return datetime.combine(MONDAY + timedelta(days=days), time()) + timedelta(hours=hour)


def found(rhythm: Rhythm, last: datetime, now: datetime, holiday: Callable[[date], bool] = lambda _: False) -> bool:
    return silence(rhythm, last, now, lambda _: 10**6, holiday) is not None


@pytest.mark.parametrize(
    ("counts", "is_known"),
    [
        (weeks(20), True),
        (weeks(20)[:13], False),
        (weeks(20)[:21], True),
        (weeks(0.1), False),
        (np.zeros((DAYS, 24), dtype=np.int64), False),
        (np.zeros((0, 24), dtype=np.int64), False),
    ],
)
def test_a_rhythm_needs_two_weeks_and_twenty_leads(counts: np.ndarray, is_known: bool) -> None:
    assert (learn(counts, MONDAY) is not None) is is_known


def test_a_stop_is_found_within_a_day_and_no_night_weekend_or_holiday_is_one() -> None:
    rhythm = learn(weeks(20), MONDAY)
    assert rhythm is not None
    assert 17 / 1.4 < rhythm.a_day < 23 / 1.2
    monday = 7 * 11
    assert not found(rhythm, at(monday - 3, 17.5), at(monday, 8.5)), "from Friday's close to Monday morning"
    assert not found(rhythm, at(monday, 10), at(monday, 12)), "two hours may pass"
    assert found(rhythm, at(monday, 9), at(monday, 17)), "a whole day may not"
    assert not found(rhythm, at(monday, 17), at(monday + 1, 17), {MONDAY + timedelta(monday + 1)}.__contains__)
    silent_from = rhythm.silent_from(at(monday, 9))
    assert silent_from is not None
    assert not found(rhythm, at(monday, 9), silent_from - timedelta(hours=1))
    assert found(rhythm, at(monday, 9), silent_from)


def test_what_was_an_outage_is_not_taken_for_usual_and_growth_is_followed() -> None:
    usual, hurt = learn(weeks(20), MONDAY), learn(weeks(20, skipped=(45, 46, 51, 52, 53, 58, 60)), MONDAY)
    assert usual is not None
    assert hurt is not None
    assert abs(hurt.a_day / usual.a_day - 1) < 0.12
    grown = learn(weeks(10, growth=0.01), MONDAY)
    assert grown is not None
    assert grown.a_day > 1.1 * float(weeks(10, growth=0.01).sum()) / DAYS


def test_fewer_than_usual_is_found_and_not_before_a_source_that_spoke_again_had_its_time() -> None:
    rhythm = learn(weeks(40), MONDAY)
    assert rhythm is not None
    now = at(7 * 11 + 4, 18)
    few = silence(rhythm, now, now, lambda _: 12)
    assert few is not None
    assert (few.is_total, few.seen) == (False, 12)
    assert silence(rhythm, now, now, lambda since: round(rhythm.expected(since, now))) is None
    assert silence(rhythm, now, now, lambda _: 12, heard_from=now - timedelta(hours=20)) is None


@given(st.integers(0, 60), st.floats(0.01, 200), st.floats(0.3, 50))
def test_a_probability_is_one_and_grows_with_what_came(seen: int, expected: float, spread: float) -> None:
    chance = at_most(seen, expected, spread)
    assert 0 <= chance <= 1
    assert chance <= at_most(seen + 1, expected, spread) + 1e-12
    assert at_most(seen, expected * 1.5, spread) <= chance + 1e-12


@given(st.integers(0, 13), st.floats(0, 24), st.floats(0, 200))
def test_what_is_expected_adds_up(day: int, hour: float, length: float) -> None:
    rhythm = Rhythm(tuple(tuple(float(d + h % 5) for h in range(24)) for d in range(7)), 5.0)
    since = at(day, hour)
    until = since + timedelta(hours=length)
    middle = since + timedelta(hours=length / 3)
    parts = rhythm.expected(since, middle) + rhythm.expected(middle, until)
    assert rhythm.expected(since, until) == pytest.approx(parts, abs=0.02)
    assert rhythm.surprise(since, middle) <= rhythm.surprise(since, until) + 1e-9


def test_a_clock_put_forward_and_back_leaves_the_rhythm_as_it_was() -> None:
    """Nine in the morning stays nine: hours are those on the business's clock, on both sides of the change."""
    zone = ZoneInfo("America/Chicago")
    for today in (date(2025, 4, 14), date(2025, 11, 24)):
        days = [today - timedelta(days=back) for back in range(1, DAYS + 2)]
        moments = [datetime.combine(day, time(9, 30), zone).astimezone(UTC) for day in days if day.weekday() < 5]
        hours = [Hour(each.replace(minute=0), 5, each) for each in sorted(moments)]
        rhythm = learned(SourceRule("website", None, zone), hours, today)
        assert rhythm is not None
        tuesday = rhythm.rates[1]
        assert max(range(24), key=lambda hour: tuesday[hour]) == 9
        assert sum(tuesday[7:12]) == pytest.approx(sum(tuesday), rel=0.01)
