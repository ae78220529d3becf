"""The role of a table: rows under column names, found by a key column. Mirrors are kept in one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

Value = str | int | float | bool | None
Row = Mapping[str, Value]


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

    A text is kept as it is: never read as a formula, a number or a date.
    """

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
