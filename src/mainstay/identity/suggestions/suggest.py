"""Suggestions for a whole book: candidates, features, scores, and what follows from them."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mainstay.identity.suggestions.blocking import RULES, candidates, places
from mainstay.identity.suggestions.columns import Columns
from mainstay.identity.suggestions.features import (
    DIFFERENT,
    FEATURES,
    INITIAL,
    MISSING,
    SUFFIXES_DIFFER,
    Matrix,
    Places,
    features,
)
from mainstay.identity.suggestions.linking import implied
from mainstay.identity.suggestions.reasons import reasons
from mainstay.identity.suggestions.scoring import Model, Scores, shipped_model

_CHUNK = 100_000
_WORTH_FORKING = 1_000_000
_AT = {name: place for place, name in enumerate(FEATURES)}
# Below this no chain of pairs can be of use either.
_FLOOR = 0.02
BY_RULE = 0.99
"""The least score of a pair that the rules of identity take for one person."""

CHAIN = 0.75
"""How sure a chain of sure pairs is: on contacts_100k, three in four that nothing contradicts were one person."""

Progress = Callable[[str, int, int], None]
"""Told (what is being done, how far, of how much)."""


@dataclass(frozen=True, slots=True)
class Suggestions:
    """Pairs of places, the likeliest first.

    ``via`` is the contact in between, -1 for a pair that stands by itself; ``has_identifier`` tells which pairs share a
    canonical e-mail or phone.
    """

    left: Places
    right: Places
    scores: Scores
    via: Places
    has_identifier: NDArray[np.bool_]
    candidates: int

    def __len__(self) -> int:
        return len(self.left)


def suggest(
    columns: Columns,
    *,
    least: float = 0.5,
    model: Model | None = None,
    processes: int = 1,
    on_progress: Progress = lambda *_: None,
) -> Suggestions:
    """Return the pairs of a book that are one person with a probability of at least ``least``.

    With more than one process a large book is compared by that many, where the system can fork.
    """
    model = model or shipped_model()
    done = 0

    def on_rule() -> None:
        nonlocal done
        done += 1
        on_progress("looking for pairs", done, len(RULES))

    pairs = candidates(columns, on_rule)
    left, right, scores = _scored(columns, pairs, model, min(least, _FLOOR), processes, on_progress)
    on_progress("following chains", 0, 1)
    # What only the rule joins, against the names, leads no further: such an e-mail is more than one person's.
    is_link = np.ones(len(left), dtype=bool)
    for begin in range(0, len(left), _CHUNK):
        part = slice(begin, begin + _CHUNK)
        is_link[part] = ~contradicts_by_name(features(columns, left[part], right[part]))
    keys, chained, via = implied(left[is_link], right[is_link], scores[is_link], least / CHAIN)
    chained = chained * CHAIN
    left, right, scores, via = _merge(columns, (left, right, scores), (keys, chained, via))
    kept = np.flatnonzero(scores >= least)
    order = kept[np.lexsort((right[kept], left[kept], -scores[kept]))]
    left, right = left[order], right[order]
    on_progress("following chains", 1, 1)
    return Suggestions(left, right, scores[order], via[order], shares_identifier(columns, left, right), len(pairs))


def shares_identifier(columns: Columns, left: Places, right: Places) -> NDArray[np.bool_]:
    """Tell which pairs share a canonical e-mail or phone."""
    same = np.zeros(len(left), dtype=bool)
    for trait in ("email", "phone"):
        codes = columns.codes[trait]
        same |= (codes[left] == codes[right]) & (codes[left] != 0)
    return same


def why(columns: Columns, found: Suggestions) -> Iterator[list[str]]:
    """Give the reasons of each pair, in order."""
    for begin in range(0, len(found), _CHUNK):
        part = slice(begin, begin + _CHUNK)
        matrix = features(columns, found.left[part], found.right[part])
        for row, via in zip(matrix, found.via[part].tolist(), strict=True):
            told = reasons(row)
            yield told if via < 0 else ["both match a third contact", *told]


def by_rule(matrix: Matrix) -> NDArray[np.bool_]:
    """Tell which pairs are one person by the rules: the same e-mail (R3), or the same phone and names that fit (R4)."""
    first, last = matrix[:, _AT["first"]], matrix[:, _AT["last"]]
    fits = ((first >= INITIAL) | (first == MISSING)) & ((last >= INITIAL) | (last == MISSING))
    # A firm's listing has no person's name: two of them on one line are one when they are one firm.
    company = matrix[:, _AT["company"]]
    says_who = (first >= INITIAL) | (last >= INITIAL) | (company == 1)
    nobody_named = (first == MISSING) & (last == MISSING) & (company == MISSING)
    may_be_one = (matrix[:, _AT["suffix"]] != 0) & (matrix[:, _AT["suffix"]] != -2)
    email = (matrix[:, _AT["email"]] == 4) & (matrix[:, _AT["role"]] == 0)
    phone = (matrix[:, _AT["phone_distance"]] == 0) & fits & (says_who | nobody_named)
    return np.asarray((email | phone) & may_be_one, dtype=bool)


def contradicts_by_name(matrix: Matrix) -> NDArray[np.bool_]:
    """Tell which pairs share an e-mail or phone and yet have another first or last name."""
    column = {name: matrix[:, place] for name, place in _AT.items()}
    shared = (column["email"] == 4) | (column["phone_distance"] == 0)
    return np.asarray(shared & ((column["first"] == DIFFERENT) | (column["last"] == DIFFERENT)), dtype=bool)


def contradicts(matrix: Matrix) -> NDArray[np.bool_]:
    """Tell which pairs no chain may join: their own values say that they are two."""
    column = {name: matrix[:, place] for name, place in _AT.items()}
    first, last = column["first"], column["last"]
    other_name = ((first == DIFFERENT) | (last == DIFFERENT)) & (column["name_similarity"] < 0.7)
    unnamed = (first < INITIAL) & (last < INITIAL)
    other_firm = (column["company"] > MISSING) & (column["company_words_all"] < 0.5)
    other_place = unnamed & (other_firm | (column["house"] == 0))
    other_number = (column["birth_date"] > 3) | (column["number_distance"] > 3)
    suffix = (column["suffix"] == SUFFIXES_DIFFER) | (column["suffix"] == 0)
    return np.asarray(other_name | other_place | other_number | suffix, dtype=bool)


def _scored(
    columns: Columns, pairs: NDArray[np.uint64], model: Model, floor: float, processes: int, on_progress: Progress
) -> tuple[Places, Places, Scores]:
    """Return the pairs that reach ``floor``, with their scores."""
    kept: list[tuple[NDArray[np.uint64], Scores]] = []
    comparing = _Comparing(columns, pairs, model, floor)
    begins = range(0, len(pairs), _CHUNK)
    if processes > 1 and len(pairs) > _WORTH_FORKING and "fork" in multiprocessing.get_all_start_methods():
        # What is shared is made before the fork, so that it is made once.
        comparing(0)
        _shared.append(comparing)
        try:
            with multiprocessing.get_context("fork").Pool(processes) as pool:
                for nth, some in enumerate(pool.imap(_compare, begins)):
                    kept.append(some)
                    on_progress("comparing", min((nth + 1) * _CHUNK, len(pairs)), len(pairs))
        finally:
            _shared.remove(comparing)
    else:
        for begin in begins:
            kept.append(comparing(begin))
            on_progress("comparing", min(begin + _CHUNK, len(pairs)), len(pairs))
    if not kept:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    left, right = places(np.concatenate([some for some, _ in kept]))
    return left, right, np.concatenate([scores for _, scores in kept])


@dataclass(frozen=True, slots=True, eq=False)
class _Comparing:
    """Scores a chunk of the pairs."""

    columns: Columns
    pairs: NDArray[np.uint64]
    model: Model
    floor: float

    def __call__(self, begin: int) -> tuple[NDArray[np.uint64], Scores]:
        some = self.pairs[begin : begin + _CHUNK]
        matrix = features(self.columns, *places(some))
        scores = self.model.scores(matrix)
        scores = np.where(by_rule(matrix), np.maximum(scores, BY_RULE), scores)
        # Father and son are two people, whatever else they share.
        scores = np.where(matrix[:, _AT["suffix"]] == SUFFIXES_DIFFER, 0.0, scores)
        fine = scores >= self.floor
        return some[fine], scores[fine]


# What forked processes find in their memory: a book is not sent to them.
_shared: list[_Comparing] = []


def _compare(begin: int) -> tuple[NDArray[np.uint64], Scores]:
    return _shared[-1](begin)


def _merge(
    columns: Columns, direct: tuple[Places, Places, Scores], chained: tuple[NDArray[np.uint64], Scores, Places]
) -> tuple[Places, Places, Scores, Places]:
    """Join direct pairs and chains: of a pair that is both, the likelier score; never across what excludes it."""
    left, right, scores = direct
    keys, chain_scores, chain_via = chained
    own = left.astype(np.uint64) << np.uint64(32) | right.astype(np.uint64)
    one, other = places(keys)
    possible = np.ones(len(keys), dtype=bool)
    for begin in range(0, len(keys), _CHUNK):
        part = slice(begin, begin + _CHUNK)
        possible[part] = ~contradicts(features(columns, one[part], other[part]))
    keys, chain_scores, chain_via = keys[possible], chain_scores[possible], chain_via[possible]
    all_keys = np.r_[own, keys]
    all_scores, via = np.r_[scores, chain_scores], np.r_[np.full(len(own), -1), chain_via]
    order = np.lexsort((via, -all_scores, all_keys))
    all_keys, all_scores, via = all_keys[order], all_scores[order], via[order]
    first = np.r_[True, all_keys[1:] != all_keys[:-1]] if len(all_keys) else np.zeros(0, bool)
    one, other = places(all_keys[first])
    return one, other, all_scores[first], via[first]
