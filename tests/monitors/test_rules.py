from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.engine.schedule import Schedule
from mainstay.monitors import Monitor, Ping, PingRefusedError, Signal, read_ping
from mainstay.monitors.rules import Standing, after_ping, awaiting, length_of, trouble_of_failure, trouble_of_late
from mainstay.settings.hours import read_hours

CHICAGO = ZoneInfo("America/Chicago")
HOUR = timedelta(hours=1)
NOON = datetime(2026, 3, 4, 18, tzinfo=UTC)
RID = UUID("0190a3a0-0000-7000-8000-000000000001")


def monitor(**more: object) -> Monitor:
    said: dict[str, object] = {
        "name": "backup",
        "every": HOUR,
        "schedule": None,
        "timezone": CHICAGO,
        "grace": timedelta(minutes=5),
    }
    return Monitor(**(said | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("suffix", "query", "signal", "status"),
    [
        ("", {}, Signal.SUCCESS, None),
        ("start", {}, Signal.START, None),
        ("fail", {}, Signal.FAIL, None),
        ("log", {}, Signal.LOG, None),
        ("0", {}, Signal.SUCCESS, 0),
        ("1", {}, Signal.FAIL, 1),
        ("255", {"rid": str(RID)}, Signal.FAIL, 255),
    ],
)
def test_an_ending_says_what_happened(suffix: str, query: dict[str, str], signal: Signal, status: int | None) -> None:
    ping = read_ping(suffix, query, "GET")
    assert (ping.signal, ping.status) == (signal, status)


@pytest.mark.parametrize(
    ("suffix", "query"),
    [
        ("256", {}),
        ("-1", {}),
        ("1.5", {}),
        ("0x1", {}),
        ("٣", {}),
        ("999999999999", {}),
        ("START", {}),
        ("success", {}),
        ("..", {}),
        ("", {"rid": "one"}),
        ("start", {"rid": "' OR 1=1"}),
    ],
)
def test_what_is_no_ping_is_refused(suffix: str, query: dict[str, str]) -> None:
    with pytest.raises(PingRefusedError):
        read_ping(suffix, query, "GET")


def test_every_counts_from_the_last_good_ping_and_grace_from_then() -> None:
    after = after_ping(monitor(), Standing(), Ping(Signal.SUCCESS), NOON)
    assert after.state == "up"
    assert after.expected_at == NOON + HOUR
    assert after.alert_at == NOON + timedelta(minutes=65)


def test_a_job_that_was_never_heard_of_is_not_awaited() -> None:
    assert awaiting(monitor(), Standing()) == Standing()


def test_a_start_is_awaited_for_its_grace_and_gives_the_duration() -> None:
    began = after_ping(monitor(), Standing(), Ping(Signal.START), NOON)
    assert (began.state, began.alert_at) == ("new", NOON + timedelta(minutes=5))
    ended = after_ping(monitor(), began, Ping(Signal.SUCCESS), NOON + timedelta(minutes=2))
    assert ended.took == timedelta(minutes=2)
    assert ended.started_at is None


def test_an_end_of_another_run_leaves_the_start_as_it_is() -> None:
    other = UUID(int=7)
    began = after_ping(monitor(), Standing(), Ping(Signal.START, rid=RID), NOON)
    ended = after_ping(monitor(), began, Ping(Signal.SUCCESS, rid=other), NOON + timedelta(minutes=1))
    assert ended.started_at == NOON
    assert ended.took is None
    assert ended.alert_at == NOON + timedelta(minutes=5), "the run that began is awaited still"


def test_a_failure_is_down_at_once_and_nothing_more_is_awaited() -> None:
    failed = after_ping(monitor(), Standing(), Ping(Signal.FAIL, 3, body="disk full"), NOON)
    assert (failed.state, failed.alert_at) == ("down", None)
    assert failed.expected_at == NOON + HOUR
    trouble = trouble_of_failure(monitor(), Ping(Signal.FAIL, 3, body="disk full"))
    assert "exit code 3" in trouble.cause
    assert "disk full" in trouble.cause


def test_a_log_changes_nothing() -> None:
    before = after_ping(monitor(), Standing(), Ping(Signal.SUCCESS), NOON)
    assert after_ping(monitor(), before, Ping(Signal.LOG), NOON + HOUR) == before


def test_a_schedule_goes_by_its_own_clock_over_the_change_of_the_hour() -> None:
    nightly = monitor(every=None, schedule=Schedule("30 2 * * *"), timezone=ZoneInfo("Europe/London"))
    # On 29 March 2026 the clock there skips from 01:00 to 02:00 UTC+1.
    before = datetime(2026, 3, 28, 2, 31, tzinfo=UTC)
    assert nightly.expected_after(before) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert nightly.expected_after(datetime(2026, 3, 29, 1, 31, tzinfo=UTC)) == datetime(2026, 3, 30, 1, 30, tzinfo=UTC)


def test_only_open_time_counts_where_it_is_said() -> None:
    hours = read_hours("Mon-Fri 08:00-18:00", CHICAGO)
    within = monitor(hours=hours)
    friday = datetime(2026, 3, 6, 17, 30, tzinfo=CHICAGO)
    assert within.expected_after(friday) == datetime(2026, 3, 9, 8, 30, tzinfo=CHICAGO)
    assert within.deadline(datetime(2026, 3, 6, 17, 58, tzinfo=CHICAGO)) == datetime(2026, 3, 9, 8, 3, tzinfo=CHICAGO)
    hourly = monitor(every=None, schedule=Schedule("0 * * * *"), hours=hours)
    assert hourly.expected_after(friday) == datetime(2026, 3, 9, 8, 0, tzinfo=CHICAGO)


def test_a_schedule_that_is_never_within_the_hours_awaits_nothing() -> None:
    hours = read_hours("Mon-Fri 08:00-18:00", CHICAGO)
    assert monitor(every=None, schedule=Schedule("0 3 * * *"), hours=hours).expected_after(NOON) is None


def test_late_says_since_when_and_what_was_there() -> None:
    standing = after_ping(monitor(), Standing(), Ping(Signal.SUCCESS), NOON)
    trouble = trouble_of_late(monitor(), standing)
    assert trouble.title == "backup is late"
    assert "Wed 04 Mar 13:00 CST" in trouble.cause
    began = after_ping(monitor(), standing, Ping(Signal.START), NOON + timedelta(minutes=1))
    assert trouble_of_late(monitor(), began).title == "backup began and did not end"


SPANS = ["Mon-Fri 08:00-18:00", "Mon-Sun 00:00-24:00", "Fri 22:00-06:00, Sun 01:00-03:00", "Sat 09:00-09:01"]


@given(
    text=st.sampled_from(SPANS),
    minute=st.integers(0, 60 * 24 * 400),
    length=st.integers(0, 300),
)
def test_open_time_is_counted_to_the_minute(text: str, minute: int, length: int) -> None:
    hours = read_hours(text, ZoneInfo("Europe/London"))
    began = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    length = min(length, 5) if text.startswith("Sat") else length
    end = hours.after(began, timedelta(minutes=length))
    step, counted = began, 0
    while step < end:
        counted += hours.is_open(step)
        step += timedelta(minutes=1)
    assert counted == length


@given(signals=st.lists(st.tuples(st.sampled_from(list(Signal)), st.sampled_from([None, RID]), st.integers(1, 9_000))))
def test_whatever_comes_what_is_up_is_awaited_and_what_is_down_is_not(
    signals: list[tuple[Signal, UUID | None, int]],
) -> None:
    watched, standing, now = monitor(), Standing(), NOON
    for signal, rid, seconds in signals:
        now += timedelta(seconds=seconds)
        standing = after_ping(watched, standing, Ping(signal, rid=rid), now)
        assert (standing.alert_at is None) == (
            standing.state == "down" or (standing.state == "new" and standing.started_at is None)
        )
        if standing.alert_at is not None and standing.started_at is None:
            assert standing.alert_at == standing.seen_at + HOUR + timedelta(minutes=5)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(hours=1), "1 hour"),
        (timedelta(days=1, hours=6), "1 day 6 hours"),
        (timedelta(minutes=90), "1 hour 30 minutes"),
        (timedelta(seconds=30), "30 seconds"),
        (timedelta(), "0 seconds"),
    ],
)
def test_a_length_is_written_in_full(length: timedelta, words: str) -> None:
    assert length_of(length) == words
