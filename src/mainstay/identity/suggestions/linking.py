"""What follows from the pairs: who is like B, who is A, is like A, though the two records share nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mainstay.identity.suggestions.features import Places
from mainstay.identity.suggestions.scoring import Scores

_LEAST = 0.5
_MOST_NEIGHBOURS = 12
_ROUNDS = 2


def implied(left: Places, right: Places, scores: Scores, least: float) -> tuple[NDArray[np.uint64], Scores, Places]:
    """Return pairs that follow from two or more likely ones, with their probability and the contact in between.

    ``left`` < ``right``. A chain is as likely as all its links together; the best chain counts. Only chains that
    reach ``least`` are returned; of a contact with very many neighbours the likeliest are followed.
    """
    strong = np.flatnonzero(scores >= max(_LEAST, least))
    keys = left[strong].astype(np.uint64) << np.uint64(32) | right[strong].astype(np.uint64)
    best, via = scores[strong].astype(np.float64), np.full(len(strong), -1, dtype=np.int64)
    direct = (left[strong], right[strong], best)
    for _ in range(_ROUNDS):
        one, other = (keys >> np.uint64(32)).astype(np.int64), (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)
        new = _joined((one, other, best), direct, least)
        if not len(new[0]):
            break
        keys, best, via = _best(np.r_[keys, new[0]], np.r_[best, new[1]], np.r_[via, new[2]])
    chained = via >= 0
    return keys[chained], best[chained], via[chained]


def _joined(
    paths: tuple[Places, Places, Scores], links: tuple[Places, Places, Scores], least: float
) -> tuple[NDArray[np.uint64], Scores, Places]:
    """Extend every path by one link at either end."""
    size = int(max(links[1].max(initial=0), paths[1].max(initial=0))) + 1
    ends = np.r_[links[0], links[1]]
    to = np.r_[links[1], links[0]]
    chance = np.r_[links[2], links[2]]
    order = np.lexsort((-chance, ends))
    ends, to, chance = ends[order], to[order], chance[order]
    begins = np.searchsorted(ends, np.arange(size + 1))
    keys, scores, between = [], [], []
    for begin, end in ((paths[0], paths[1]), (paths[1], paths[0])):
        degree = begins[end + 1] - begins[end]
        for nth in range(min(int(degree.max(initial=0)), _MOST_NEIGHBOURS)):
            has = np.flatnonzero(degree > nth)
            place = begins[end[has]] + nth
            one, other = begin[has], to[place]
            score = paths[2][has] * chance[place]
            fine = (one != other) & (score >= least)
            low, high = np.minimum(one, other)[fine], np.maximum(one, other)[fine]
            keys.append(low.astype(np.uint64) << np.uint64(32) | high.astype(np.uint64))
            scores.append(score[fine])
            between.append(end[has][fine])
    if not keys:
        return np.zeros(0, np.uint64), np.zeros(0), np.zeros(0, np.int64)
    return np.concatenate(keys), np.concatenate(scores), np.concatenate(between)


def _best(keys: NDArray[np.uint64], scores: Scores, via: Places) -> tuple[NDArray[np.uint64], Scores, Places]:
    """Keep one path per pair: a direct one where there is one, else the likeliest, the same whatever the order."""
    order = np.lexsort((via, -scores, via >= 0, keys))
    keys, scores, via = keys[order], scores[order], via[order]
    first = np.r_[True, keys[1:] != keys[:-1]] if len(keys) else np.zeros(0, bool)
    return keys[first], scores[first], via[first]
