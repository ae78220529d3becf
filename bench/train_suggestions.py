"""Train the model of suggestions, and write it with its card.

    python bench/train_suggestions.py --shared ../shared/identity --books DIR [--out PATH]

Needs ``catboost`` and ``scikit-learn`` beside the bench's other packages. Trains on half of the persons of
contacts_100k, and on made books (made in DIR where they are not there) in several shapes: with birth dates and without
e-mails, names in one column, no address. Other persons and seeds are held out; bench/suggestions.py judges on those.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import businesses
import catboost
import numpy as np
import orjson
import people
from catboost import CatBoostClassifier, Pool
from labelled_books import CONTACTS, load
from sklearn.isotonic import IsotonicRegression

from mainstay.identity import suggestions
from mainstay.identity.suggestions.blocking import candidates, places
from mainstay.identity.suggestions.columns import Columns
from mainstay.identity.suggestions.features import FEATURES, features
from mainstay.identity.suggestions.scoring import Model, read_model

SHAPES: Mapping[str, Sequence[str]] = {
    "contacts": CONTACTS,
    "all": (*CONTACTS, "birth_date", "number"),
    "census": ("first_name", "last_name", "street", "city", "postcode", "birth_date", "number"),
    "register": ("first_name", "last_name", "city", "birth_date", "email"),
    "list": ("full_name", "email", "phone"),
    "ledger": ("first_name", "last_name", "phone", "company", "street", "city", "postcode"),
    "businesses": ("full_name", "phone", "street", "city"),
    "dates": ("first_name", "last_name", "city", "postcode", "birth_date"),
}
TRAINING = (
    (11, 100_000, "contacts"),
    (12, 100_000, "all"),
    (13, 100_000, "census"),
    (14, 100_000, "ledger"),
    (15, 100_000, "register"),
    (16, 30_000, "list"),
    (17, 30_000, "dates"),
    (18, 20_000, "businesses"),
    (19, 4_000, "businesses"),
    (3, 1_000_000, "contacts"),
)
"""Seed, size and shape of the made books."""

CALIBRATION = (4, 1_000_000, "contacts")
DEPTH = 6
SEED = 1
_MOST = 110_000
_CHUNK = 200_000


@dataclass(frozen=True)
class Pairs:
    """Candidates of one book: features, whether they are one person, and how many pairs each row stands for."""

    matrix: np.ndarray
    truth: np.ndarray
    weight: np.ndarray


def pairs_of(columns: Columns, person: np.ndarray, seed: int) -> Pairs:
    """Return a sample of the candidates, true ones and others."""
    left, right = places(candidates(columns))
    truth = person[left] == person[right]
    draw = np.random.default_rng(seed)
    shares = [min(1.0, _MOST / max((truth == side).sum(), 1)) for side in (False, True)]
    share = np.where(truth, shares[1], shares[0])
    kept = draw.random(len(truth)) < share
    left, right, truth = left[kept], right[kept], truth[kept]
    parts = [features(columns, left[at : at + _CHUNK], right[at : at + _CHUNK]) for at in range(0, len(left), _CHUNK)]
    return Pairs(np.concatenate(parts), truth, 1 / share[kept])


def exported(
    trained: CatBoostClassifier, curve: tuple[np.ndarray, np.ndarray], card: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the trees as the package reads them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.json")
        trained.save_model(str(path), format="json")
        data = orjson.loads(path.read_bytes())
    scale, bias = data["scale_and_bias"][0], data["scale_and_bias"][1][0]
    trees = []
    for tree in data["oblivious_trees"]:
        depth = len(tree["splits"])
        questions = [split["float_feature_index"] for split in tree["splits"]]
        limits = [split["border"] for split in tree["splits"]]
        leaves = list(tree["leaf_values"])
        while depth < DEPTH:
            # A question that everybody answers with no.
            questions.append(0)
            limits.append(1e30)
            leaves += [0.0] * len(leaves)
            depth += 1
        trees.append(
            {
                "questions": questions,
                "limits": [float(np.float32(limit)) for limit in limits],
                "leaves": [round(leaf * scale, 5) for leaf in leaves],
            }
        )
    return {
        "features": list(FEATURES),
        "trees": trees,
        "bias": bias,
        "curve": {"from": [round(float(x), 4) for x in curve[0]], "to": [round(float(x), 6) for x in curve[1]]},
        "card": card,
    }


def calibrated(margins: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the curve from log odds to probability as the held-out pairs have it, rising everywhere."""
    fitted = IsotonicRegression(out_of_bounds="clip").fit(margins, truth, sample_weight=weight)
    knots = np.arange(-10.0, 10.01, 0.5)
    near = np.linspace(-0.5, 0.5, 21)
    curve = np.array([fitted.predict(knot + near).mean() for knot in knots])
    # A little of the plain curve keeps two pairs of one step apart, and nothing at 0 or 1.
    return knots, np.clip(0.98 * curve + 0.02 / (1 + np.exp(-knots)), 1e-5, 1 - 1e-4)


def cached(folder: Path, name: str, make: Callable[[], Pairs]) -> Pairs:
    """Return pairs, made once."""
    path = folder / f"{name}.npz"
    if not path.is_file():
        pairs = make()
        np.savez(path, matrix=pairs.matrix, truth=pairs.truth, weight=pairs.weight)
        print(f"{name}: {len(pairs.truth):,} rows, {pairs.truth.sum():,} of them one person", flush=True)
    with np.load(path) as data:
        return Pairs(data["matrix"], data["truth"], data["weight"])


def made(folder: Path, seed: int, size: int, shape: str) -> Pairs:
    """Return the pairs of a made book."""

    def make() -> Pairs:
        path = folder / f"book_{seed}.parquet"
        if not path.is_file():
            rows = (businesses if shape == "businesses" else people).Book(size, seed).make()
            fields = businesses.FIELDS if shape == "businesses" else (*people.FIELDS, *people.EXTRA)
            people.write(rows, path, fields)
        return pairs_of(*load(path, SHAPES[shape]), seed)

    return cached(folder, f"{seed}_{shape}", make)


def joined(parts: Sequence[Pairs]) -> Pairs:
    """Return all pairs in one."""
    return Pairs(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("matrix", "truth", "weight")))


def main() -> None:
    """Train, calibrate, judge, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True, help="the folder with contacts_100k.parquet")
    parser.add_argument("--books", type=Path, required=True, help="where made books and their pairs are kept")
    parser.add_argument("--out", type=Path, default=Path(suggestions.__file__).with_name("model.json"))
    given = parser.parse_args()
    given.books.mkdir(parents=True, exist_ok=True)
    contacts = given.shared / "contacts_100k.parquet"
    halves = [
        cached(
            given.books,
            f"half_{half}",
            lambda half=half: pairs_of(*load(contacts, CONTACTS, f"person % 2 = {half}"), 1),
        )
        for half in (0, 1)
    ]
    books = [made(given.books, *each) for each in TRAINING]
    training = joined([halves[0], *books])
    began = time.monotonic()
    settings = {
        "iterations": 300, "depth": DEPTH, "learning_rate": 0.15, "l2_leaf_reg": 3.0, "border_count": 128,
        "random_seed": SEED,
    }  # fmt: skip
    classifier = CatBoostClassifier(**settings, thread_count=2, verbose=50, allow_writing_files=False)
    classifier.fit(Pool(training.matrix, training.truth.astype(int), weight=training.weight))
    print(f"trained on {len(training.truth):,} rows in {time.monotonic() - began:.0f} s", flush=True)
    million, half = made(given.books, *CALIBRATION), halves[1]
    plain = exported(classifier, (np.array([-20.0, 20.0]), np.array([0.0, 1.0])), {})
    model = read_model(plain)
    curve = calibrated(
        *(np.concatenate(both) for both in (
            (model.margins(million.matrix), model.margins(half.matrix)),
            (million.truth, half.truth),
            # Ten books of the half's size weigh as one of the million's.
            (million.weight, half.weight * 10),
        ))
    )  # fmt: skip
    model = replace(model, curve_from=curve[0], curve_to=curve[1])
    metrics = {
        name: judged(model, pairs) for name, pairs in (("million, seed 4", million), ("half of contacts_100k", half))
    }
    card = {
        "what": "probability that two contacts are one person",
        "data": "half of the persons of contacts_100k (own), made books of bench/people.py and bench/businesses.py",
        "books": [{"seed": seed, "size": size, "shape": shape} for seed, size, shape in TRAINING],
        "held_out": "the other half of contacts_100k and the made million of seed 4: curve and metrics",
        "rows": len(training.truth),
        "seed": SEED,
        "settings": settings,
        "trained": datetime.now(UTC).date().isoformat(),
        "library": f"catboost {catboost.__version__}",
        "metrics": metrics,
    }
    given.out.write_bytes(orjson.dumps(exported(classifier, curve, card), option=orjson.OPT_APPEND_NEWLINE))
    print(orjson.dumps(metrics, option=orjson.OPT_INDENT_2).decode())


def judged(model: Model, pairs: Pairs) -> dict[str, float]:
    """Return precision and recall among the candidates without a common identifier."""
    column = {name: pairs.matrix[:, place] for place, name in enumerate(FEATURES)}
    kept = ~((column["email"] == 4) | (column["phone_distance"] == 0))
    scores, truth, weight = model.scores(pairs.matrix[kept]), pairs.truth[kept], pairs.weight[kept]
    found = {}
    for least in (0.5, 0.9):
        taken = scores >= least
        found[f"precision at {least}"] = round(float((truth * weight)[taken].sum() / weight[taken].sum()), 4)
        found[f"recall at {least}"] = round(float((truth * weight)[taken].sum() / (truth * weight).sum()), 4)
    return found


if __name__ == "__main__":
    main()
