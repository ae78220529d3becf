"""The role of a table: rows under column names, found by a key column. Mirrors are kept in one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mainstay.errors import PermanentError

Value = str | int | float | bool | None
Row = Mapping[str, Value]
# From here on a float cannot tell two whole numbers apart.
_EXACT = 2**53


@dataclass(frozen=True, slots=True)
class Written:
    """Outcome of a write: how many rows were new, changed, removed; one that was so already counts nowhere."""

    created: int = 0
    updated: int = 0
    removed: int = 0


@dataclass(frozen=True, slots=True)
class Rows:
    """One page of rows, every cell as text, "" for an empty one; ``cursor`` asks for the next, empty at the end."""

    rows: tuple[Mapping[str, str], ...]
    cursor: str = ""


class Table(Protocol):
    """Tables of one account; ``table`` is a name there (a sheet, a database, a file).

    A text is kept as it is: never read as a formula, a number or a date. What no cell can hold is taken out of it: NUL
    and halves of characters.

    Attributes:
        batch: how many rows one call of ``upsert_rows`` takes best; more are taken, too.
    """

    batch: int

    async def upsert_rows(self, table: str, key: str, rows: Sequence[Row]) -> Written:
        """Write rows, each over the one with the same value in column ``key``, else below the last.

        Columns that the table lacks are added where the vendor can; cells of columns not named are left alone.
        """
        ...

    async def remove_rows(self, table: str, key: str, values: Sequence[str]) -> Written:
        """Remove the rows with these values in column ``key``; those that are gone already count nowhere."""
        ...

    async def read_rows(self, table: str, cursor: str = "") -> Rows:
        """Read the rows, a page at a time."""
        ...


def cell_text(value: object) -> str:
    """Return a value as every table shows it: nothing is "", a truth "true" or "false", 5.0 is "5"."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return str(int(value))
    return str(value)


def rows_by_key(key: str, rows: Sequence[Row]) -> dict[str, dict[str, Value]]:
    """Return each row by its text in column ``key``; of rows with the same, the later cells count.

    Raises:
        PermanentError: a row without the key, a column without a name, or a value that no table can hold.
    """
    found: dict[str, dict[str, Value]] = {}
    columns: set[str] = set()
    for number, row in enumerate(rows, 1):
        if not columns.issuperset(row):
            columns |= _columns(row, number)
        cells = {column: _cell(value, column, number) for column, value in row.items()}
        name = cell_text(cells.get(key))
        if not name:
            raise PermanentError(f"row {number} has nothing in {key!r}, the column that rows are found by")
        if name in found:
            found[name] |= cells
        else:
            found[name] = cells
    return found


def clean(text: str) -> str:
    """Return a text without what a table cannot hold: NUL, and halves of characters."""
    if "\0" in text:
        text = text.replace("\0", "")
    return text if text.isascii() else text.encode(errors="replace").decode()


def _columns(row: Row, number: int) -> set[str]:
    for column in row:
        if not column or column != column.strip() or column != clean(column):
            raise PermanentError(f"row {number}: {column!r} cannot be the name of a column")
    return set(row)


def _cell(value: object, column: str, number: int) -> Value:
    if isinstance(value, str):
        return clean(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    what = value if isinstance(value, float) else type(value).__name__
    raise PermanentError(f"row {number}: a cell of {column!r} is a text, a number, true, false or nothing, not {what}")
