from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from mainstay.monitors.calendars import DaysOff
from mainstay.settings.hours import check_weekly, read_hours

CHICAGO = ZoneInfo("America/Chicago")


@pytest.mark.parametrize(
    ("text", "local", "is_open"),
    [
        ("Mon-Fri 08:00-18:00", "2025-06-02T08:00", True),  # a Monday
        ("Mon-Fri 08:00-18:00", "2025-06-02T07:59", False),
        ("Mon-Fri 08:00-18:00", "2025-06-06T17:59", True),
        ("Mon-Fri 08:00-18:00", "2025-06-06T18:00", False),
        ("Mon-Fri 08:00-18:00", "2025-06-07T12:00", False),
        ("Mon - Fri 8:00 – 18:00, saturday 09:00-13:00", "2025-06-07T12:00", True),  # noqa: RUF001 as people type it
        ("Tue 08:00-12:00 13:00-17:00", "2025-06-03T12:30", False),
        ("Tue 08:00-12:00 13:00-17:00", "2025-06-03T13:30", True),
        ("Fri 22:00-02:00", "2025-06-07T01:59", True),
        ("Fri 22:00-02:00", "2025-06-07T02:00", False),
        ("Fri 22:00-02:00", "2025-06-06T01:00", False),
        ("Sun 22:00-02:00", "2025-06-02T01:00", True),
        ("Sat-Mon 10:00-11:00", "2025-06-01T10:30", True),
        ("Sat-Mon 10:00-11:00", "2025-06-03T10:30", False),
        ("Mon-Sun 00:00-24:00", "2025-06-03T23:59", True),
        ("Mon 00:00-24:00", "2025-06-03T00:00", False),
    ],
)
def test_open_or_not(text: str, local: str, *, is_open: bool) -> None:
    moment = datetime.fromisoformat(local).replace(tzinfo=CHICAGO)
    assert read_hours(text, CHICAGO).is_open(moment) is is_open
    assert read_hours(text, CHICAGO).is_open(moment.astimezone(UTC)) is is_open


def test_the_clock_on_the_wall_counts_over_a_change_to_summer_time() -> None:
    hours = read_hours("Sun 08:00-18:00", CHICAGO)
    assert hours.is_open(datetime(2025, 3, 9, 13, 0, tzinfo=UTC))  # 08:00, from that day on UTC-5
    assert not hours.is_open(datetime(2025, 3, 2, 13, 0, tzinfo=UTC))  # 07:00, the week before at UTC-6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("always", '"always" is no day with times; write hours like "Mon-Fri 08:00-18:00, Sat 09:00-13:00"'),
        ("Mon-Fri", '"Mon-Fri" is no day with times; write hours like "Mon-Fri 08:00-18:00, Sat 09:00-13:00"'),
        ("Mon 08:00-18:00,", '"" is no day with times; write hours like "Mon-Fri 08:00-18:00, Sat 09:00-13:00"'),
        ("Mo 08:00-18:00", '"Mo" is no weekday; write Mon, Tue, Wed, Thu, Fri, Sat or Sun'),
        ("Mon 8-18", '"8-18" is no span of time; write it by the 24-hour clock, like 08:00-18:00'),
        ("Mon 08:00-25:00", '"08:00-25:00" holds no time of day; write it by the 24-hour clock, from 00:00 to 24:00'),
        ("Mon 08:60-09:00", '"08:60-09:00" holds no time of day; write it by the 24-hour clock, from 00:00 to 24:00'),
        ("Mon 08:00-08:00", '"08:00-08:00" is an empty span; for the whole day write 00:00-24:00'),
    ],
)
def test_what_cannot_be_read_is_named(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        read_hours(text, CHICAGO)
    assert str(caught.value) == message


def test_a_weekly_time_is_a_day_and_a_time() -> None:
    check_weekly("Mon 08:00")
    with pytest.raises(ValueError, match='"08:00 Mon" is no weekly time; write a day and a time, like "Mon 08:00"'):
        check_weekly("08:00 Mon")


@pytest.mark.parametrize(
    ("text", "local", "opens"),
    [
        ("Mon-Fri 08:00-18:00", "2025-06-02T07:59", "2025-06-02T08:00-05:00"),
        ("Mon-Fri 08:00-18:00", "2025-06-02T12:34", "2025-06-02T12:34-05:00"),  # open
        ("Mon-Fri 08:00-18:00", "2025-06-06T18:00", "2025-06-09T08:00-05:00"),
        ("Tue 08:00-12:00 13:00-17:00", "2025-06-03T12:30", "2025-06-03T13:00-05:00"),
        ("Tue 08:00-12:00", "2025-06-03T12:00", "2025-06-10T08:00-05:00"),
        ("Sun 22:00-02:00", "2025-06-02T01:59", "2025-06-02T01:59-05:00"),
        ("Sun 22:00-02:00", "2025-06-02T02:00", "2025-06-08T22:00-05:00"),
        # 02:00 to 03:00 does not come on 9 March 2025 in Chicago.
        ("Sun 02:30-10:00", "2025-03-09T00:00", "2025-03-09T03:00-05:00"),
        ("Sun 02:00-02:30", "2025-03-09T00:00", "2025-03-16T02:00-05:00"),
        ("Mon-Sun 08:00-18:00", "2025-03-08T20:00", "2025-03-09T08:00-05:00"),
        # 01:00 to 02:00 comes twice on 2 November 2025.
        ("Sun 01:30-01:45", "2025-11-02T00:00", "2025-11-02T01:30-05:00"),
        ("Sun 01:30-01:45", "2025-11-02T01:50", "2025-11-02T01:30-06:00"),
        ("Sat 09:00-13:00", "2028-02-27T09:00", "2028-03-04T09:00-06:00"),  # over a leap day
    ],
)
def test_the_next_opening_is_found(text: str, local: str, opens: str) -> None:
    hours = read_hours(text, CHICAGO)
    found = hours.next_open(datetime.fromisoformat(local).replace(tzinfo=CHICAGO))
    assert found == datetime.fromisoformat(opens)
    assert hours.is_open(found)


def test_a_day_off_is_closed_whatever_the_weekday() -> None:
    days_off = DaysOff("US-TX", ((date(2026, 12, 24), date(2026, 12, 24)), (date(2026, 12, 27), date(2027, 1, 2))))
    hours = read_hours("Mon-Fri 08:00-18:00, Tue 22:00-02:00", CHICAGO, days_off.includes)
    thursday = datetime(2026, 12, 24, 12, 0, tzinfo=CHICAGO)
    assert not hours.is_open(thursday)
    assert hours.is_open(thursday - timedelta(days=1))
    # Christmas is a holiday, the weekend is closed, and the week after is named.
    assert hours.next_open(thursday) == datetime(2027, 1, 4, 8, 0, tzinfo=CHICAGO)
    worked = hours.after(datetime(2026, 12, 23, 17, 0, tzinfo=CHICAGO), timedelta(hours=3))
    assert worked == datetime(2027, 1, 4, 10, 0, tzinfo=CHICAGO)
    # A shift that began the day before goes on: Texas is closed on 2 March, a Monday, and on no Tuesday after.
    assert not hours.is_open(datetime(2026, 3, 2, 9, 0, tzinfo=CHICAGO))
    wednesday_off = read_hours("Tue 22:00-02:00, Wed 22:00-02:00", CHICAGO, date(2026, 3, 4).__eq__)
    assert wednesday_off.is_open(datetime(2026, 3, 4, 1, 0, tzinfo=CHICAGO))
    assert not wednesday_off.is_open(datetime(2026, 3, 5, 1, 0, tzinfo=CHICAGO))


def test_days_off_that_leave_no_day_open_keep_nothing_waiting_for_ever() -> None:
    hours = read_hours("Mon 08:00-18:00", CHICAGO, lambda _day: True)
    assert hours.after(datetime(2026, 3, 1, tzinfo=CHICAGO), timedelta(hours=15)) > datetime(2026, 3, 2, tzinfo=CHICAGO)
