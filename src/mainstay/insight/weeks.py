"""Weeks as ISO 8601 counts them, Monday to Sunday, in a workspace's own zone. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_NAME = re.compile(r"(\d{4})-W(\d{2})")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SEVEN = timedelta(days=7)


@dataclass(frozen=True, slots=True, order=True)
class Week:
    """A week by its Monday."""

    monday: date

    @classmethod
    def of(cls, moment: datetime, zone: ZoneInfo) -> Week:
        """Return the week that a moment lies in, by the clocks of a zone."""
        day = moment.astimezone(zone).date()
        return cls(day - timedelta(days=day.weekday()))

    @classmethod
    def named(cls, name: str) -> Week:
        """Return the week of a name such as ``2026-W48``.

        Raises:
            ValueError: there is no such week; the text says how to write one.
        """
        match = _NAME.fullmatch(name.strip().upper())
        try:
            if match is None:
                raise ValueError(name)
            return cls(date.fromisocalendar(int(match[1]), int(match[2]), 1))
        except ValueError:
            message = f'"{name}" is no week; write it like 2026-W48'
            raise ValueError(message) from None

    @property
    def name(self) -> str:
        """As ISO 8601 names it: ``2026-W48``."""
        year, number, _ = self.monday.isocalendar()
        return f"{year}-W{number:02}"

    @property
    def before(self) -> Week:
        """The week before."""
        return Week(self.monday - _SEVEN)

    @property
    def after(self) -> Week:
        """The week after."""
        return Week(self.monday + _SEVEN)

    def bounds(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Return its first moment, and the first of the next; in UTC. A week in which clocks are put is an hour off."""
        begin, end = (datetime.combine(day, time(), zone) for day in (self.monday, self.after.monday))
        return begin.astimezone(UTC), end.astimezone(UTC)

    @property
    def words(self) -> str:
        """In words: ``23 to 29 November 2026``."""
        sunday = self.monday + timedelta(days=6)
        if self.monday.month == sunday.month:
            return f"{self.monday.day} to {sunday.day} {sunday:%B %Y}"
        return f"{self.monday.day} {self.monday:%B} to {sunday.day} {sunday:%B %Y}"


def week_due(moment: str, now: datetime, zone: ZoneInfo) -> tuple[Week, datetime]:
    """Return the week to review at ``now``, and since when: the last that was whole at ``moment`` (``Mon 08:00``)."""
    day, _, clock = moment.strip().lower().partition(" ")
    weekday = _DAYS.index(day[:3])
    hour, minute = (int(part) for part in clock.strip().split(":"))
    local = now.astimezone(zone)
    last = datetime.combine(local.date() - timedelta(days=(local.weekday() - weekday) % 7), time(hour, minute), zone)
    if last > local:
        last = datetime.combine(last.date() - _SEVEN, time(hour, minute), zone)
    return Week.of(last, zone).before, last.astimezone(UTC)
