"""What a workspace's own decisions teach: the shipped model's probabilities, made those of this book.

The log odds of the model are stretched and shifted. Both are fitted to the decisions with a prior that they need no
change, so that ten decisions alter little and two hundred much; the order of pairs is never altered.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_SLOPE_SPREAD, _INTERCEPT_SPREAD = 0.2, 0.4
"""How far, as a standard deviation, a workspace is expected to lie from the model before it has decided anything."""
_LEAST_SLOPE, _MOST_SLOPE = 0.2, 4.0
_ROUNDS = 50
_NEARLY = 1e-6
_FARTHEST = 6.0
"""Log odds beyond this teach no more than this: one answer against all odds is mostly a slip of the hand."""

Probabilities = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Learned:
    """How a workspace's probabilities follow from the model's; ``decisions`` of how many answers it was learned."""

    slope: float = 1.0
    intercept: float = 0.0
    decisions: int = 0

    def refine(self, scores: ArrayLike) -> Probabilities:
        """Return the workspace's probabilities of pairs, from the model's."""
        plain = np.asarray(scores, dtype=np.float64)
        if self == Learned(decisions=self.decisions):
            return plain
        return _probability(self.intercept + self.slope * _log_odds(plain))

    def model_score(self, probability: float) -> float:
        """Return the model's score that comes to this probability: the way back."""
        return float(_probability((_log_odds(np.asarray(probability)) - self.intercept) / self.slope))


def learn(scores: ArrayLike, answers: ArrayLike) -> Learned:
    """Learn from decided suggestions: the shipped model's ``scores``, and whether each pair was accepted.

    The fit is the likeliest slope and intercept under the prior; it is the only one there is.
    """
    odds = np.clip(_log_odds(np.asarray(scores, dtype=np.float64)), -_FARTHEST, _FARTHEST)
    said = np.asarray(answers, dtype=np.float64)
    design = np.stack([odds, np.ones_like(odds)])
    slope, intercept = _fit(design, said, np.array([1.0, 0.0]), np.array([True, True]))
    if not _LEAST_SLOPE <= slope <= _MOST_SLOPE:
        slope = min(max(slope, _LEAST_SLOPE), _MOST_SLOPE)
        slope, intercept = _fit(design, said, np.array([slope, intercept]), np.array([False, True]))
    return Learned(slope, intercept, len(odds))


def _fit(
    design: Probabilities, said: Probabilities, start: Probabilities, free: NDArray[np.bool_]
) -> tuple[float, float]:
    """Climb to the likeliest slope and intercept; what is not free stays as it starts."""
    prior, precision = np.array([1.0, 0.0]), np.array([_SLOPE_SPREAD**-2, _INTERCEPT_SPREAD**-2])
    found = start.copy()
    for _ in range(_ROUNDS):
        chance = _probability(found @ design)
        rise = (design @ (said - chance) - precision * (found - prior))[free]
        curve = ((design * (chance * (1 - chance))) @ design.T + np.diag(precision))[np.ix_(free, free)]
        step = np.linalg.solve(curve, rise)
        # A whole step may go too far where decisions are one-sided.
        found[free] += step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < _NEARLY:
            break
    return float(found[0]), float(found[1])


def _log_odds(scores: Probabilities) -> Probabilities:
    kept = np.clip(scores, _NEARLY, 1 - _NEARLY)
    return np.log(kept / (1 - kept))


def _probability(odds: Probabilities) -> Probabilities:
    return 1 / (1 + np.exp(-odds))
