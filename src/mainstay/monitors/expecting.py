"""What is expected of a source, declared or learned, and what is said when it does not come. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from mainstay.monitors.rhythm import (
    DAYS,
    Holiday,
    Rhythm,
    Silence,
    is_usual_again,
    no_holiday,
    silence,
)
from mainstay.monitors.rules import OpenHours, fingerprint_of
from mainstay.watch.rules import Trouble

SOURCE = "source"
"""The kind of monitor that waits for a source's leads."""
LEARNED = "As it usually comes, learned"
EXAMPLE = "at least 1 in 4 business hours"
_WRITTEN = re.compile(
    r"(?:at least\s+)?(\d+)\s+in\s+(?:(\d+)\s+|an?\s+)?(business\s+)?(minute|hour|day|week)s?", re.IGNORECASE
)
_UNITS = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}
_LEAST, _MOST, _MOST_OPEN = timedelta(minutes=15), timedelta(days=60), timedelta(hours=200)
_MOST_COUNT = 10_000
_LOOK_DOWN = timedelta(minutes=1)
_LOOK_UP = timedelta(hours=1)
_LOOK_NEW = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Expectation:
    """``count`` leads at least in any stretch of ``length``; with ``hours``, only open time counts."""

    text: str
    count: int
    length: timedelta
    hours: OpenHours | None = None

    def deadline(self, moment: datetime) -> datetime:
        """Return when it is broken, if the oldest lead that counts came at ``moment``."""
        return moment + self.length if self.hours is None else self.hours.after(moment, self.length)


def read_expectation(text: str, hours: OpenHours | None) -> Expectation:
    """Read an expectation: ``at least 1 in 4 business hours``, ``20 in 1 day``.

    Raises:
        ValueError: says what is wrong with it, and how to write it.
    """
    match = _WRITTEN.fullmatch(text.strip())
    if match is None:
        raise ValueError(f'"{text}" says no rhythm; write it like "{EXAMPLE}", "20 in 1 day", or "off"')
    count, length = int(match[1]), int(match[2] or 1) * _UNITS[match[4].lower()]
    if match[3] and match[4].lower() != "hour":
        raise ValueError(f'business time is counted in hours; write it like "{EXAMPLE}"')
    if match[3] and hours is None:
        raise ValueError("the workspace has no business hours")
    if not 1 <= count <= _MOST_COUNT:
        raise ValueError("expect from 1 to 10,000 leads")
    most = _MOST_OPEN if match[3] else _MOST
    if not _LEAST <= length <= most:
        raise ValueError("from 15 minutes to 60 days, or to 200 business hours")
    return Expectation(" ".join(text.split()), count, length, hours if match[3] else None)


@dataclass(frozen=True, slots=True)
class SourceRule:
    """How one source is watched: by what is declared, else (``expectation`` is None) by what is learned of it.

    ``timezone`` is the business's, in which days begin; ``is_holiday`` tells of a day whether people work.
    """

    name: str
    expectation: Expectation | None
    timezone: ZoneInfo
    is_holiday: Holiday = no_holiday

    def in_words(self) -> str:
        """Say what is expected, for lists."""
        if self.expectation is None:
            return LEARNED
        text = self.expectation.text
        return text if text.lower().startswith("at least") else f"At least {text}"


@dataclass(frozen=True, slots=True)
class Hour:
    """What came in one hour: ``last_at`` is the last of them."""

    at: datetime
    count: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Watched:
    """Where the watch over a source stands.

    ``state`` is ``new`` until something is expected, then ``up`` or ``down``. ``seen_at`` is the last lead's time,
    ``expected_at`` until when the next one should come, ``look_at`` when to look again. ``since`` is what counts from:
    when it was declared, or spoke again after a silence; ``down_at`` when it was found silent, ``is_total`` whether
    nothing came at all. ``rhythm`` was learned on the day ``learned_on``.
    """

    state: str = "new"
    seen_at: datetime | None = None
    expected_at: datetime | None = None
    look_at: datetime | None = None
    since: datetime | None = None
    down_at: datetime | None = None
    is_total: bool = True
    rhythm: Rhythm | None = None
    learned_on: date | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """Where it stands now, and the trouble that was found with this look."""

    watched: Watched
    trouble: Trouble | None = None
    is_recovered: bool = False


def judge(rule: SourceRule, before: Watched, hours: Sequence[Hour], now: datetime) -> Judgement:
    """Judge a source by what came in the last hours, oldest first.

    As many hours are needed as the rule looks back: see :func:`reach`.
    """
    seen_at = max((hour.last_at for hour in hours), default=before.seen_at)
    before = replace(before, seen_at=seen_at, since=before.since or now)
    if rule.expectation is not None:
        return _judge_declared(rule, rule.expectation, before, hours, now)
    if before.rhythm is None:
        # What was silent and is forgotten by now stays as it is, until somebody says so or leads come.
        state = "new" if before.state == "up" else before.state
        waiting = replace(before, state=state, expected_at=None, look_at=now + _LOOK_NEW)
        is_back = before.state == "down" and _has_spoken(before)
        return Judgement(replace(waiting, state="new"), is_recovered=True) if is_back else Judgement(waiting)
    return _judge_learned(rule, before.rhythm, before, hours, now)


def _has_spoken(watched: Watched) -> bool:
    return watched.seen_at is not None and watched.down_at is not None and watched.seen_at > watched.down_at


def reach(rule: SourceRule, now: datetime) -> datetime:
    """Return since when the hours are needed to judge by a rule."""
    length = rule.expectation.length if rule.expectation else timedelta()
    # Open time is at the least an hour a week.
    return now - max(timedelta(days=9), length * (7 if rule.expectation and rule.expectation.hours else 1))


def _judge_declared(
    rule: SourceRule, expectation: Expectation, before: Watched, hours: Sequence[Hour], now: datetime
) -> Judgement:
    oldest = _oldest_that_counts(expectation.count, hours)
    start = before.since or now
    # It has its whole time from when it was declared, or spoke again.
    expected_at = expectation.deadline(max(oldest, start) if oldest else start)
    up = replace(before, state="up", expected_at=expected_at, look_at=expected_at, down_at=None)
    if expected_at > now:
        return Judgement(up, is_recovered=before.state == "down")
    if before.state == "down":
        return Judgement(replace(before, expected_at=expected_at, look_at=now + _LOOK_DOWN))
    down = replace(before, state="down", expected_at=expected_at, look_at=now + _LOOK_DOWN, down_at=now)
    return Judgement(down, trouble_of_declared(rule, expectation, before.seen_at))


def _oldest_that_counts(count: int, hours: Sequence[Hour]) -> datetime | None:
    """Return the time of the newest lead but ``count - 1``; of several in its hour, the last."""
    for hour in reversed(hours):
        count -= hour.count
        if count <= 0:
            return hour.last_at
    return None


def _judge_learned(
    rule: SourceRule, rhythm: Rhythm, before: Watched, hours: Sequence[Hour], now: datetime
) -> Judgement:
    def local(moment: datetime) -> datetime:
        return moment.astimezone(rule.timezone).replace(tzinfo=None)

    stamps = [(local(hour.last_at), hour.count) for hour in hours]

    def seen_since(moment: datetime) -> int:
        return sum(count for at, count in stamps if at > moment)

    last = before.seen_at or before.since or now
    if before.state == "down":
        is_back = _has_spoken(before) and (
            before.is_total or is_usual_again(rhythm, local(now), seen_since, rule.is_holiday)
        )
        if not is_back:
            return Judgement(replace(before, look_at=now + _LOOK_DOWN))
    is_recovered = before.state == "down"
    if is_recovered:
        before = replace(before, since=now, down_at=None)
    heard_from = local(before.since) if before.since else None
    found = silence(rhythm, local(last), local(now), seen_since, rule.is_holiday, heard_from=heard_from)
    wall = rhythm.silent_from(local(last), rule.is_holiday)
    expected_at = wall.replace(tzinfo=rule.timezone) if wall else None
    if found is not None:
        down = replace(before, state="down", expected_at=expected_at, look_at=now + _LOOK_DOWN, down_at=now)
        return Judgement(replace(down, is_total=found.is_total), trouble_of_learned(rule, found, before.seen_at))
    look_at = min(now + _LOOK_UP, max(expected_at, now + _LOOK_DOWN)) if expected_at else now + _LOOK_UP
    return Judgement(replace(before, state="up", expected_at=expected_at, look_at=look_at), is_recovered=is_recovered)


def learned(rule: SourceRule, hours: Sequence[Hour], today: date) -> Rhythm | None:
    """Learn a source's rhythm from the hours of the days before ``today``."""
    from mainstay.monitors.learning import learn  # noqa: PLC0415 - see there

    first = today - timedelta(days=DAYS)
    counts = [[0] * 24 for _ in range(DAYS)]
    begins = DAYS
    for hour in hours:
        local = hour.at.astimezone(rule.timezone)
        day = (local.date() - first).days
        if 0 <= day < DAYS:
            counts[day][local.hour] += hour.count
            begins = min(begins, day)
    # The days before its first lead are no days without a lead; nor is the part of a day before it a whole day.
    begins += 1
    return learn(counts[begins:], first + timedelta(days=begins), rule.is_holiday)


def to_facts(watched: Watched) -> dict[str, Any]:
    """Return what a monitor's row keeps beside its columns."""
    return {
        "since": watched.since.isoformat() if watched.since else None,
        "down_at": watched.down_at.isoformat() if watched.down_at else None,
        "is_total": watched.is_total,
        "learned_on": watched.learned_on.isoformat() if watched.learned_on else None,
        "spread": round(watched.rhythm.spread, 4) if watched.rhythm else None,
        "rates": [[round(rate, 4) for rate in day] for day in watched.rhythm.rates] if watched.rhythm else None,
    }


def from_facts(facts: Mapping[str, Any]) -> Watched:
    """Read what a monitor's row keeps beside its columns."""

    def moment(name: str) -> datetime | None:
        return datetime.fromisoformat(facts[name]) if facts.get(name) else None

    rates = facts.get("rates")
    return Watched(
        since=moment("since"),
        down_at=moment("down_at"),
        is_total=facts.get("is_total", True),
        rhythm=Rhythm(tuple(map(tuple, rates)), facts["spread"]) if rates else None,
        learned_on=date.fromisoformat(facts["learned_on"]) if facts.get("learned_on") else None,
    )


def trouble_of_declared(rule: SourceRule, expectation: Expectation, seen_at: datetime | None) -> Trouble:
    """Describe that fewer leads came than the stack expects."""
    some = "no lead" if expectation.count == 1 else "too few leads"
    cause = f"The stack expects {rule.in_words().lower()}. {_last(rule, seen_at)}"
    return _trouble(rule, f"{rule.name} brings {some}", cause)


def trouble_of_learned(rule: SourceRule, found: Silence, seen_at: datetime | None) -> Trouble:
    """Describe that fewer leads came than usual."""
    since = f"{found.since:%a %d %b %H:%M}"
    if found.is_total:
        title = f"{rule.name} brings no lead"
        cause = f"None came since {since}; by now it is usually {_about(found.expected)}. {_last(rule, seen_at)}"
    else:
        title = f"{rule.name} brings fewer leads than usual"
        cause = f"{found.seen} came since {since}; usually it is {_about(found.expected)}. {_last(rule, seen_at)}"
    return _trouble(rule, title, cause, "critical" if found.is_total else "other")


def _trouble(rule: SourceRule, title: str, cause: str, severity: Literal["critical", "other"] = "critical") -> Trouble:
    return Trouble(
        severity=severity,
        fingerprint=fingerprint_of(SOURCE, rule.name),
        title=title,
        cause=cause,
        mend=f"Look at the form, the ad or the webhook, and try it: mainstay send {rule.name}. Leads that come again "
        f"resolve this by themselves. What is expected: mainstay monitors show {rule.name} --kind source. "
        f'Where it may be silent, say so in [sources.{rule.name}]: expect = "off".',
    )


def _about(number: float) -> str:
    return f"about {number:.0f}" if number >= 2 else f"about {number:.1f}"


def _last(rule: SourceRule, seen_at: datetime | None) -> str:
    return (
        f"Its last lead: {seen_at.astimezone(rule.timezone):%a %d %b %H:%M %Z}."
        if seen_at
        else "It has brought none yet."
    )
