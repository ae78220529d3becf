"""Weeks and the moment at which one is reviewed, over every zone's oddities."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.insight.weeks import Week, week_due

ZONES = st.sampled_from(
    [
        "UTC",
        "America/Chicago",
        "Europe/London",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "America/Santiago",
    ]
).map(ZoneInfo)
MOMENTS = st.integers(1_322_700_000, 1_900_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
DAYS = st.sampled_from(["Mon", "tue", "Wednesday", "Thu", "FRI", "Sat", "sun"])


@given(MOMENTS, ZONES)
def test_every_moment_lies_in_one_week(now: datetime, zone: ZoneInfo) -> None:
    week = Week.of(now, zone)
    since, until = week.bounds(zone)
    assert since <= now < until
    assert timedelta(days=5, hours=22) < until - since < timedelta(days=7, hours=2)
    assert week.after.bounds(zone)[0] == until
    assert week.after.before == week == Week.named(week.name)


@given(MOMENTS, ZONES, DAYS, st.integers(0, 23), st.integers(0, 59))
def test_what_is_due_is_a_week_that_was_over_and_stays_due_until_the_next(
    now: datetime, zone: ZoneInfo, day: str, hour: int, minute: int
) -> None:
    moment = f"{day} {hour:02}:{minute:02}"
    week, due = week_due(moment, now, zone)
    assert due <= now < due + timedelta(days=7, hours=2)
    assert week.bounds(zone)[1] <= due + timedelta(hours=1)
    assert week_due(moment, due, zone)[0] == week
    later, then = week_due(moment, now + timedelta(days=7, hours=2), zone)
    assert (later, then) >= (week.after, due)


def test_names_and_words() -> None:
    assert Week.of(datetime(2027, 1, 1, tzinfo=UTC), ZoneInfo("UTC")).name == "2026-W53"
    assert Week.named("2026-w48").words == "23 to 29 November 2026"
    assert Week.named("2026-W49").words == "30 November to 6 December 2026"


@pytest.mark.parametrize("name", ["", "2026", "2026-W54", "2025-W53", "2026-W00", "2026-48", "0000-W01", "9999-W99"])
def test_what_is_no_week_is_said(name: str) -> None:
    with pytest.raises(ValueError, match="is no week; write it like 2026-W48"):
        Week.named(name)
