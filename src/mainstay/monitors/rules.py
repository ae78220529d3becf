"""What a ping means, when the next is due, and what is said when none comes. Pure.

The convention is that of healthchecks.io: its users, and their tools, find the words and defaults they know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from mainstay.watch.rules import Trouble

if TYPE_CHECKING:
    from mainstay.engine.schedule import Schedule

PING = "ping"
"""The kind of monitor that waits for pings. Others of a workspace's list are what watches them."""
BODY_BYTES = 10_000
"""So much of what a ping says is kept."""
_HIGHEST_STATUS = 255
_MOST_TICKS = 20_000


class Signal(StrEnum):
    """What a ping says: it went well, it begins, it failed, or something for the log alone."""

    SUCCESS = "success"
    START = "start"
    FAIL = "fail"
    LOG = "log"


class OpenHours(Protocol):
    """When a business is open."""

    def is_open(self, moment: datetime) -> bool:
        """Say whether it is open at a time."""
        ...

    def after(self, moment: datetime, length: timedelta) -> datetime:
        """Return when it has been open for so long since a time."""
        ...


@dataclass(frozen=True, slots=True)
class Monitor:
    """A job that pings, as the stack declares it.

    Attributes:
        name: its name in the stack and in its address.
        every: how long after a good ping the next is expected; None where ``schedule`` says it.
        schedule: the clock that the job runs by, in ``timezone``.
        timezone: where its clock hangs.
        grace: how long after that it is late, and how long it may run after it said that it begins.
        hours: only time within these counts; None for all time.
    """

    name: str
    every: timedelta | None
    schedule: Schedule | None
    timezone: ZoneInfo
    grace: timedelta
    hours: OpenHours | None = None

    def expected_after(self, moment: datetime) -> datetime | None:
        """Return when the ping after one at ``moment`` is expected; None where its clock names no time any more."""
        if self.schedule is None:
            assert self.every is not None  # noqa: S101 - one of the two is there
            return self._later(moment, self.every)
        for count, tick in enumerate(self.schedule.after(moment, self.timezone)):
            if self.hours is None or self.hours.is_open(tick):
                return tick
            if count > _MOST_TICKS:
                break
        return None

    def deadline(self, moment: datetime) -> datetime:
        """Return when what is expected at ``moment``, or begins then, is late."""
        return self._later(moment, self.grace)

    def _later(self, moment: datetime, length: timedelta) -> datetime:
        return moment + length if self.hours is None else self.hours.after(moment, length)

    def in_words(self) -> str:
        """Say when it is expected, for lists."""
        if self.schedule is not None:
            words = f"{self.schedule.in_words()}, {self.timezone.key}"
        else:
            words = f"Every {length_of(self.every or timedelta())}"
        return words + (", within business hours" if self.hours else "")


@dataclass(frozen=True, slots=True)
class Ping:
    """One ping as it came. ``status`` is the exit code it told, ``rid`` the id by which a start and an end belong."""

    signal: Signal
    status: int | None = None
    rid: UUID | None = None
    method: str = "GET"
    body: str = ""


class PingRefusedError(ValueError):
    """An address that is no ping's."""


def read_ping(suffix: str, query: Mapping[str, str], method: str, body: str = "") -> Ping:
    """Read what follows a monitor's address: nothing, ``start``, ``fail``, ``log`` or an exit code; and ``?rid=``.

    Raises:
        PingRefusedError: it is none of these.
    """
    rid = None
    if told := query.get("rid"):
        try:
            rid = UUID(told)
        except ValueError:
            raise PingRefusedError("invalid uuid format") from None
    if suffix in {"", Signal.START, Signal.FAIL, Signal.LOG}:
        return Ping(Signal(suffix) if suffix else Signal.SUCCESS, None, rid, method, body)
    if not (suffix.isascii() and suffix.isdigit() and len(suffix) <= 3 and int(suffix) <= _HIGHEST_STATUS):
        raise PingRefusedError("invalid url format")
    status = int(suffix)
    return Ping(Signal.FAIL if status else Signal.SUCCESS, status, rid, method, body)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a monitor stands. ``state`` is ``new`` until its first end, then ``up`` or ``down``.

    ``seen_at`` is of the last ping that ended something; ``alert_at`` when it is late, None where nothing is awaited.
    """

    state: str = "new"
    seen_at: datetime | None = None
    started_at: datetime | None = None
    rid: UUID | None = None
    took: timedelta | None = None
    expected_at: datetime | None = None
    alert_at: datetime | None = None


def after_ping(monitor: Monitor, before: Standing, ping: Ping, now: datetime) -> Standing:
    """Return where a monitor stands after a ping."""
    state, seen_at, took = before.state, before.seen_at, before.took
    started_at, rid = before.started_at, before.rid
    match ping.signal:
        case Signal.LOG:
            return before
        case Signal.START:
            started_at, rid = now, ping.rid
        case Signal.SUCCESS | Signal.FAIL:
            state, seen_at, took = ("down" if ping.signal is Signal.FAIL else "up"), now, None
            if started_at is not None and ping.rid == rid:
                took, started_at, rid = now - started_at, None, None
            elif ping.signal is Signal.FAIL or ping.rid is None:
                started_at, rid = None, None
    return awaiting(monitor, Standing(state, seen_at, started_at, rid, took))


def awaiting(monitor: Monitor, standing: Standing) -> Standing:
    """Return the same with what a monitor awaits next, as it is declared now."""
    expected = None
    if standing.state != "new" and standing.seen_at is not None:
        expected = monitor.expected_after(standing.seen_at)
    moments = [expected, standing.started_at]
    late = min((monitor.deadline(moment) for moment in moments if moment is not None), default=None)
    return Standing(
        standing.state,
        standing.seen_at,
        standing.started_at,
        standing.rid,
        standing.took,
        expected,
        None if standing.state == "down" else late,
    )


def fingerprint_of(kind: str, name: str) -> str:
    """Return by what the incident of a monitor is found."""
    return f"monitor|{kind}|{name}"


def trouble_of_late(monitor: Monitor, standing: Standing) -> Trouble:
    """Describe that a ping did not come, or a job that began did not end."""
    last = _clock(standing.seen_at, monitor.timezone) if standing.seen_at else "never"
    is_running = standing.started_at is not None and (
        standing.expected_at is None or standing.started_at < standing.expected_at
    )
    if is_running and standing.started_at is not None:
        title = f"{monitor.name} began and did not end"
        began = _clock(standing.started_at, monitor.timezone)
        cause = f"It said that it begins at {began}, and nothing since; it has {length_of(monitor.grace)}."
    else:
        title = f"{monitor.name} is late"
        due = _clock(standing.expected_at, monitor.timezone) if standing.expected_at else "by now"
        cause = f"It was expected {due}, with {length_of(monitor.grace)} of grace. Its last ping: {last}."
    return _trouble(monitor, title, cause)


def trouble_of_failure(monitor: Monitor, ping: Ping) -> Trouble:
    """Describe a job that said that it failed."""
    how = f"It ended with exit code {ping.status}." if ping.status else "It said that it failed."
    # Its last lines say why; they are redacted already.
    told = ping.body.strip()[-300:]
    return _trouble(monitor, f"{monitor.name} failed", f"{how} {told}".strip())


def _trouble(monitor: Monitor, title: str, cause: str) -> Trouble:
    return Trouble(
        fingerprint=fingerprint_of(PING, monitor.name),
        title=title,
        cause=cause,
        mend="Look at the job where it runs, and run it once more. Its next good ping resolves this by itself. "
        f"What it said: mainstay monitors show {monitor.name}",
    )


def _clock(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%a %d %b %H:%M %Z}"


def length_of(length: timedelta) -> str:
    """Write a length of time in full words: ``1 hour``, ``1 day 6 hours``."""
    seconds = int(length.total_seconds())
    parts = []
    for name, size in (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {name}" + ("s" if count > 1 else ""))
    return " ".join(parts[:2]) or "0 seconds"
