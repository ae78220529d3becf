"""Reading labelled books for training and judging."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from mainstay.identity.suggestions import FIELDS, Builder, Columns, read, shares_identifier

CONTACTS = ("first_name", "last_name", "email", "phone", "company", "street", "city", "postcode", "country")


def columns_of(rows: Iterable[tuple[Any, ...]], names: Sequence[str], fields: Sequence[str]) -> Columns:
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
    return columns_of(rows, names, fields), person


def true_pairs(person: np.ndarray, columns: Columns) -> int:
    """Return how many pairs are one person and share no identifier."""
    order = np.argsort(person, kind="stable")
    begins = np.flatnonzero(np.r_[True, np.diff(person[order]) != 0])
    sizes = np.diff(np.r_[begins, len(order)])
    count = 0
    for size in np.unique(sizes[sizes > 1]).tolist():
        block = order[begins[sizes == size][:, None] + np.arange(size)]
        one, other = np.triu_indices(size, 1)
        count += int((~shares_identifier(columns, block[:, one].ravel(), block[:, other].ravel())).sum())
    return count
