"""Schedules, the queue and connections, judged by what is seen of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mainstay.monitors.checks import Calls, Fired, Was, of_connection, of_queue, of_schedule

NOW = datetime(2025, 6, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def test_a_schedule_is_down_when_it_is_late_or_was_passed_over_until_it_fires() -> None:
    well = of_schedule(Fired("n.v1", NOW + HOUR, NOW - HOUR, 3), "", {}, NOW)
    assert (well.state, well.trouble) == ("up", None), "what was missed before it was watched is past"
    late = of_schedule(Fired("n.v1", NOW - HOUR, NOW - DAY, 3), "", well.facts, NOW)
    assert late.state == "down"
    assert late.trouble is not None
    passed_over = of_schedule(Fired("n.v1", NOW + HOUR, NOW - DAY, 5), "", {**well.facts, "last_tick": None}, NOW)
    assert passed_over.trouble is not None
    assert "2 of its ticks" in passed_over.trouble.cause
    still = of_schedule(Fired("n.v1", NOW + HOUR, NOW - DAY, 5), "", passed_over.facts, NOW)
    assert still.state == "down"
    assert of_schedule(Fired("n.v1", NOW + HOUR, NOW, 5), "", still.facts, NOW).state == "up"
    assert of_schedule(Fired("n.v1", NOW + HOUR, None, 0), "", {}, NOW).state == "new"


def test_the_queue_is_down_when_a_lead_waits_too_long_twice_and_up_when_it_is_worked_off() -> None:
    found = of_queue(NOW - timedelta(minutes=11), {}, NOW)
    assert found.state == "up", "one look may meet a run that was just being begun"
    found = of_queue(NOW - timedelta(minutes=12), found.facts, NOW)
    assert found.state == "down"
    found = of_queue(NOW - timedelta(minutes=7), found.facts, NOW)
    assert found.state == "down", "it is not worked off yet"
    assert of_queue(NOW - timedelta(minutes=2), found.facts, NOW).state == "up"
    assert of_queue(None, found.facts, NOW).state == "up"


@pytest.mark.parametrize(
    ("calls", "was", "state", "title"),
    [
        (Calls(0, 0, None), Was(), "new", ""),
        (Calls(3, 9, NOW), Was(), "up", ""),
        (Calls(0, 5, None), Was(NOW - 3 * HOUR, "up"), "up", ""),
        (Calls(0, 5, None), Was(NOW - 3 * HOUR, "up", NOW - HOUR), "down", "No call to x succeeds"),
        (Calls(0, 4, None), Was(NOW - 3 * HOUR, "up", NOW - HOUR), "up", ""),
        (Calls(3, 5, NOW, out_since=NOW - HOUR), Was(NOW, "up"), "down", ""),
        (Calls(3, 5, NOW, out_since=NOW - timedelta(minutes=2)), Was(NOW, "up"), "up", ""),
        (Calls(0, 9, None, out_since=NOW - HOUR, is_paused=True), Was(NOW, "up", NOW - HOUR), "up", ""),
        (Calls(0, 0, None), Was(NOW - 8 * DAY, "up"), "down", "x has not been used for 8 days"),
        (Calls(0, 0, None), Was(NOW - 3 * DAY, "down"), "down", ""),
        (Calls(1, 0, NOW), Was(NOW - 3 * DAY, "down"), "up", ""),
    ],
)
def test_a_connection_fails_or_is_unused(calls: Calls, was: Was, state: str, title: str) -> None:
    found = of_connection("x", calls, was, NOW)
    assert (found.state, found.trouble.title if found.trouble else "") == (state, title)
