"""Splink on the same book, tuned as its guides advise, for comparison."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import splink.comparison_library as cl
from labelled_books import CONTACTS, load, true_pairs
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

from mainstay.identity.suggestions import shares_identifier

_TRAITS = ("first", "last", "email", "local", "domain", "phone", "company", "street", "house", "city", "postcode")


def judge(path: Path) -> None:
    """Print the best F1, and precision at recall .80, among pairs without a common identifier."""
    columns, person = load(path, CONTACTS)
    table = {"unique_id": np.arange(columns.size)}
    for trait in _TRAITS:
        values = columns.of_trait(trait).copy()
        values[0] = None
        table[trait] = values[columns.codes[trait]]
    began = time.monotonic()
    api = DuckDBAPI()
    book = api.register(pa.table(table))
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[
            cl.NameComparison("first").configure(term_frequency_adjustments=True),
            cl.NameComparison("last").configure(term_frequency_adjustments=True),
            cl.LevenshteinAtThresholds("email", [1, 2]),
            cl.LevenshteinAtThresholds("phone", [1, 2]),
            cl.ExactMatch("company").configure(term_frequency_adjustments=True),
            cl.ExactMatch("postcode").configure(term_frequency_adjustments=True),
            cl.ExactMatch("city").configure(term_frequency_adjustments=True),
            cl.ExactMatch("house"),
        ],
        blocking_rules_to_generate_predictions=[
            block_on("email"),
            block_on("phone"),
            block_on("local"),
            block_on("last", "first"),
            block_on("postcode", "house"),
            block_on("last", "substr(first, 1, 1)", "city"),
            block_on("last", "company"),
            block_on("first", "city", "substr(last, 1, 1)"),
        ],
    )
    linker = Linker(book, settings)
    linker.training.estimate_probability_two_random_records_match([block_on("email"), block_on("phone")], recall=0.5)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
    for rule in (block_on("last", "first"), block_on("postcode"), block_on("email")):
        try:
            linker.training.estimate_parameters_using_expectation_maximisation(rule)
        except Exception as error:  # noqa: BLE001 - it fails on sparse columns, and goes on with what it has
            print(f"  Splink: {type(error).__name__} in training by {rule}")
    pairs = linker.inference.predict(threshold_match_probability=0.01).as_duckdbpyrelation()
    rows = pairs.project("unique_id_l, unique_id_r, match_weight").fetchall()
    left, right, weight = (np.array(side) for side in zip(*rows, strict=True))
    kept = ~shares_identifier(columns, left, right)
    is_one = (person[left] == person[right])[kept]
    order = np.argsort(-weight[kept], kind="stable")
    true = np.cumsum(is_one[order])
    total = true_pairs(person, columns)
    taken = np.arange(1, len(true) + 1)
    f1 = 2 * true / (taken + total)
    best = int(f1.argmax())
    print(f"  Splink: {time.monotonic() - began:.0f} s; best F1 {f1[best]:.3f}", end="")
    print(f" (precision {true[best] / taken[best]:.3f}, recall {true[best] / total:.3f})", end="")
    reached = np.flatnonzero(true >= 0.8 * total)
    print(
        f"; precision at recall .80 {true[reached[0]] / taken[reached[0]]:.3f}"
        if len(reached)
        else "; recall .80 never"
    )
