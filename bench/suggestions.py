"""How good suggestions are, how fast, in how much memory; beside Splink where it is installed.

    python bench/suggestions.py --books DIR [--shared ../shared/identity] [--sizes 100000 1000000] [--splink]

Runs the command itself, as a newcomer does, on made books of seeds that the model has not seen, and on the held-out
half of the persons of contacts_100k. What counts is precision and recall among pairs without a common identifier.
Needs the packages ``faker``, ``names`` and ``pyarrow``; ``--splink`` the package ``splink``.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import people
from labelled_books import CONTACTS, load, true_pairs

SEEDS = {100_000: 31, 1_000_000: 5}
LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
BANDS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.01)


@dataclass(frozen=True)
class Truth:
    """True pairs of a book without a common identifier, and who each id is."""

    who: dict[str, int]
    without_identifier: int


def truth_of(path: Path) -> Truth:
    """Read the labels. What counts as a common identifier is what normalisation makes of both."""
    columns, person = load(path, CONTACTS)
    with duckdb.connect() as connection:
        ids = [str(row[0]) for row in connection.execute("SELECT id FROM read_parquet(?)", [str(path)]).fetchall()]
    count = true_pairs(person, columns)
    return Truth(dict(zip(ids, person.tolist(), strict=True)), count)


def judge(path: Path, title: str) -> None:
    """Run the command on a book, and print what it found."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "pairs.csv")
        command = [sys.executable, "-m", "mainstay", "contacts", "suggest", str(path), "--out", str(out), "--json"]
        began = time.monotonic()
        done = subprocess.run(
            [*command, "--only-suggestions", "--threshold", "0.05"], capture_output=True, text=True, check=False
        )
        wall = time.monotonic() - began
        if done.returncode == 2 or not out.is_file():
            raise SystemExit(done.stderr)
        told = json.loads(done.stdout)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        truth = truth_of(path)
        with out.open(newline="") as file:
            pairs = [(float(row["score"]), truth.who[row["a"]] == truth.who[row["b"]]) for row in csv.DictReader(file)]
    print(f"\n{title}: {told['contacts']:,} contacts, {told['compared']:,} pairs compared")
    print(
        f"  {wall:.0f} s on the clock, {used.ru_utime + used.ru_stime:.0f} s of CPU, peak {used.ru_maxrss / 1e6:.2f} GB"
    )
    report(np.array([score for score, _ in pairs]), np.array([is_one for _, is_one in pairs]), truth.without_identifier)
    reliability(np.array([score for score, _ in pairs]), np.array([is_one for _, is_one in pairs]))


def report(scores: np.ndarray, is_one: np.ndarray, total: int) -> None:
    """Print precision and recall among pairs without a common identifier."""
    print(f"  pairs without a common identifier: {total:,} true")
    for level in LEVELS:
        taken = scores >= level
        print(f"    {level:.2f}: precision {is_one[taken].mean():.4f}, recall {is_one[taken].sum() / total:.4f}")
    order = np.argsort(-scores, kind="stable")
    true = np.cumsum(is_one[order])
    reached = np.flatnonzero(true >= 0.8 * total)
    if len(reached):
        print(f"    precision at recall .80: {true[reached[0]] / (reached[0] + 1):.4f}")


def reliability(scores: np.ndarray, is_one: np.ndarray) -> None:
    """Print, by band of score, the share that is true."""
    print("  reliability (score said, share true, pairs):")
    for low, high in pairwise(BANDS):
        inside = (scores >= low) & (scores < high)
        if inside.any():
            said, true = scores[inside].mean(), is_one[inside].mean()
            print(f"    {low:.2f}-{min(high, 1):.2f}: {said:.3f} {true:.3f} {inside.sum():,}")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--books", type=Path, required=True, help="where made books are kept")
    parser.add_argument("--shared", type=Path, help="the folder with contacts_100k.parquet")
    parser.add_argument("--sizes", type=int, nargs="*", default=[100_000, 1_000_000])
    parser.add_argument("--splink", action="store_true", help="measure Splink on the same books")
    given = parser.parse_args()
    given.books.mkdir(parents=True, exist_ok=True)
    paths = made(given.books, given.sizes)
    if given.shared:
        half = given.books / "held_out_half.parquet"
        with duckdb.connect() as connection:
            source = given.shared / "contacts_100k.parquet"
            connection.execute(f"COPY (FROM '{source}' WHERE person % 2 = 1) TO '{half}' (FORMAT parquet)")
        paths = [("held-out half of contacts_100k", half), *paths]
    for title, path in paths:
        judge(path, title)
        if given.splink:
            import splink_baseline  # noqa: PLC0415 - it is installed where it is asked for

            splink_baseline.judge(path)


def made(folder: Path, sizes: Sequence[int]) -> list[tuple[str, Path]]:
    """Return the made books, making those that are not there."""
    found = []
    for size in sizes:
        path = folder / f"bench_{size}.parquet"
        if not path.is_file():
            people.write(people.Book(size, SEEDS.get(size, 5)).make(), path)
        found.append((f"made book, seed {SEEDS.get(size, 5)}", path))
    return found


if __name__ == "__main__":
    main()
