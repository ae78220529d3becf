"""Names with the frequencies that they have in life, from the packages ``faker`` and ``names``."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path

import names

_PROVIDERS = {"DE": "de_DE", "IN": "en_IN", "MX": "es_MX", "BR": "pt_BR", "PK": "en_PK", "AE": "en_PK"}


class Names:
    """First and last names with the frequencies they have in life, or, where none are known, a long-tailed guess."""

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        first: dict[str, float] = {}
        for file in ("first:male", "first:female"):
            for name, weight in _census(names.FILES[file]):
                first[name] = first.get(name, 0) + weight
        self._pools = {"": (_Pool(first.items()), _Pool(_census(names.FILES["last"])))}
        for country, provider in _PROVIDERS.items():
            found = import_module(f"faker.providers.person.{provider}").Provider
            self._pools[country] = (_guess(found.first_names, draw), _guess(found.last_names, draw))

    def first(self, country: str) -> str:
        return self._pool(country)[0].pick(self._draw)

    def last(self, country: str) -> str:
        return self._pool(country)[1].pick(self._draw)

    def _pool(self, country: str) -> tuple[_Pool, _Pool]:
        return self._pools.get(country) or self._pools[""]


class _Pool:
    def __init__(self, weighted: Iterable[tuple[str, float]]) -> None:
        pairs = list(weighted)
        self._values = [value for value, _ in pairs]
        self._sums = list(itertools.accumulate(weight for _, weight in pairs))

    def pick(self, draw: random.Random) -> str:
        return draw.choices(self._values, cum_weights=self._sums)[0]


def _census(path: str) -> list[tuple[str, float]]:
    lines = (line.split() for line in Path(path).read_text().splitlines())
    return [(parts[0].capitalize(), max(float(parts[1]), 0.0004)) for parts in lines if parts]


def _guess(values: Sequence[str], draw: random.Random) -> _Pool:
    listed = list(dict.fromkeys(values))
    draw.shuffle(listed)
    return _Pool([(value, 1 / (rank + 12) ** 0.6) for rank, value in enumerate(listed)])
