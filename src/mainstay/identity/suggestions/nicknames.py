"""Which given names stand for one another."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def pairs() -> frozenset[tuple[str, str]]:
    """Return every pair of given name and nickname, both ways round."""
    text = files("mainstay.identity.suggestions").joinpath("nicknames.csv").read_text(encoding="utf-8")
    rows = (line.split(",") for line in text.splitlines()[1:] if line)
    both = {(one, other) for one, _, other in rows if one != other}
    return frozenset(both | {(other, one) for one, other in both})


@cache
def _formal() -> dict[str, str]:
    """Return one formal name for each nickname: the one that has the most nicknames, so that most pairs meet."""
    known: dict[str, set[str]] = {}
    text = files("mainstay.identity.suggestions").joinpath("nicknames.csv").read_text(encoding="utf-8")
    for line in text.splitlines()[1:]:
        name, _, nickname = line.split(",")
        known.setdefault(nickname, set()).add(name)
    sizes: dict[str, int] = {}
    for names in known.values():
        for name in names:
            sizes[name] = sizes.get(name, 0) + 1
    return {nickname: max(names, key=lambda name: (sizes[name], name)) for nickname, names in known.items()}


def formal(name: str) -> str:
    """Return the name that a nickname most likely stands for, else the name itself."""
    found = _formal().get(name, name)
    again = _formal().get(found, found)
    return found if again == name else again
