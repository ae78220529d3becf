"""A file of contacts, of whatever program: which column is which field, and its rows."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

import phonenumbers

from mainstay.cli.errors import CommandError
from mainstay.connectors.csv_file.reader import Layout, Row, inspect, rows
from mainstay.errors import MalformedError
from mainstay.identity.suggestions import FIELDS
from mainstay.identity.suggestions.records import SPELLINGS
from mainstay.kit.spelling import guess, squash

PARQUET = (".parquet", ".pq")
_TARGETS = {spelling: (field, rank) for field, all_ in SPELLINGS.items() for rank, spelling in enumerate(all_)}
# By these two contacts can be told to be one; the rest only supports.
_NEEDED = ("first_name", "last_name", "full_name", "email", "phone", "company")
_SAMPLE = 5000
_BATCH = 20_000


@dataclass(frozen=True, slots=True)
class Book:
    """A file that can be read. ``fields`` says which column is which field; ``size`` is about how many lines it has."""

    path: Path
    layout: Layout
    fields: Mapping[str, str]
    id_column: str
    size: int

    def rows(self) -> Iterator[Row]:
        """Give every contact; unusable lines have a ``problem``."""
        return _parquet_rows(self.path) if self.path.suffix.lower() in PARQUET else rows(self.path, self.layout)

    def record(self, row: Row) -> dict[str, str]:
        """Return a row by field."""
        values = row.values
        return {field: values.get(column, "") for field, column in self.fields.items()}

    def id_of(self, row: Row) -> str:
        """Return how the file names this contact: its id, else its line."""
        return (row.values.get(self.id_column, "") if self.id_column else "") or str(row.line)

    def region(self) -> str:
        """Return the country whose code most numbers with a code have; the US where none has one."""
        column = self.fields.get("phone")
        tally: Counter[str] = Counter()
        for row in islice(self.rows(), _SAMPLE) if column else ():
            number = row.values.get(str(column), "")
            if number.startswith("+"):
                try:
                    code = phonenumbers.parse(number, None).country_code
                except phonenumbers.NumberParseException:
                    continue
                tally[phonenumbers.region_code_for_country_code(code or 0)] += 1
        return tally.most_common(1)[0][0] if tally else "US"


def open_book(path: Path, mapping: Sequence[str]) -> Book:
    """Look at a file, and find which column is which field.

    Raises:
        CommandError: it cannot be read, has no usable first line, or no column by which contacts can be compared.
    """
    layout, size = _parquet_layout(path) if path.suffix.lower() in PARQUET else _csv_layout(path)
    fields = _guessed(layout.header)
    for entry in mapping:
        field, mark, column = (part.strip() for part in entry.partition("="))
        if not mark or field not in (*FIELDS, "id"):
            near = get_close_matches(field, (*FIELDS, "id"), 1)
            hint = f'Did you mean "{near[0]}"?' if near else f"Fields: id, {', '.join(FIELDS)}."
            raise CommandError(f'--map "{entry}" names no field that is compared', hint)
        fields.pop(field, None)
        if column:
            fields[field] = _column(column, field, layout.header)
    id_column = fields.pop("id", "")
    if not any(field in fields for field in _NEEDED):
        raise CommandError(
            f"{path.name} has no column with a name, e-mail, phone or company. Its columns: {', '.join(layout.header)}",
            'Say which is which: --map "full_name=Kunde" --map "email=E-mail 1"',
        )
    return Book(path, layout, fields, id_column, size)


def _column(column: str, field: str, header: Sequence[str]) -> str:
    by_squashed = {squash(title): title for title in header}
    found = by_squashed.get(squash(column))
    if found is None:
        near = get_close_matches(column, header, 1)
        hint = f'Did you mean "{near[0]}"?' if near else f"Columns: {', '.join(header)}."
        raise CommandError(f'--map {field}: the file has no column "{column}"', hint)
    return found


def _guessed(header: Sequence[str]) -> dict[str, str]:
    """Return the likeliest column of each field, in the order of the fields."""
    best: dict[str, tuple[int, str]] = {}
    for title in header:
        found = _TARGETS.get(squash(title)) or guess(title)
        if found is None:
            continue
        field, rank = found
        field = "full_name" if field == "name" else field
        if field in (*FIELDS, "id") and (field not in best or rank < best[field][0]):
            best[field] = (rank, title)
    if not best.keys().isdisjoint({"first_name", "last_name"}) and best.get("full_name", (0, ""))[1] not in _named(
        header
    ):
        # Beside first and last names a column "customer" is an id.
        best.pop("full_name", None)
    return {field: best[field][1] for field in ("id", *FIELDS) if field in best}


def _named(header: Sequence[str]) -> set[str]:
    """Return the titles that say name."""
    return {title for title in header if "name" in squash(title)}


def _csv_layout(path: Path) -> tuple[Layout, int]:
    try:
        layout = inspect(path)
        with path.open("rb") as file:
            size = sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from error
    except (MalformedError, csv.Error) as error:
        raise CommandError(str(error)) from error
    return layout, size


def _parquet_layout(path: Path) -> tuple[Layout, int]:
    import duckdb

    try:
        with path.open("rb"), duckdb.connect() as connection:
            names = [
                row[0] for row in connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
            ]
            counted = connection.execute("SELECT count(*) FROM read_parquet(?)", [str(path)]).fetchone()
            return Layout("", "", tuple(names)), counted[0] if counted else 0
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from error
    except duckdb.Error as error:
        raise CommandError(f"{path} is no Parquet file that can be read: {str(error).splitlines()[0]}") from error


def _parquet_rows(path: Path) -> Iterator[Row]:
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SELECT * FROM read_parquet(?)", [str(path)])
        names = [column[0] for column in connection.description or ()]
        line = 0
        while batch := connection.fetchmany(_BATCH):
            for values in batch:
                line += 1
                yield Row(
                    line, {name: str(value) for name, value in zip(names, values, strict=True) if value is not None}
                )
