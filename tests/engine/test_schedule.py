"""When a schedule's ticks come: the clocks' changes, leap days, and what is no schedule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.engine.schedule import Schedule, Tick, run_id_of

LONDON = ZoneInfo("Europe/London")
CHICAGO = ZoneInfo("America/Chicago")


def ticks(cron: str, begin: str, count: int, zone: ZoneInfo = LONDON) -> list[str]:
    """Return ticks after a moment by a zone's clock, as that clock shows them, with their offset."""
    begun = datetime.fromisoformat(begin)
    begun = begun if begun.tzinfo else begun.replace(tzinfo=zone)
    found = islice(Schedule(cron).after(begun, zone), count)
    return [tick.astimezone(zone).strftime("%Y-%m-%dT%H:%M%z") for tick in found]


@pytest.mark.parametrize(
    ("cron", "begin", "expected"),
    [
        # Spring: 01:00 to 02:00 does not come on 29 March 2026 in London.
        ("30 1 * * *", "2026-03-28T12:00", ["2026-03-29T02:00+0100", "2026-03-30T01:30+0100"]),
        ("0 9 * * *", "2026-03-28T12:00", ["2026-03-29T09:00+0100", "2026-03-30T09:00+0100"]),
        ("*/45 * * * *", "2026-03-29T00:29", ["2026-03-29T00:45+0000", "2026-03-29T02:00+0100"]),
        ("0 * * * *", "2026-03-29T00:30", ["2026-03-29T02:00+0100", "2026-03-29T03:00+0100"]),
        # Autumn: 01:00 to 02:00 comes twice on 25 October 2026.
        ("30 1 * * *", "2026-10-24T12:00", ["2026-10-25T01:30+0100", "2026-10-26T01:30+0000"]),
        ("30 1 * * *", "2026-10-25T01:10+00:00", ["2026-10-26T01:30+0000"]),  # from within the second pass
        ("30 1 * * *", "2026-10-25T00:40+00:00", ["2026-10-26T01:30+0000"]),  # from the first pass, ten past the tick
        (
            "*/30 * * * *",
            "2026-10-25T00:30+01:00",
            ["2026-10-25T01:00+0100", "2026-10-25T01:30+0100", "2026-10-25T01:00+0000", "2026-10-25T01:30+0000"],
        ),
        # Leap days, ends of months, and the days of the week.
        ("0 12 29 2 *", "2026-01-01T00:00", ["2028-02-29T12:00+0000", "2032-02-29T12:00+0000"]),
        ("0 12 L 2 *", "2027-01-01T00:00", ["2027-02-28T12:00+0000", "2028-02-29T12:00+0000"]),
        ("0 9 * * mon", "2026-12-31T00:00", ["2027-01-04T09:00+0000", "2027-01-11T09:00+0000"]),
        ("@daily", "2028-02-28T12:00", ["2028-02-29T00:00+0000", "2028-03-01T00:00+0000"]),
        ("15 30 8 * * *", "2026-06-01T12:00", ["2026-06-02T08:30+0100"]),  # with seconds
    ],
)
def test_ticks_come_by_the_clock_on_the_wall(cron: str, begin: str, expected: list[str]) -> None:
    assert ticks(cron, begin, len(expected)) == expected


def test_the_same_expression_comes_at_other_times_elsewhere() -> None:
    assert ticks("0 9 * * *", "2026-06-01T00:00+00:00", 1, CHICAGO) == ["2026-06-01T09:00-0500"]


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2029, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - as it takes them
    st.sampled_from(["30 1 * * *", "*/7 * * * *", "0 0,1,2,3 * * *", "15 2 * * sun", "@hourly", "0 */6 * * *"]),
    st.sampled_from(["Europe/London", "America/Chicago", "Australia/Lord_Howe", "UTC", "Asia/Kathmandu"]),
)
def test_ticks_are_ahead_in_order_and_do_not_hang_on_where_one_began_to_look(
    begin: datetime, cron: str, zone: str
) -> None:
    found = list(islice(Schedule(cron).after(begin, ZoneInfo(zone)), 6))
    assert all(earlier < later for earlier, later in zip([begin, *found], found, strict=False))
    for place, tick in enumerate(found[:-1]):
        assert next(Schedule(cron).after(tick, ZoneInfo(zone))) == found[place + 1]
    assert next(Schedule(cron).after(found[0] - timedelta(seconds=1), ZoneInfo(zone))) == found[0]


@pytest.mark.parametrize(
    ("schedule", "part"),
    [
        (Schedule("every monday"), "is no cron expression"),
        (Schedule("61 * * * *"), "bad minute"),
        (Schedule("* * * *"), "wrong number of fields"),
        (Schedule("0 0 30 2 *"), "bad day-of-month"),
        (Schedule("0 9 * * *", timezone="Europe/Londn"), "is no time zone"),
        (Schedule("0 9 * * *", timezone="../etc/passwd"), "is no time zone"),
        (Schedule("0 9 * * *", catch_up="some"), 'catch_up="some" is not known'),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_schedule_is_refused_with_the_mend(schedule: Schedule, part: str) -> None:
    message, hint = schedule.problem()
    assert part in message
    assert hint


@pytest.mark.parametrize("cron", ["0 9 * * mon", "*/15 * * * *", "@daily", "@HOURLY", "0 0 L * *", "0 9 * * mon#1"])
def test_what_is_one_passes_and_is_said_in_words(cron: str) -> None:
    assert Schedule(cron).problem() == ("", "")
    assert Schedule(cron).in_words()


def test_a_ticks_run_has_one_id_sorted_by_its_time() -> None:
    workspace, moment = UUID(int=7), datetime(2026, 3, 29, 1, tzinfo=UTC)
    first = run_id_of(workspace, "digest.v1", moment)
    assert run_id_of(workspace, "digest.v1", moment.astimezone(CHICAGO)) == first
    assert first.version == 7
    assert run_id_of(workspace, "digest.v1", moment + timedelta(seconds=1)) > first
    others = {run_id_of(UUID(int=8), "digest.v1", moment), run_id_of(workspace, "digest.v2", moment)}
    assert len(others | {first}) == 3


def test_a_tick_comes_back_as_it_was_kept() -> None:
    tick = Tick(datetime(2026, 10, 25, 1, 30, tzinfo=LONDON, fold=1), datetime(2026, 10, 24, 1, 30, tzinfo=LONDON), 3)
    again = Tick.from_json(tick.to_json())
    assert (again.at.utcoffset(), again.at.isoformat()) == (tick.at.utcoffset(), tick.at.isoformat())
    assert (again.previous, again.missed) == (tick.previous, 3)
    assert Tick.from_json(Tick(datetime(2026, 1, 1, tzinfo=UTC)).to_json()).at == datetime(2026, 1, 1, tzinfo=UTC)
