"""Parquet files by DuckDB; every cell passes as text, and keeps the type that its column has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainstay.kit import PermanentError

if TYPE_CHECKING:
    import duckdb

MEMORY = "512MB"
_TEXT = "VARCHAR"


def page(path: Path, first: int, size: int) -> tuple[list[str], list[list[str]], bool]:
    """Return the names of the columns, some rows from ``first`` on, and whether there are more."""
    with _open(path) as connection:
        names = list(_types(connection, path))
        cells = ", ".join(_shown(name) for name in names)
        query = (
            f"SELECT {cells} FROM read_parquet(?, file_row_number = true) "  # noqa: S608
            "WHERE file_row_number >= ? AND file_row_number < ? ORDER BY file_row_number"
        )
        rows = connection.execute(query, [str(path), first, first + size + 1]).fetchall()
        return names, [list(row) for row in rows[:size]], len(rows) > size


def to_csv(path: Path, target: Path) -> Mapping[str, str]:
    """Write the rows as CSV, and return the type of each column."""
    with _open(path) as connection:
        types = _types(connection, path)
        cells = ", ".join(f"{_shown(name)} AS {_name(name)}" for name in types)
        source = f"SELECT {cells} FROM read_parquet({_text(path)})"  # noqa: S608
        connection.execute(f"COPY ({source}) TO {_text(target)} (FORMAT csv, HEADER, FORCE_QUOTE *)")
        return types


def from_csv(source: Path, target: Path, names: Sequence[str], types: Mapping[str, str]) -> None:
    """Write our own CSV as Parquet; a column without a type is text."""
    with _open(target) as connection:
        columns = ", ".join(f"{_text(name)}: '{_TEXT}'" for name in names)
        cells = ", ".join(_kept(name, types.get(name, _TEXT)) for name in names)
        options = "header = true, auto_detect = false, delim = ',', quote = '\"', escape = '\"', nullstr = '\\N\\N'"
        rows = f"SELECT {cells} FROM read_csv({_text(source)}, {options}, columns = {{{columns}}}, {_LIMITS})"  # noqa: S608
        connection.execute(f"COPY ({rows}) TO {_text(target)} (FORMAT parquet)")


_LIMITS = "max_line_size = 10000000, new_line = '\\r\\n'"


@contextmanager
def _open(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    # Here, because a stack without such a table should not pay for the import.
    import duckdb  # noqa: PLC0415

    config: dict[str, Any] = {
        "threads": 2,
        "memory_limit": MEMORY,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "temp_directory": "",
    }
    connection = duckdb.connect(":memory:", config=config)
    try:
        yield connection
    except duckdb.Error as error:
        raise PermanentError(f"{path.name} cannot be read or written as Parquet: {str(error)[:300]}") from None
    finally:
        connection.close()


def _types(connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, str]:
    rows = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
    return {row[0]: row[1] for row in rows}


def _shown(name: str) -> str:
    return f"coalesce(CAST({_name(name)} AS {_TEXT}), '')"


def _kept(name: str, kind: str) -> str:
    column = _name(name)
    return column if kind == _TEXT else f"CAST(NULLIF({column}, '') AS {kind}) AS {column}"


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"
