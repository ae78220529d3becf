"""Business hours: ``Mon-Fri 08:00-18:00, Sat 09:00-13:00``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SHORTEST = 3
EXAMPLE = "Mon-Fri 08:00-18:00, Sat 09:00-13:00"
_DAY = 24 * 60
_FARTHEST = 400
"""So many days ahead it is looked for when it opens: longer than any days off."""
_AHEAD = 10
_LONGEST_SHIFT = 4 * 60
# People write a hyphen or, from word processors, an en dash.
_SPAN = re.compile(r"([a-z]+)(?:\s*[-\u2013]\s*([a-z]+))?((?:\s+\S+)+)", re.IGNORECASE)
_TIMES = re.compile(r"(\d{1,2}):(\d{2})[-\u2013](\d{1,2}):(\d{2})")
_MOMENT = re.compile(r"([a-z]+)\s+(\d{1,2}):(\d{2})", re.IGNORECASE)
_DASH = re.compile(r"\s*[-\u2013]\s*")


def _no_day_off(_day: date) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Hours:
    """When a business is open, by the clock on its wall.

    ``spans`` are (weekday from 0 for Monday, first minute of the day, minute after the last); the end lies beyond 1440
    where it is on the next day. A shift that began before a day off goes on to its end; none begins on one.
    """

    text: str
    spans: tuple[tuple[int, int, int], ...]
    timezone: ZoneInfo
    is_day_off: Callable[[date], bool] = _no_day_off

    def is_open(self, moment: datetime) -> bool:
        """Say whether it is open at an aware time."""
        local = moment.astimezone(self.timezone)
        minute = local.hour * 60 + local.minute
        today, yesterday = local.weekday(), (local.weekday() - 1) % 7
        began = {
            (day == today)
            for day, start, end in self.spans
            if (day == today and start <= minute < end) or (day == yesterday and minute < end - _DAY)
        }
        return any(not self.is_day_off(local.date() - timedelta(days=not is_today)) for is_today in began)

    def next_open(self, moment: datetime) -> datetime:
        """Return the first time from an aware ``moment`` on at which it is open, in UTC; the moment itself if it is."""
        if self.is_open(moment):
            return moment.astimezone(UTC)
        today = moment.astimezone(self.timezone).date()
        for ahead in range(_FARTHEST):
            openings = self._openings(today + timedelta(days=ahead))
            if found := [opening for opening in openings if opening > moment]:
                return min(found)
        # Days off that leave no day open cannot be meant: what waits for one would wait for ever.
        return replace(self, is_day_off=_no_day_off).next_open(moment)

    def after(self, moment: datetime, length: timedelta) -> datetime:
        """Return when it has been open for ``length`` since an aware ``moment``, in UTC; not before it opens."""
        moment = self.next_open(moment)
        while (closing := self.closes_at(moment)) is not None and closing - moment < length:
            length -= closing - moment
            moment = self.next_open(closing)
        return moment + length

    def closes_at(self, moment: datetime) -> datetime | None:
        """Return when it closes next, from a time at which it is open; None for never within ten days."""
        today = moment.astimezone(self.timezone).date()
        ends = (
            datetime.combine(today + timedelta(days=ahead + end // _DAY), _time_of(end), self.timezone).replace(
                fold=fold
            )
            for ahead in range(-1, _AHEAD)
            for day, _, end in self.spans
            if day == (today + timedelta(days=ahead)).weekday()
            for fold in (0, 1)
        )
        closings = (end.astimezone(UTC) for end in ends)
        return min((each for each in closings if each > moment and not self.is_open(each)), default=None)

    def _openings(self, day: date) -> Iterator[datetime]:
        """Yield when it opens on a day, in UTC; where the clock is put back, a time of the doubled hour comes twice."""
        for weekday, start, _ in self.spans:
            if weekday != day.weekday() or self.is_day_off(day):
                continue
            for fold in (0, 1):
                wall = datetime.combine(day, time(start // 60, start % 60, fold=fold), self.timezone)
                opening = wall.astimezone(UTC)
                # What would open in the hour that is skipped in spring opens when that is over, if it is open then.
                for _ in range(_LONGEST_SHIFT):
                    if self.is_open(opening):
                        yield opening
                        break
                    opening += timedelta(minutes=1)


def _time_of(minute: int) -> time:
    return time(minute % _DAY // 60, minute % 60)


def read_hours(text: str, timezone: ZoneInfo, is_day_off: Callable[[date], bool] = _no_day_off) -> Hours:
    """Read hours: days, then one or more spans of time; parts separated by commas. A span may end on the next day.

    Raises:
        ValueError: says which part cannot be read, and how to write it.
    """
    spans = []
    for part in text.split(","):
        match = _SPAN.fullmatch(_DASH.sub("-", part.strip()))
        if match is None:
            raise ValueError(f'"{part.strip()}" is no day with times; write hours like "{EXAMPLE}"')
        first = _weekday(match[1])
        last = _weekday(match[2]) if match[2] else first
        days = [(first + offset) % 7 for offset in range((last - first) % 7 + 1)]
        for times in match[3].split():
            start, end = _times(times)
            spans += [(day, start, end) for day in days]
    return Hours(text, tuple(spans), timezone, is_day_off)


def check_weekly(text: str) -> None:
    """Check a weekly moment such as ``Mon 08:00``; ValueError says how to write it."""
    match = _MOMENT.fullmatch(text.strip())
    if match is None:
        raise ValueError(f'"{text}" is no weekly time; write a day and a time, like "Mon 08:00"')
    _weekday(match[1])
    _minute(match[2], match[3], text)


def _weekday(text: str) -> int:
    name = text.lower()
    for number, day in enumerate(_DAYS):
        if len(name) >= _SHORTEST and day.startswith(name):
            return number
    raise ValueError(f'"{text}" is no weekday; write Mon, Tue, Wed, Thu, Fri, Sat or Sun')


def _times(text: str) -> tuple[int, int]:
    match = _TIMES.fullmatch(text)
    if match is None:
        raise ValueError(f'"{text}" is no span of time; write it by the 24-hour clock, like 08:00-18:00')
    start, end = _minute(match[1], match[2], text), _minute(match[3], match[4], text)
    if start in {end, _DAY}:
        raise ValueError(f'"{text}" is an empty span; for the whole day write 00:00-24:00')
    return start, end if end > start else end + _DAY


def _minute(hour: str, minute: str, text: str) -> int:
    found = int(hour) * 60 + int(minute)
    if int(minute) >= 60 or found > _DAY:
        raise ValueError(f'"{text}" holds no time of day; write it by the 24-hour clock, from 00:00 to 24:00')
    return found
