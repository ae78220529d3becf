"""The days on which a business is closed: public holidays, and those it names. Silence then wakes nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holidays import HolidayBase

_COMING = timedelta(days=92)


@dataclass(frozen=True, slots=True)
class DaysOff:
    """When a business is closed whatever the weekday.

    Attributes:
        holidays: whose public holidays count, as :func:`calendar_of` takes it; empty for nobody's.
        spans: further days, each as first and last.
        is_assumed: the holidays are those of its region, as nothing is said of them. It may be open then, but hardly
            anybody writes.
    """

    holidays: str = ""
    spans: tuple[tuple[date, date], ...] = ()
    is_assumed: bool = False

    def includes(self, day: date) -> bool:
        """Say whether silence is no news on a day."""
        return any(first <= day <= last for first, last in self.spans) or _is_holiday(self.holidays, day)

    @property
    def said(self) -> DaysOff:
        """Those on which it is closed: what is assumed closes nobody."""
        return DaysOff(spans=self.spans) if self.is_assumed else self

    @property
    def assumed(self) -> str:
        """The region whose holidays are assumed; empty where it is said, and where none are known of it."""
        return self.holidays if self.is_assumed and _is_known(self.holidays) else ""

    def coming(self, today: date, most: int) -> Sequence[date]:
        """Return the next ``most`` days off from ``today`` on, within three months."""
        ahead = (today + timedelta(days=number) for number in range(_COMING.days))
        return [day for day in ahead if self.includes(day)][:most]


@lru_cache
def calendar_of(code: str) -> HolidayBase:
    """Return the public holidays of a country (``US``), or with those of a part of it (``US-TX``).

    Raises:
        ValueError: there are none known; the text says what can be written.
    """
    import holidays  # noqa: PLC0415 - a quarter of a second, for whoever names holidays alone

    country, _, part = code.partition("-")
    supported = holidays.list_supported_countries()
    if country not in supported:
        raise ValueError(
            f'no holidays are known of "{code}"; write a country\'s two letters, like "US", its part like "US-TX", '
            'or "none"'
        )
    if part and part not in supported[country]:
        parts = ", ".join(f"{country}-{each}" for each in supported[country])
        raise ValueError(f'no holidays are known of "{code}"; known: {country}{f", {parts}" if parts else ""}')
    return holidays.country_holidays(country, subdiv=part or None)


@lru_cache
def _is_known(code: str) -> bool:
    try:
        return bool(code) and calendar_of(code) is not None
    except ValueError:  # what is said was checked; of a region none may be known
        return False


@lru_cache(maxsize=10_000)
def _is_holiday(code: str, day: date) -> bool:
    return _is_known(code) and day in calendar_of(code)
