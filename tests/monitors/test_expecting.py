from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.monitors.calendars import DaysOff
from mainstay.monitors.expecting import (
    Hour,
    SourceRule,
    Watched,
    from_facts,
    judge,
    read_expectation,
    to_facts,
)
from mainstay.monitors.rhythm import Rhythm
from mainstay.settings.hours import read_hours

ZONE = ZoneInfo("America/Chicago")
HOURS = read_hours("Mon-Fri 08:00-18:00", ZONE)
FLAT = Rhythm(((1.0,) * 24,) * 7, 8.0)


def local(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment of June 2025 on the business's clock; the 2nd is a Monday."""
    return datetime(2025, 6, day, hour, minute, tzinfo=ZONE)


def hour_of(*moments: datetime) -> list[Hour]:
    return [Hour(each.astimezone(UTC).replace(minute=0), 1, each) for each in moments]


@pytest.mark.parametrize(
    ("text", "count", "length", "is_open_time"),
    [
        ("at least 1 in 4 business hours", 1, timedelta(hours=4), True),
        ("1 in 4 business hours", 1, timedelta(hours=4), True),
        ("20 in 1 day", 20, timedelta(days=1), False),
        ("5 in a week", 5, timedelta(weeks=1), False),
        ("At Least  3 in 90 minutes", 3, timedelta(minutes=90), False),
        ("1 in hour", 1, timedelta(hours=1), False),
    ],
)
def test_an_expectation_is_read(text: str, count: int, length: timedelta, is_open_time: bool) -> None:
    found = read_expectation(text, HOURS)
    assert (found.count, found.length, found.hours is not None) == (count, length, is_open_time)


@pytest.mark.parametrize(
    "text",
    [
        "often",
        "1 per day",
        "0 in 1 day",
        "1 in 1 minute",
        "1 in 90 days",
        "1 in 2 business days",
        "1 in 900 business hours",
    ],
)
def test_what_is_no_expectation_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"write|expect|from 15"):
        read_expectation(text, HOURS)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    with suppress(ValueError):
        assert read_expectation(text, None).count


def test_what_is_declared_counts_open_time_alone_and_heals_by_a_lead() -> None:
    rule = SourceRule("website", read_expectation("1 in 4 business hours", HOURS), ZONE)
    friday = local(6, 16)
    up = judge(rule, Watched(), hour_of(friday), friday).watched
    assert (up.state, up.expected_at) == ("up", local(9, 10).astimezone(UTC))
    assert judge(rule, up, hour_of(friday), local(9, 9, 59)).trouble is None
    found = judge(rule, up, hour_of(friday), local(9, 10))
    assert found.trouble is not None
    assert found.trouble.title == "website brings no lead"
    assert "Fri 06 Jun 16:00" in found.trouble.cause
    again = judge(rule, found.watched, hour_of(friday), local(9, 12))
    assert (again.trouble, again.watched.state) == (None, "down"), "told once"
    back = judge(rule, again.watched, hour_of(friday, local(9, 12, 30)), local(9, 12, 31))
    assert (back.is_recovered, back.watched.state) == (True, "up")
    assert back.watched.expected_at == local(9, 16, 30).astimezone(UTC)


def test_several_are_expected_and_a_new_source_has_its_whole_time() -> None:
    rule = SourceRule("ads", read_expectation("3 in 6 hours", None), ZONE)
    new = judge(rule, Watched(), [], local(3, 9)).watched
    assert new.expected_at == local(3, 15)
    hours = hour_of(local(3, 10), local(3, 12), local(3, 14))
    assert judge(rule, new, hours, local(3, 15)).watched.expected_at == local(3, 16)
    late = judge(rule, new, hours, local(3, 16))
    assert late.trouble is not None
    assert "too few" in late.trouble.title


def test_what_is_learned_is_told_once_and_a_lead_heals_it_for_good() -> None:
    rule = SourceRule("website", None, ZONE)
    before = Watched(state="up", since=local(2, 0), look_at=local(5, 12), rhythm=FLAT, learned_on=date(2025, 6, 5))
    often = hour_of(*(local(day, hour) for day in (2, 3, 4) for hour in range(24)))
    assert judge(rule, before, often, local(5, 1)).trouble is None
    first = judge(rule, before, often, local(5, 18))
    assert first.trouble is not None
    assert first.watched.is_total
    back = judge(rule, first.watched, [*often, *hour_of(local(5, 20))], local(5, 20, 1))
    assert back.is_recovered
    assert back.trouble is None, "the day was poor, as the silence was told of already"
    later = judge(rule, back.watched, [*often, *hour_of(local(5, 20))], local(6, 18))
    assert later.trouble is not None, "silent anew"


def test_half_of_it_is_found_and_is_usual_again_after_a_usual_day() -> None:
    rule = SourceRule("website", None, ZONE)
    rhythm = Rhythm(((4.0,) * 24,) * 7, 12.0)
    before = Watched(state="up", since=local(2, 0), rhythm=rhythm, learned_on=date(2025, 6, 12))
    few = [Hour(local(day, hour), 1, local(day, hour)) for day in range(3, 13) for hour in range(24)]
    found = judge(rule, before, few, local(12, 23, 30))
    assert found.trouble is not None
    assert (found.watched.is_total, found.trouble.title) == (False, "website brings fewer leads than usual")
    more = [*few, *(Hour(local(13, hour), 4, local(13, hour)) for hour in range(24))]
    so_far = [each for each in more if each.at <= local(13, 4)]
    assert not judge(rule, found.watched, so_far, local(13, 4)).is_recovered
    assert judge(rule, found.watched, more, local(13, 23, 30)).is_recovered


def test_what_is_kept_is_read_again_and_days_off_are_those_that_are_said() -> None:
    full = Watched(since=local(2, 9), down_at=local(3, 9), is_total=False, rhythm=FLAT, learned_on=date(2025, 6, 3))
    assert from_facts(to_facts(full)) == full
    assert from_facts({}) == Watched()
    assert replace(full, rhythm=None) == from_facts(to_facts(replace(full, rhythm=None)))
    days_off = DaysOff("US", ((date(2026, 12, 27), date(2027, 1, 2)),))
    closed = [date(2026, 11, 26), date(2026, 12, 25), *(date(2026, 12, day) for day in range(27, 32))]
    assert days_off.coming(date(2026, 11, 15), 7) == closed
    assert not DaysOff().coming(date(2026, 11, 15), 1)
