"""The cells of the simulated spreadsheets: A1 notation, what is typed and what is kept raw, grids with an end."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date

from mainstay.sandbox.wire import Json

MOST_CELLS = 10_000_000
MOST_CHARS = 50_000
_A1 = re.compile(r"(?:(?:'((?:[^']|'')*)'|([^'!]+))!)?([A-Z]{0,3})(\d*)(?::([A-Z]{0,3})(\d*))?")
_NUMBER = re.compile(r"[+-]?\d{1,15}(?:\.\d+)?")
_SUM = re.compile(r"=\s*(\d+)\s*\+\s*(\d+)\s*")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


class BadRequestError(Exception):
    """Google's 400; the text is its message."""


@dataclass(frozen=True, slots=True)
class Day:
    """A date that was typed: a number that is shown as one."""

    text: str

    @property
    def serial(self) -> int:
        return (date.fromisoformat(self.text) - date(1899, 12, 30)).days


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula that was typed, and what it came to."""

    text: str
    value: Json


@dataclass
class Sheet:
    """One sheet; a row is replaced, never changed in place, so that a copy of the list is a copy of the sheet."""

    sheet_id: int
    title: str
    row_count: int = 1000
    column_count: int = 26
    frozen: int = 0
    rows: list[tuple[Json, ...]] = field(default_factory=list)

    def copy(self) -> Sheet:
        return Sheet(self.sheet_id, self.title, self.row_count, self.column_count, self.frozen, list(self.rows))

    @property
    def last_row(self) -> int:
        """How many rows there are down to the last with anything in it."""
        for number in range(len(self.rows), 0, -1):
            if any(cell is not None for cell in self.rows[number - 1]):
                return number
        return 0

    def properties(self) -> dict[str, Json]:
        grid = {"rowCount": self.row_count, "columnCount": self.column_count}
        if self.frozen:
            grid["frozenRowCount"] = self.frozen
        return {"sheetId": self.sheet_id, "title": self.title, "sheetType": "GRID", "gridProperties": grid}

    def set_cells(self, row: int, column: int, values: list[Json]) -> int:
        """Write a row's cells from ``column`` on (both from 0), None leaving one alone; returns how many were set."""
        while len(self.rows) <= row:
            self.rows.append(())
        cells = list(self.rows[row])
        cells += [None] * (column + len(values) - len(cells))
        count = 0
        for place, value in enumerate(values, column):
            if value is not None:
                cells[place] = None if value == "" else value
                count += 1
        self.rows[row] = tuple(cells)
        return count

    def shown(self, area: Area, render: str, dates: str) -> list[list[Json]]:
        """Return the cells of an area by rows, without what is empty at the end of each and of all."""
        found: list[list[Json]] = []
        for cells in self.rows[area.top : area.bottom]:
            row = [_rendered(cell, render, dates) for cell in cells[area.left : area.right]]
            while row and row[-1] == "":
                row.pop()
            found.append(row)
        while found and not found[-1]:
            found.pop()
        return found


@dataclass(frozen=True, slots=True)
class Area:
    """A part of a sheet, from 0, ends excluded."""

    sheet: Sheet
    top: int
    bottom: int
    left: int
    right: int

    @property
    def name(self) -> str:
        title = self.sheet.title.replace("'", "''")
        first, last = f"{_letters(self.left)}{self.top + 1}", f"{_letters(self.right - 1)}{self.bottom}"
        return f"'{title}'!{first}:{last}"


def area(sheets: list[Sheet], text: str, *, is_write: bool) -> Area:
    """Read a range. What is read may go beyond the grid's end, what is written may not; neither may begin there."""
    found = _A1.fullmatch(text)
    title = found and (found[1].replace("''", "'") if found[1] is not None else found[2])
    sheet = next((each for each in sheets if title is None or each.title == title), None)
    if found is None or sheet is None:
        raise BadRequestError(f"Unable to parse range: {text}")
    _, _, left, top, right, bottom = found.groups()
    one = right is None and bottom is None
    first_row, first_column = int(top or 1) - 1, _place(left) if left else 0
    last_row = int(bottom) if bottom else (first_row + 1 if one and top else sheet.row_count)
    last_column = _place(right) + 1 if right else (first_column + 1 if one and left else sheet.column_count)
    beyond = first_row >= sheet.row_count or first_column >= sheet.column_count
    if beyond or (is_write and (last_row > sheet.row_count or last_column > sheet.column_count)):
        raise BadRequestError(
            f"Range ({text}) exceeds grid limits. Max rows: {sheet.row_count}, max columns: {sheet.column_count}"
        )
    return Area(sheet, first_row, min(last_row, sheet.row_count), first_column, min(last_column, sheet.column_count))


def entered(value: Json, option: str) -> Json:
    """Return what a cell holds of a value: itself if ``RAW``, else what Google makes of it when it is typed."""
    if value is not None and not isinstance(value, str | int | float | bool):
        raise BadRequestError(f"Invalid values: {type(value).__name__} is not a cell's value")
    if isinstance(value, str) and len(value) > MOST_CHARS:
        raise BadRequestError(f"Your input contains more than the maximum of {MOST_CHARS} characters in a single cell.")
    if option not in {"RAW", "USER_ENTERED"}:
        raise BadRequestError("'valueInputOption' is required but not specified")
    if option == "RAW" or not isinstance(value, str):
        return value
    if value.startswith("="):
        added = _SUM.fullmatch(value)
        return Formula(value, int(added[1]) + int(added[2]) if added else "#NAME?")
    if value.upper() in {"TRUE", "FALSE"}:
        return value.upper() == "TRUE"
    if _DAY.fullmatch(value):
        return Day(value)
    if _NUMBER.fullmatch(value):
        return float(value) if "." in value else int(value)
    return value.removeprefix("'")


def _rendered(cell: Json, render: str, dates: str) -> Json:
    if isinstance(cell, Formula):
        cell = cell.text if render == "FORMULA" else cell.value
    if isinstance(cell, Day):
        cell = cell.text if render == "FORMATTED_VALUE" or dates == "FORMATTED_STRING" else cell.serial
    if cell is None:
        return ""
    if render == "FORMATTED_VALUE" and not isinstance(cell, str):
        return str(cell).upper() if isinstance(cell, bool) else str(cell)
    return cell


def plain(cell: Json) -> Json:
    """Return a cell for the control plane."""
    return _rendered(cell, "UNFORMATTED_VALUE", "FORMATTED_STRING")


def _place(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def _letters(place: int) -> str:
    text = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        text = chr(ord("A") + rest) + text
    return text
