"""Which given names one person goes by: Robert is Bob. The pairs and their source are in nicknames.NOTICE.txt."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


def nicknames(name: str) -> frozenset[str]:
    """Return what a folded given name is also written as; the relation counts both ways, but is not passed on.

    Al is Albert, and Al is Alan; Albert is not Alan.
    """
    return _pairs().get(name, frozenset())


@cache
def _pairs() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    lines = files(__package__).joinpath("nicknames.csv").read_text(encoding="utf-8").splitlines()
    for line in lines[1:]:
        one, other = line.split(",")
        found.setdefault(one, set()).add(other)
        found.setdefault(other, set()).add(one)
    return {name: frozenset(others) for name, others in found.items()}
