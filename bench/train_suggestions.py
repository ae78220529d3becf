"""Train the model of suggestions, and write it with its card.

    python bench/train_suggestions.py --shared ../shared/identity --books DIR [--out PATH]

Needs ``catboost`` beside the bench's other packages. Trains on half of the persons of contacts_100k, and on made books of
``people.py`` (made in DIR if they are not there), the same book in several shapes: with birth dates and without e-mails,
names in one column, no address. Other persons and other seeds are held out; bench/suggestions.py judges on those.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import orjson
from catboost import CatBoostClassifier, Pool

from mainstay.identity.suggestions.blocking import candidates, places
from mainstay.identity.suggestions.columns import Builder, Columns
from mainstay.identity.suggestions.features import FEATURES, features
from mainstay.identity.suggestions.scoring import read_model
from mainstay.identity.suggestions.traits import FIELDS, read

CONTACTS = ("first_name", "last_name", "email", "phone", "company", "street", "city", "postcode", "country")
SHAPES: Mapping[str, Sequence[str]] = {
    "contacts": CONTACTS,
    "all": (*CONTACTS, "birth_date", "number"),
    "census": ("first_name", "last_name", "street", "city", "postcode", "birth_date", "number"),
    "register": ("first_name", "last_name", "city", "birth_date", "email"),
    "list": ("full_name", "email", "phone"),
    "ledger": ("first_name", "last_name", "phone", "company", "street", "city", "postcode"),
    "dates": ("first_name", "last_name", "city", "postcode", "birth_date"),
}
TRAINING = (
    (11, 100_000, "contacts"), (12, 100_000, "all"), (13, 100_000, "census"), (14, 100_000, "ledger"),
    (15, 100_000, "register"), (16, 30_000, "list"), (17, 30_000, "dates"), (3, 1_000_000, "contacts"),
    (21, 1_000_000, "contacts"),
)  # fmt: skip
"""Seed, size and shape of the made books."""

_NEGATIVES = 250_000
_CHUNK = 200_000


@dataclass(frozen=True)
class Pairs:
    """Candidates of one book: features, whether they are one person, and how many pairs each row stands for."""

    matrix: np.ndarray
    truth: np.ndarray
    weight: np.ndarray


def columns_of(rows: Iterator[tuple[Any, ...]], names: Sequence[str], fields: Sequence[str]) -> Columns:
    """Return a book as columns, with these fields only."""
    builder = Builder()
    where = {name: names.index(name) for name in fields if name in names}
    joins = "full_name" in fields and "full_name" not in names
    for row in rows:
        record = {name: "" if row[place] is None else str(row[place]) for name, place in where.items()}
        if joins:
            record["full_name"] = f"{row[names.index('first_name')]} {row[names.index('last_name')]}".strip()
        builder.add(read(record, "US"))
    return builder.done()


def load(path: Path, fields: Sequence[str] = FIELDS, where: str = "true") -> tuple[Columns, np.ndarray]:
    """Return a labelled book and who each of its rows is."""
    with duckdb.connect() as connection:
        table = connection.sql(f"SELECT * FROM '{path}' WHERE {where}")  # noqa: S608 - a path of this script
        names, rows = table.columns, table.fetchall()
    label = names.index("person") if "person" in names else names.index("cluster")
    people: dict[Any, int] = {}
    person = np.array([people.setdefault(row[label], len(people)) for row in rows])
    return columns_of(iter(rows), names, fields), person


def pairs_of(columns: Columns, person: np.ndarray, seed: int) -> Pairs:
    """Return all true candidates and a sample of the others."""
    left, right = places(candidates(columns))
    truth = person[left] == person[right]
    draw = np.random.default_rng(seed)
    share = min(1.0, _NEGATIVES / max((~truth).sum(), 1))
    kept = truth | (draw.random(len(truth)) < share)
    left, right, truth = left[kept], right[kept], truth[kept]
    parts = [features(columns, left[at : at + _CHUNK], right[at : at + _CHUNK]) for at in range(0, len(left), _CHUNK)]
    return Pairs(np.concatenate(parts), truth, np.where(truth, 1.0, 1 / share))


def exported(trained: CatBoostClassifier, curve: tuple[np.ndarray, np.ndarray], card: Mapping[str, Any]) -> dict[str, Any]:
    """Return the trees as the package reads them."""
    path = Path(f"/tmp/model-{time.time_ns()}.json")  # noqa: S108 - removed below
    trained.save_model(str(path), format="json")
    data = orjson.loads(path.read_bytes())
    path.unlink()
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


DEPTH = 6
