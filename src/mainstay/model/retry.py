"""How patient a call is, as one level of a stack says it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, get_args

from mainstay.model.duration import read_duration

OnUnsure = Literal["repeat", "ask"]
_SHORTEST = timedelta(milliseconds=100)


@dataclass(frozen=True, slots=True, init=False)
class Retry:
    """How a failed call is tried again; what is not said here, a wider level says.

    Attributes:
        first: the wait after the first try; it doubles with each, and is drawn evenly below that.
        longest: the longest wait between two tries.
        give_up: how long after the first try a human is told; ``"0s"`` for one try alone.
        on_unsure: what to do when a call may have had its effect, a repeat would have it twice, and the vendor cannot
            tell: ``"repeat"`` and mark it, or stop and ``"ask"`` a person.
    """

    first: timedelta | None
    longest: timedelta | None
    give_up: timedelta | None
    on_unsure: OnUnsure | None

    def __init__(
        self,
        *,
        first: str | float | timedelta | None = None,
        longest: str | float | timedelta | None = None,
        give_up: str | float | timedelta | None = None,
        on_unsure: OnUnsure | None = None,
    ) -> None:
        """Take lengths as ``"10m"``, seconds or a timedelta.

        Raises:
            ValueError: one is no length, or is too short; ``on_unsure`` is another word.
        """
        lengths = {"first": first, "longest": longest, "give_up": give_up}
        for name, written in lengths.items():
            least = timedelta() if name == "give_up" else _SHORTEST
            object.__setattr__(self, name, _length(name, written, least))
        if on_unsure is not None and on_unsure not in get_args(OnUnsure):
            message = f'on_unsure is "repeat" or "ask", not {on_unsure!r}'
            raise ValueError(message)
        object.__setattr__(self, "on_unsure", on_unsure)


def _length(name: str, written: str | float | timedelta | None, least: timedelta) -> timedelta | None:
    if written is None or isinstance(written, timedelta):
        length = written
    elif isinstance(written, str):
        length = read_duration(written)
    else:
        length = timedelta(seconds=written)
    if length is not None and length < least:
        message = f"{name} is {least.total_seconds():g} seconds or more"
        raise ValueError(message)
    return length
