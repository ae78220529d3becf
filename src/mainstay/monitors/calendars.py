"""The days on which a business is closed: public holidays, and those it names. Then nobody should be woken for silence.

Nothing is derived: where a phone number is read says nothing of when people work.
"""

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
    """

    holidays: str = ""
    spans: tuple[tuple[date, date], ...] = ()

    def includes(self, day: date) -> bool:
        """Say whether it is closed on a day."""
        return any(first <= day <= last for first, last in self.spans) or _is_holiday(self.holidays, day)

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


@lru_cache(maxsize=10_000)
def _is_holiday(code: str, day: date) -> bool:
    return bool(code) and day in calendar_of(code)
