"""How right the merges by exact keys (R1 to R5) are: a labelled book through the real resolve(), line by line.

    python3 bench/merge_precision.py contacts_100k.parquet [--batch 200] [--show 20]

The file has the columns id, person (who it really is), kind (what was done to the line), first_name, last_name, email,
phone, company, country, source, updated_at. Needs pyarrow. Precision is counted over pairs of lines in one contact: how
many are one person; recall over the pairs of one person that have an e-mail or phone in common. Beside it the peer:
whatever shares an e-mail or a phone is one.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any
from uuid import UUID

from pyarrow import parquet

from mainstay.db import acquire, open_pool, transact
from mainstay.errors import MalformedError
from mainstay.identity import ContactWrite, Person, Resolution, normalise, resolve
from mainstay.model import Submission, new_id
from mainstay.testing.database import fresh_database, server, template

Pair = tuple[int, int]


def person_of(row: Mapping[str, Any]) -> Person | None:
    """Return a line in canonical form, None where nobody can be recognised by it."""
    submission = Submission(
        **{name: row[name] for name in ("first_name", "last_name", "email", "phone", "company", "source")},
        occurred_at=datetime.fromtimestamp(row["updated_at"], UTC),
    )
    try:
        return normalise(submission, row["country"])
    except MalformedError:
        return None


async def contacts_of(dsn: str, people: Mapping[int, Person], batch: int) -> dict[int, UUID]:
    """Write every line, in the order of the file; returns line to the contact that it is in the end."""
    pool = await open_pool(dsn, size=2)
    workspace = new_id()
    async with acquire(pool) as connection:
        await connection.execute("INSERT INTO workspaces (id, slug, name) VALUES ($1, 'b', 'Bench')", workspace)
    lines = list(people)
    found: dict[int, UUID] = {}
    for first in range(0, len(lines), batch):
        part = lines[first : first + batch]
        writes = [ContactWrite(workspace, people[line], "file", kind="import") for line in part]

        async def work(connection: Any, writes: list[ContactWrite] = writes) -> list[Any]:
            return await resolve(connection, writes)

        for line, resolution in zip(part, await transact(pool, work), strict=True):
            if isinstance(resolution, Resolution):
                found[line] = resolution.contact.id
        if sys.stderr.isatty():
            print(f"\r{first + len(part):,} of {len(lines):,}", end="", file=sys.stderr)
    async with acquire(pool) as connection:
        rows = await connection.fetch(
            "SELECT id, surviving(id) AS means FROM unnest($1::uuid[]) AS t (id)", list(set(found.values()))
        )
    await pool.close()
    means = {row["id"]: row["means"] for row in rows}
    return {line: means[contact] for line, contact in found.items()}


def pairs_of(groups: Iterable[Iterable[int]]) -> set[Pair]:
    """Return the pairs within groups."""
    return {pair for group in groups for pair in combinations(sorted(group), 2)}


def groups_by(keys: Mapping[int, Any]) -> list[list[int]]:
    """Return the lines that have a key in common, by key."""
    found: dict[Any, list[int]] = defaultdict(list)
    for line, key in keys.items():
        if key:
            found[key].append(line)
    return list(found.values())


def naive(people: Mapping[int, Person]) -> set[Pair]:
    """Return the pairs of the peer: one, whatever is connected by an equal e-mail or phone."""
    root: dict[int, int] = {line: line for line in people}

    def top(line: int) -> int:
        while root[line] != line:
            root[line] = root[root[line]]
            line = root[line]
        return line

    for kind in ("email", "phone"):
        for group in groups_by({line: getattr(person, kind) for line, person in people.items()}):
            for line in group[1:]:
                root[top(line)] = top(group[0])
    return pairs_of(groups_by({line: top(line) + 1 for line in people}))


def tell(name: str, merged: set[Pair], alike: set[Pair], rows: Mapping[int, Mapping[str, Any]]) -> set[Pair]:
    """Print what a way of merging got right; returns its false merges."""
    false = {(a, b) for a, b in merged if rows[a]["person"] != rows[b]["person"]}
    share = 1 - len(false) / len(merged) if merged else 1.0
    print(
        f"{name}: precision {share:.4f} ({len(merged):,} pairs, {len(false):,} false), "
        f"recall of pairs with an identifier in common {len(merged & alike) / len(alike):.4f} ({len(alike):,})"
    )
    return false


def main() -> int:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("book", type=Path)
    parser.add_argument("--batch", type=int, default=200)
    parser.add_argument("--show", type=int, default=0, help="false merges to show")
    options = parser.parse_args()
    rows = {row["id"]: row for row in parquet.read_table(options.book).to_pylist()}
    people = {line: person for line, row in rows.items() if (person := person_of(row)) is not None}
    truth = pairs_of(groups_by({line: row["person"] + 1 for line, row in rows.items()}))
    common = {
        pair
        for kind in ("email", "phone")
        for pair in pairs_of(
            groups_by({line: getattr(each, kind) for line, each in people.items() if each.identifies(kind)})
        )
    }
    alike = truth & common
    print(f"{len(rows):,} lines, {len(people):,} of somebody, {len(truth):,} true pairs")
    tell("any equal e-mail or phone", naive(people), alike, rows)
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as dsn, fresh_database(
        dsn, template(dsn)
    ) as database:  # fmt: skip
        began = time.perf_counter()
        contacts = asyncio.run(contacts_of(database, people, options.batch))
        seconds = time.perf_counter() - began
    merged = pairs_of(groups_by(contacts))
    false = tell("resolve()", merged, alike, rows)
    print(f"{len(people) / seconds:,.0f} writes/s, one connection, {options.batch} a transaction")
    print("false, by what was done to the lines:", Counter(_kinds(rows, pair) for pair in false).most_common(12))
    print(
        "missed, by what was done to the lines:", Counter(_kinds(rows, pair) for pair in alike - merged).most_common(8)
    )
    for a, b in sorted(false)[: options.show]:
        for line in (a, b):
            print({name: rows[line][name] for name in ("kind", "first_name", "last_name", "email", "phone")})
        print()
    return 0


def _kinds(rows: Mapping[int, Mapping[str, Any]], pair: Pair) -> str:
    return " + ".join(sorted(rows[line]["kind"] for line in pair))


if __name__ == "__main__":
    sys.exit(main())
