"""How many calls a vendor takes in how much time: ``"100 in 10s"``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mainstay.model.duration import read_duration

OFF = "off"
MAX_ALLOWED = 100_000_000
_RATE = re.compile(r"\s*([\d_]+)\s+in\s+(.+)")
_SHORTEST, _LONGEST = 0.1, 32 * 86_400.0


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``allowed`` calls in any ``seconds`` seconds, whenever they begin."""

    allowed: int
    seconds: float


def read_rates(text: str) -> tuple[Rate, ...]:
    """Read ``"100 in 10s"``, or several with commas between: each holds; ``"off"`` gives none.

    Raises:
        ValueError: it is none; the message says how to write one.
    """
    if text.strip() == OFF:
        return ()
    return tuple(_read(part) for part in text.split(","))


def _read(text: str) -> Rate:
    found = _RATE.fullmatch(text)
    try:
        if found is not None:
            rate = Rate(int(found[1]), read_duration(found[2]).total_seconds())
            if 1 <= rate.allowed <= MAX_ALLOWED and _SHORTEST <= rate.seconds <= _LONGEST:
                return rate
    except ValueError:
        pass
    message = 'a rate is a number of calls in a time, like "100 in 10s" or "10 in 1s, 5000 in 1d"; or "off"'
    raise ValueError(message)
