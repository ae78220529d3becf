"""``holidays`` and ``days_off`` of ``[workspace]``: when a business is closed whatever the weekday."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mainstay.monitors.calendars import DaysOff

NONE = "none"
EXAMPLE = '["2026-12-24", "2026-12-27..2027-01-02"]'
_BETWEEN = ".."
_LONGEST = timedelta(days=366)


def read_holidays(text: str) -> str:
    """Read whose public holidays count: ``US``, ``US-TX``; empty for nobody's.

    Raises:
        ValueError: none are known of it; says what can be written.
    """
    code = text.strip().upper()
    if code in {"", NONE.upper()}:
        return ""
    from mainstay.monitors.calendars import calendar_of  # noqa: PLC0415 - it brings the HTTP client with it

    calendar_of(code)
    return code


def read_span(text: str) -> tuple[date, date]:
    """Read a day (``2026-12-24``) or the days from one to another (``2026-12-27..2027-01-02``) as first and last.

    Raises:
        ValueError: says what is wrong with it, and how to write it.
    """
    first, between, last = (part.strip() for part in text.partition(_BETWEEN))
    try:
        begins, ends = date.fromisoformat(first), date.fromisoformat(last if between else first)
    except ValueError:
        raise ValueError(f'"{text}" is no day and no span of days; write them like {EXAMPLE}') from None
    if ends < begins:
        raise ValueError(f'"{text}" ends before it begins; write "{last}{_BETWEEN}{first}"')
    if ends - begins >= _LONGEST:
        raise ValueError(f'"{text}" is longer than a year; name the days of a year at most')
    return begins, ends


def read_days_off(holidays: str | None, days: Sequence[str] | None, region: str) -> DaysOff:
    """Return a business's days off; where nothing is said of holidays, with those of its region. All was checked."""
    from mainstay.monitors.calendars import DaysOff  # noqa: PLC0415 - see above

    spans = tuple(read_span(each) for each in days or ())
    return DaysOff(region, spans, is_assumed=True) if holidays is None else DaysOff(read_holidays(holidays), spans)
