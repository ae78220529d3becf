"""How likely two contacts are one person: the shipped model over the features of a pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from mainstay.identity.suggestions.columns import Columns, Frequencies
from mainstay.identity.suggestions.features import FEATURES, Matrix, features
from mainstay.identity.suggestions.traits import Traits

MODEL_FILE = "model.json"
_ROWS = 8192

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Model:
    """Symmetric trees of one depth, then a curve that makes probabilities of their sums.

    A tree asks the same question of all pairs at one depth, so its answers are the bits of a leaf's number.
    ``questions`` (trees x depth) are places of features, ``limits`` what they must exceed, ``leaves`` the values.
    """

    questions: NDArray[np.int64]
    limits: NDArray[np.float32]
    leaves: NDArray[np.float64]
    bias: float
    curve_from: Scores
    curve_to: Scores
    card: Mapping[str, Any]

    def margins(self, matrix: Matrix) -> Scores:
        """Return the sum of the trees for each row: log odds before the curve."""
        found = np.full(len(matrix), self.bias)
        for begin in range(0, len(matrix), _ROWS):
            # Column by column, in what the processor's cache holds: ten times as quick as row by row.
            columns = np.ascontiguousarray(matrix[begin : begin + _ROWS].T)
            total = found[begin : begin + _ROWS]
            number = np.empty(len(total), dtype=np.uint8)
            answer = np.empty(len(total), dtype=bool)
            for places, limits, leaves in zip(self.questions.tolist(), self.limits, self.leaves, strict=True):
                number[:] = 0
                for place, limit in zip(places, limits, strict=True):
                    np.greater(columns[place], limit, out=answer)
                    np.left_shift(number, 1, out=number)
                    np.bitwise_or(number, answer.view(np.uint8), out=number)
                total += leaves.take(number)
        return found

    def probabilities(self, margins: Scores) -> Scores:
        """Return the calibrated probability of each margin."""
        return np.interp(margins, self.curve_from, self.curve_to)

    def scores(self, matrix: Matrix) -> Scores:
        """Return the calibrated probability of each row of features."""
        return self.probabilities(self.margins(matrix))


@cache
def shipped_model() -> Model:
    """Return the model that comes with the package."""
    return read_model(orjson.loads(files(__package__).joinpath(MODEL_FILE).read_bytes()))


def read_model(data: Mapping[str, Any]) -> Model:
    """Read a model as the training writes it.

    Raises:
        ValueError: it was trained on other features than these.
    """
    if tuple(data["features"]) != FEATURES:
        raise ValueError("the model was trained on other features: train it anew with bench/train_suggestions.py")
    trees: Sequence[Mapping[str, Any]] = data["trees"]
    return Model(
        np.array([tree["questions"] for tree in trees], dtype=np.int64),
        np.array([tree["limits"] for tree in trees], dtype=np.float32),
        np.array([tree["leaves"] for tree in trees], dtype=np.float64)[:, _turned(len(trees[0]["questions"]))],
        float(data["bias"]),
        np.array(data["curve"]["from"], dtype=np.float64),
        np.array(data["curve"]["to"], dtype=np.float64),
        data["card"],
    )


def _turned(depth: int) -> NDArray[np.int64]:
    """Return the leaves' order with the first answer as the highest bit; the file has it as the lowest."""
    numbers = np.arange(1 << depth)
    return sum(((numbers >> bit & 1) << (depth - 1 - bit) for bit in range(depth)), start=np.zeros_like(numbers))


def score(one: Traits, others: Sequence[Traits], known: Frequencies, model: Model | None = None) -> Scores:
    """Return how likely each of ``others`` is the same person as ``one``, in a book with these frequencies."""
    columns = Columns.of([one, *others], known)
    places = np.arange(1, len(others) + 1)
    return (model or shipped_model()).scores(features(columns, np.zeros_like(places), places))
