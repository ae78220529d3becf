"""A spreadsheet as its API shows it: where a sheet's columns are, blocks of cells, writes by explicit places."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from mainstay.connectors.google_sheets.settings import GoogleSheetsConnection
from mainstay.kit import Http, NeedsHumanError, PermanentError, TransientError
from mainstay.kit.roles import Value, cell_text

HEADER_ROW = 1
# Google advises 2 MB for a request; an address it takes has some 8,000 characters.
MOST_BYTES = 1_900_000
MOST_RANGES = 150
KEYS_IN_A_PAGE = 50_000
CELLS_IN_A_PAGE = 100_000
ROWS_IN_A_PAGE = 10_000
# Google knows numbers as double precision alone.
_EXACT = 2**53
_MOST_CHARS = 50_000
_LAYOUT = (
    "sheets(properties(sheetId,title,gridProperties(rowCount,columnCount,frozenRowCount)),"
    "data(rowData(values(formattedValue)))),developerMetadata(metadataId,metadataKey,metadataValue)"
)
_FLAT = {"prettyPrint": "false"}
_CLIPPED = re.compile(r"exceeds grid limits|Unable to parse range", re.IGNORECASE)

Block = tuple[int, int]
"""First and last row, counted from 1 as people see them."""


class Moved(Exception):  # noqa: N818 it is no error: the write begins anew
    """Rows or columns are not where they were read."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A sheet as it was a moment ago.

    Attributes:
        columns: place of each named column, from 0; of two of one name the first.
        doubled: names that stand over more than one column.
        marks: developer metadata of the spreadsheet: ``(id, key, value)``.
    """

    sheet_id: int
    title: str
    columns: Mapping[str, int]
    doubled: frozenset[str]
    width: int
    row_count: int
    column_count: int
    frozen_rows: int
    marks: tuple[tuple[int, str, str], ...]


class Spreadsheet:
    """The calls of one attempt to one spreadsheet."""

    def __init__(self, settings: GoogleSheetsConnection, http: Http) -> None:
        self._http = http
        self._path = f"/v4/spreadsheets/{quote(settings.spreadsheet_id)}"

    async def titles(self) -> tuple[str, list[str]]:
        """Return the spreadsheet's title and its sheets'."""
        params = {"fields": "properties(title),sheets(properties(title))", **_FLAT}
        data = (await self._http.request("GET", self._path, params=params)).data
        sheets = [_table(_table(each).get("properties")) for each in _rows(data.get("sheets"))]
        return str(_table(data.get("properties")).get("title") or ""), [str(each.get("title") or "") for each in sheets]

    async def layout(self, title: str) -> Layout | None:
        """Return a sheet's; None where there is no such sheet."""
        params = {"ranges": a1(title, 0, None, (HEADER_ROW, HEADER_ROW)), "fields": _LAYOUT, **_FLAT}
        response = await self._http.request("GET", self._path, params=params, accept=(400,))
        if response.status == 400:
            if title in (await self.titles())[1]:
                raise PermanentError(f"Google refuses the range of sheet {title!r}: {_message(response.data)}")
            return None
        return _layout(response.data, title)

    async def blocks(self, title: str, blocks: Sequence[Block], columns: tuple[int, int]) -> dict[int, list[str]]:
        """Return the cells of some rows between two columns, as text; a row without any is not there."""
        found: dict[int, list[str]] = {}
        for some in _portions(blocks, MOST_RANGES):

            async def read(group: Sequence[Block]) -> None:
                ranges = [a1(title, *columns, block) for block in group]
                for block, values in zip(group, await self._values(ranges, "ROWS"), strict=True):
                    for number, row in enumerate(values, block[0]):
                        if isinstance(row, list) and row:
                            found[number] = [_text(cell) for cell in row]

            await _halving(some, read)
        return found

    async def keys(self, layout: Layout, key: str) -> list[str]:
        """Return column ``key`` below the header, from row 2 on; what is empty at its end is left out.

        Raises:
            Moved: the column is not where it was.
        """
        found: list[str] = []
        column, end = layout.columns[key], layout.row_count

        async def read(group: Sequence[Block]) -> None:
            # The last page is open below: rows may have been added since.
            places = [(first, None if last >= end else last) for first, last in group]
            ranges = [a1(layout.title, column, column, place) for place in places]
            for place, values in zip(places, await self._values(ranges, "COLUMNS"), strict=True):
                cells = values[0] if values and isinstance(values[0], list) else []
                if cells:
                    found.extend([""] * (place[0] - HEADER_ROW - len(found)))
                    found.extend(map(_text, cells))

        for first in range(HEADER_ROW, end + 1, KEYS_IN_A_PAGE):
            await _halving([(first, min(end, first + KEYS_IN_A_PAGE - 1))], read)
        if (found or [""])[0].strip() != key:
            raise Moved
        return found[1:]

    async def page(
        self, title: str, block: tuple[int, int | None], width: int
    ) -> tuple[list[str], list[list[str]]] | None:
        """Return the header and some rows in one call; None where the sheet has ended above."""
        ranges = [a1(title, 0, None, (HEADER_ROW, HEADER_ROW)), a1(title, 0, width - 1, block)]
        try:
            header, rows = await self._values(ranges, "ROWS")
        except PermanentError as error:
            if error.status == 400 and _CLIPPED.search(str(error)):
                return None
            raise
        names = [_text(cell) for cell in header[0]] if header and isinstance(header[0], list) else []
        return names, [[_text(cell) for cell in row] if isinstance(row, list) else [] for row in rows]

    async def write(self, data: Sequence[tuple[str, list[list[Value]]]]) -> None:
        """Set cells, as they are (``RAW``); None leaves a cell alone."""
        if data:
            ranges = [{"range": where, "majorDimension": "ROWS", "values": values} for where, values in data]
            body = {"valueInputOption": "RAW", "data": ranges}
            await self._http.request("POST", f"{self._path}/values:batchUpdate", json=body, params=_FLAT)

    async def change(self, requests: Sequence[Mapping[str, Any]], *, accept: Sequence[int] = ()) -> bool:
        """Carry out changes of structure, all or none; tell whether they were (not, for a status of ``accept``)."""
        body = {"requests": list(requests)}
        path = f"{self._path}:batchUpdate"
        response = await self._http.request("POST", path, json=body, params=_FLAT, accept=accept)
        return response.status < 300

    async def _values(self, ranges: Sequence[str], dimension: str) -> list[list[Any]]:
        params = [("ranges", each) for each in ranges]
        # A date that a person typed is a number by itself; the text is what they see.
        params += [("valueRenderOption", "UNFORMATTED_VALUE"), ("dateTimeRenderOption", "FORMATTED_STRING")]
        params += [("majorDimension", dimension), *_FLAT.items()]
        data = (await self._http.request("GET", f"{self._path}/values:batchGet", params=params)).data
        found = data.get("valueRanges")
        if not isinstance(found, list) or len(found) != len(ranges):
            raise TransientError("the answer is not one of Google's: it has not the ranges that were asked for")
        return [_rows(_table(each).get("values")) for each in found]


async def _halving(blocks: Sequence[Block], read: Callable[[Sequence[Block]], Awaitable[None]]) -> None:
    """Read blocks; where the answer is too large, in halves."""
    try:
        await read(blocks)
    except PermanentError as error:
        if "larger than" not in str(error):
            raise
        if len(blocks) == 1 and blocks[0][0] == blocks[0][1]:
            raise PermanentError(f"row {blocks[0][0]} is too large to be read: {error}") from None
    else:
        return
    if len(blocks) > 1:
        half = len(blocks) // 2
        parts = (blocks[:half], blocks[half:])
    else:
        first, last = blocks[0]
        middle = (first + last) // 2
        parts = ([(first, middle)], [(middle + 1, last)])
    for part in parts:
        await _halving(part, read)


def a1(title: str, first: int, last: int | None, rows: tuple[int, int | None]) -> str:
    """Return a range as people write it; a last column or row of None is the sheet's own last."""
    sheet = "'" + title.replace("'", "''") + "'"
    if last is None:
        return f"{sheet}!{rows[0]}:{rows[1] or ''}"
    return f"{sheet}!{letters(first)}{rows[0]}:{letters(last)}{rows[1] or ''}"


def letters(column: int) -> str:
    """Return a column's letters: 0 is A, 26 AA."""
    text = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def sendable(value: Value, column: str) -> Value:
    """Return a value as a cell takes it."""
    if isinstance(value, str):
        if len(value) > _MOST_CHARS:
            raise PermanentError(f"a text of {len(value)} characters does not fit into {column!r}: a cell has 50,000")
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) > _EXACT:
        return str(value)
    return "" if value is None else value


def same(value: Value, shown: str) -> bool:
    """Tell whether a cell shows a value already."""
    return cell_text(value) == shown


def runs(rows: Iterable[int], gap: int = 1, longest: int = 5_000) -> Iterator[Block]:
    """Return ascending rows as blocks; ones at most ``gap`` apart share a block."""
    first = last = 0
    for row in rows:
        if first and row - last <= gap and row - first < longest:
            last = row
            continue
        if first:
            yield first, last
        first = last = row
    if first:
        yield first, last


def _portions(items: Sequence[Block], size: int) -> Iterator[Sequence[Block]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _layout(data: Mapping[str, Any], title: str) -> Layout:
    for sheet in map(_table, _rows(data.get("sheets"))):
        properties = _table(sheet.get("properties"))
        if properties.get("title") != title:
            continue
        grid = _table(properties.get("gridProperties"))
        block = (_rows(sheet.get("data")) or [{}])[0]
        row = (_rows(_table(block).get("rowData")) or [{}])[0]
        names = [_text(_table(cell).get("formattedValue")).strip() for cell in _rows(_table(row).get("values"))]
        marks = []
        for mark in map(_table, _rows(data.get("developerMetadata"))):
            if isinstance(mark.get("metadataId"), int):
                key, value = str(mark.get("metadataKey") or ""), str(mark.get("metadataValue") or "")
                marks.append((mark["metadataId"], key, value))
        return Layout(
            sheet_id=_whole(properties.get("sheetId")),
            title=title,
            columns=places(names),
            doubled=frozenset(name for name in names if name and names.count(name) > 1),
            width=max((place for place, name in enumerate(names, 1) if name), default=0),
            row_count=_whole(grid.get("rowCount")),
            column_count=_whole(grid.get("columnCount")),
            frozen_rows=_whole(grid.get("frozenRowCount")),
            marks=tuple(marks),
        )
    raise TransientError("the answer is not one of Google's: it has not the sheet that was asked for")


def places(names: Sequence[str]) -> dict[str, int]:
    """Return the place of each named column; of two of one name the first."""
    found: dict[str, int] = {}
    for place, name in enumerate(names):
        if name.strip():
            found.setdefault(name.strip(), place)
    return found


def no_such_sheet(title: str, titles: Sequence[str]) -> NeedsHumanError:
    """Return the error of a sheet that is missing."""
    there = ", ".join(titles[:20]) or "none"
    mend = f'add one of this name, or write create = "tables" into the connection; there are: {there}'
    return NeedsHumanError(f"the spreadsheet has no sheet {title!r}: {mend}")


def _message(data: object) -> str:
    return str(_table(_table(data).get("error")).get("message") or "no reason given")[:300]


def _text(cell: object) -> str:
    if isinstance(cell, list | dict):
        raise TransientError("the answer is not one of Google's: a cell is a list or a table")
    return cell_text(cell)


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _rows(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
