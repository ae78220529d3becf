from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from mainstay.errors import ConfigError
from mainstay.settings.environment import Environment
from mainstay.settings.stack import Stack, load_stack

WORKSPACE = """
[workspace]
name = "Acme Plumbing"
timezone = "America/Chicago"
region = "US"
"""


def load(folder: Path, text: str) -> Stack:
    (folder / "stack.toml").write_text(WORKSPACE + text)
    return load_stack(folder, Environment.load(folder, {}))


def test_a_monitor_has_the_usual_defaults(tmp_path: Path) -> None:
    found = load(tmp_path, "[monitors.backup]\n").monitors["backup"]
    assert (found.every, found.grace, found.hours) == (timedelta(days=1), timedelta(hours=1), None)
    assert found.timezone.key == "America/Chicago"


def test_a_schedule_may_have_a_clock_of_its_own(tmp_path: Path) -> None:
    text = """hours = "Mon-Fri 08:00-18:00"
        [monitors.r]
        schedule = "0 9 * * *"
        timezone = "Europe/London"
        grace = "5m"
        within_hours = true
        """
    found = load(tmp_path, text).monitors["r"]
    assert (found.every, found.timezone.key, found.grace) == (None, "Europe/London", timedelta(minutes=5))
    assert found.hours is not None
    assert found.in_words().endswith("Europe/London, within business hours")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[monitors.Nightly]\nevery = "1h"', "begins with a letter"),
        ('[monitors.n]\nevery = "1s"', "from a minute to a year"),
        ('[monitors.n]\nevery = "2000d"', "from a minute to a year"),
        ('[monitors.n]\nevery = "1h"\nschedule = "0 3 * * *"', "say either every or schedule"),
        ('[monitors.n]\ntimezone = "Europe/London"', "timezone is of a schedule"),
        ('[monitors.n]\nschedule = "0 33 * * *"', "is no cron expression"),
        ('[monitors.n]\nschedule = "0 3 30 2 *"', "bad day-of-month"),
        ('[monitors.n]\nschedule = "0 3 * * *"\ntimezone = "Mars/Base"', "is no time zone"),
        ("[monitors.n]\nwithin_hours = true", "the workspace has no hours"),
        ('[monitors.n]\nevery = "60d"\nwithin_hours = true', "a month of open time at most"),
        ("[monitors]\nn = 1", 'every = "1h"'),
        ('[monitors.n]\nevry = "1h"', "every"),
    ],
)
def test_what_cannot_be_is_said(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as told:
        load(tmp_path, text)
    assert says in " ".join(f"{problem.message} {problem.hint}" for problem in told.value.problems)
