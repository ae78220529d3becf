"""``spreadsheets:batchUpdate``: changes of structure, in order, all or none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mainstay.sandbox.state import Ids
from mainstay.sandbox.vendors.google_sheets_grid import MOST_CELLS, BadRequestError, Sheet, entered
from mainstay.sandbox.wire import Json

Note = Callable[[str, str], None]
_MOST_MARKS = 30_000


@dataclass
class Book:
    """One spreadsheet; ``marks`` is its developer metadata by id."""

    key: str
    sheets: list[Sheet]
    marks: dict[int, dict[str, Json]] = field(default_factory=dict)


def carry_out(book: Book, body: dict[str, Json], ids: Ids, note: Note) -> list[dict[str, Json]]:
    """Do every request of a body, or none; returns the replies."""
    requests = body.get("requests")
    if not isinstance(requests, list) or not requests:
        raise BadRequestError("Must specify at least one request.")
    draft = Book(book.key, [sheet.copy() for sheet in book.sheets], dict(book.marks))
    replies, notes = [], []
    for number, request in enumerate(requests):
        kind, what = next(iter(request.items())) if isinstance(request, dict) and len(request) == 1 else ("", None)
        if kind not in _CHANGES or not isinstance(what, dict):
            raise BadRequestError(f"Invalid JSON payload received. Unknown name at 'requests[{number}]'")
        try:
            reply, told = _CHANGES[kind](draft, what, ids)
        except BadRequestError as problem:
            raise BadRequestError(f"Invalid requests[{number}].{kind}: {problem}") from None
        replies.append(reply)
        notes.append(told)
    if sum(sheet.row_count * sheet.column_count for sheet in draft.sheets) > MOST_CELLS:
        raise BadRequestError(
            f"This action would increase the number of cells in the workbook above the limit of {MOST_CELLS} cells."
        )
    book.sheets, book.marks = draft.sheets, draft.marks
    for kind, what in filter(None, notes):
        note(kind, what)
    return replies


Done = tuple[dict[str, Json], tuple[str, str] | None]


def _add_sheet(book: Book, what: dict[str, Json], ids: Ids) -> Done:
    title = str(what.get("properties", {}).get("title") or "")
    if any(sheet.title == title for sheet in book.sheets):
        raise BadRequestError(f'A sheet with the name "{title}" already exists. Please enter another name.')
    sheet = Sheet(ids.number("sheet"), title)
    book.sheets.append(sheet)
    return {"addSheet": {"properties": sheet.properties()}}, ("sheet.added", title)


def _append_dimension(book: Book, what: dict[str, Json], _ids: Ids) -> Done:
    sheet = _sheet(book, what)
    if what.get("dimension") == "ROWS":
        sheet.row_count += int(what.get("length", 0))
    else:
        sheet.column_count += int(what.get("length", 0))
    return {}, None


def _delete_dimension(book: Book, what: dict[str, Json], _ids: Ids) -> Done:
    sheet, first, last = _rows(book, what)
    kept = sheet.row_count - sheet.frozen - (last - max(first, sheet.frozen))
    if kept < 1:
        raise BadRequestError("Sorry, it is not possible to delete all non-frozen rows.")
    del sheet.rows[first:last]
    sheet.row_count -= last - first
    return {}, ("rows.deleted", f"{sheet.title}!{first + 1}:{last}")


def _insert_dimension(book: Book, what: dict[str, Json], _ids: Ids) -> Done:
    sheet, first, last = _rows(book, what, is_new=True)
    if first < len(sheet.rows):
        sheet.rows[first:first] = [()] * (last - first)
    sheet.row_count += last - first
    return {}, ("rows.inserted", f"{sheet.title}!{first + 1}:{last}")


def _sort(book: Book, what: dict[str, Json], _ids: Ids) -> Done:
    where = what.get("range", {})
    sheet = _sheet(book, where)
    first = int(where.get("startRowIndex", 0))
    for order in reversed(what.get("sortSpecs", [])):
        at = int(order.get("dimensionIndex", 0))
        body = sorted(
            sheet.rows[first:],
            key=lambda row: str(row[at]) if at < len(row) and row[at] is not None else "",
            reverse=order.get("sortOrder") == "DESCENDING",
        )
        sheet.rows[first:] = body
    return {}, ("rows.sorted", sheet.title)


def _append_cells(book: Book, what: dict[str, Json], _ids: Ids) -> Done:
    sheet = _sheet(book, what)
    rows = what.get("rows")
    if not isinstance(rows, list) or not what.get("fields"):
        raise BadRequestError("rows and fields are required")
    first = sheet.last_row
    del sheet.rows[first:]
    values = [[_entered(cell) for cell in row.get("values", [])] for row in rows]
    width = max(map(len, values), default=0)
    sheet.row_count = max(sheet.row_count, first + len(values))
    sheet.column_count = max(sheet.column_count, width)
    for at, row in enumerate(values, first):
        sheet.set_cells(at, 0, row)
    return {}, ("rows.appended", f"{sheet.title}!{first + 1}:{first + len(values)}")


def _entered(cell: dict[str, Json]) -> Json:
    value = cell.get("userEnteredValue", {})
    if "formulaValue" in value:
        return entered(value["formulaValue"], "USER_ENTERED")
    return entered(next(iter(value.values()), None), "RAW")


def _create_mark(book: Book, what: dict[str, Json], ids: Ids) -> Done:
    mark = dict(what.get("developerMetadata", {}))
    number = mark.setdefault("metadataId", ids.number("mark"))
    if not isinstance(number, int) or number < 1:
        raise BadRequestError("developerMetadata.metadataId must be positive")
    if number in book.marks:
        raise BadRequestError(f"Developer metadata with ID {number} already exists.")
    if not mark.get("metadataKey") or not mark.get("location") or not mark.get("visibility"):
        raise BadRequestError("developerMetadata needs a key, a location and a visibility")
    book.marks[number] = mark
    written = [mark.get(name, "") for mark in book.marks.values() for name in ("metadataKey", "metadataValue")]
    size = sum(map(len, map(str, written)))
    if size > _MOST_MARKS:
        raise BadRequestError(f"developer metadata exceeds {_MOST_MARKS} characters")
    return {"createDeveloperMetadata": {"developerMetadata": mark}}, None


def _delete_mark(book: Book, what: dict[str, Json], _ids: Ids) -> Done:
    wanted = what.get("dataFilter", {}).get("developerMetadataLookup", {})
    found = [number for number, mark in book.marks.items() if all(mark.get(name) == wanted[name] for name in wanted)]
    gone = [book.marks.pop(number) for number in found]
    return {"deleteDeveloperMetadata": {"deletedDeveloperMetadata": gone}}, None


def _sheet(book: Book, what: dict[str, Json]) -> Sheet:
    number = what.get("sheetId", 0)
    for sheet in book.sheets:
        if sheet.sheet_id == number:
            return sheet
    raise BadRequestError(f"No grid with id: {number}")


def _rows(book: Book, what: dict[str, Json], *, is_new: bool = False) -> tuple[Sheet, int, int]:
    where = what.get("range", {})
    sheet = _sheet(book, where)
    first, last = int(where.get("startIndex", 0)), int(where.get("endIndex", sheet.row_count))
    if where.get("dimension") != "ROWS":
        raise BadRequestError("this simulator deletes and inserts rows alone")
    if not 0 <= first < last or (last > sheet.row_count and not is_new):
        raise BadRequestError(f"Cannot reach rows {first} to {last}: the sheet has {sheet.row_count}")
    return sheet, first, last


_CHANGES: dict[str, Callable[[Book, dict[str, Json], Ids], Done]] = {
    "addSheet": _add_sheet,
    "appendCells": _append_cells,
    "appendDimension": _append_dimension,
    "createDeveloperMetadata": _create_mark,
    "deleteDeveloperMetadata": _delete_mark,
    "deleteDimension": _delete_dimension,
    "insertDimension": _insert_dimension,
    "sortRange": _sort,
}
