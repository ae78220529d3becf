"""Whether two names may belong to one person."""

from __future__ import annotations

from mainstay.identity.normalisation.name import fold


def are_compatible(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Tell whether two names, each (first, last), may be one person's: equal, a nickname, an initial, or missing."""
    return _match(one[0], other[0]) and _match(one[1], other[1])


def _match(one: str, other: str) -> bool:
    short, long = sorted((fold(one), fold(other)), key=len)
    return not short or short == long or (len(short) == 1 and long.startswith(short))


def shortens(old: str, new: str) -> bool:
    """Tell whether ``new`` says less than ``old``: an initial in place of the name it stands for."""
    before, after = fold(old), fold(new)
    return len(after) == 1 and before.startswith(after) and before != after
