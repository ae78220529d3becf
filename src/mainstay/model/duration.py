"""Lengths of time as people write them."""

from __future__ import annotations

import re
from datetime import timedelta

_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def read_duration(text: str) -> timedelta:
    """Read ``"10m"`` or ``"1h 30m"``.

    Raises:
        ValueError: it is none, or longer than time goes.
    """
    parts = _PART.findall(text)
    try:
        if parts and not _PART.sub("", text).strip():
            return sum((timedelta(**{_UNITS[unit]: float(number)}) for number, unit in parts), timedelta())
    except OverflowError:
        pass
    message = f'{text!r} is not a duration; write for example "30s", "10m", "2h", "1d" or "1h 30m"'
    raise ValueError(message)
