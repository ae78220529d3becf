"""Moments and rates as people type them."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

from mainstay.cli.errors import CommandError
from mainstay.model.duration import read_duration

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_NAMED = {"midnight": time(0), "today": time(0), "noon": time(12)}
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*(s|m|h)")
_SECONDS = {"s": 1, "m": 60, "h": 3600}


def read_moment(text: str, now: datetime, zone: ZoneInfo) -> datetime:
    """Read a moment of the past: ``noon``, ``yesterday``, ``14:30``, ``2h`` (ago), ``2026-03-02`` or with a time.

    What has no zone of its own is by the clock of ``zone``; a time of day is the last one that has been.

    Raises:
        CommandError: it is none of these, or lies ahead.
    """
    said = text.strip().lower()
    local = now.astimezone(zone)
    found: datetime | None = None
    if said == "yesterday":
        found = _at(local - timedelta(days=1), time(0))
    elif said in _NAMED:
        found = _past(local, _NAMED[said])
    elif re.fullmatch(r"\d{1,2}:\d{2}", said):
        try:
            found = _past(local, time.fromisoformat(said.zfill(5)))
        except ValueError:
            found = None
    else:
        try:
            found = now - read_duration(said.removesuffix("ago").strip())
        except ValueError:
            try:
                found = datetime.fromisoformat(text.strip())
            except ValueError:
                found = None
            else:
                found = found if found.tzinfo else found.replace(tzinfo=zone)
    if found is None:
        raise CommandError(f'"{text}" is no moment', "noon, yesterday, 14:30, 2h, 2026-03-02 or 2026-03-02T14:30")
    if found > now:
        raise CommandError(f'"{text}" lies ahead: {found:%Y-%m-%d %H:%M %Z}')
    return found.astimezone(now.tzinfo)


def _past(local: datetime, at: time) -> datetime:
    found = _at(local, at)
    return found if found <= local else _at(local - timedelta(days=1), at)


def _at(day: datetime, at: time) -> datetime:
    return datetime.combine(day.date(), at, day.tzinfo)


def read_rate(text: str) -> float | None:
    """Read ``5/s``, ``30/m`` or ``100/h`` as so many a second; nothing is no limit.

    Raises:
        CommandError: it is none.
    """
    if not text.strip():
        return None
    found = _RATE.fullmatch(text.strip().lower())
    if found is None or not float(found[1]):
        raise CommandError(f'"{text}" is no rate', "5/s, 30/m or 100/h")
    return float(found[1]) / _SECONDS[found[2]]
