"""A simulator of Google Sheets' API, v4, and of the endpoint that gives out its tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from urllib.parse import unquote

from mainstay.sandbox.state import Effects, Ids, RateWindow, changed, token_is_good
from mainstay.sandbox.vendors.google_sheets_changes import Book, carry_out
from mainstay.sandbox.vendors.google_sheets_grid import Area, BadRequestError, Sheet, area, entered, plain
from mainstay.sandbox.vendors.google_tokens import Tokens
from mainstay.sandbox.wire import Json, Reply, Request, SettingError, answer

_PATH = re.compile(r"/v4/spreadsheets/([\w-]+)(:batchUpdate|/values:batchGet|/values:batchUpdate|/values/.+)?")
_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}


@dataclass(frozen=True)
class Settings:
    """``PUT /_control/config/google_sheets``.

    ``tokens`` lists the good access tokens beside those that ``/token`` gave out (None: any); ``accounts`` gives each
    service account's public key (PEM) by its address (None: any, unchecked). ``spreadsheets`` lists those that are
    shared with the caller (None: any id), ``read_only`` refuses writes; ``reads`` and ``writes`` are what a minute
    takes (Google: 60 each; 0: any number).
    """

    tokens: list[str] | None = None
    accounts: dict[str, str] | None = None
    spreadsheets: list[str] | None = None
    read_only: bool = False
    reads: int = 0
    writes: int = 0


class GoogleSheets:
    """``spreadsheets`` get and batchUpdate, ``values`` get, update, append, clear, batchGet and batchUpdate."""

    name = "google_sheets"

    def __init__(self) -> None:
        """Start empty."""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.settings = Settings()
        self._ids = Ids(self.name)
        self._effects = Effects()
        self._tokens = Tokens()
        self._books: dict[str, Book] = {}
        self._windows = {"read": RateWindow(0, 60.0), "write": RateWindow(0, 60.0)}

    def configure(self, settings: Mapping[str, Json]) -> dict[str, Json]:
        """Change settings and return all of them; the minute begins anew."""
        self.settings = changed(self.settings, settings)
        self._windows = {
            "read": RateWindow(self.settings.reads, 60.0),
            "write": RateWindow(self.settings.writes, 60.0),
        }
        return asdict(self.settings)

    def state(self) -> dict[str, Json]:
        """Return the cells of every sheet by spreadsheet and title, the tokens given out, and the effects."""
        sheets = {
            key: {sheet.title: [list(map(plain, row)) for row in sheet.rows] for sheet in book.sheets}
            for key, book in self._books.items()
        }
        marks = {key: [dict(mark) for mark in book.marks.values()] for key, book in self._books.items()}
        return {
            "spreadsheets": sheets,
            "marks": marks,
            "tokens": self._tokens.given,
            "effects": self._effects.listing(),
        }

    def seed(self, kind: str, records: list[dict[str, Json]]) -> int:
        """Put sheets in, each in place of one so named.

        ``{spreadsheet, title, rows, row_count, column_count, frozen, typed}``; ``typed`` reads the cells as if a person
        had typed them.
        """
        if kind != "sheets":
            raise SettingError(f"google_sheets has no {kind} to seed; there are sheets")
        for record in records:
            book = self._book(str(record.get("spreadsheet") or ""))
            title, rows = str(record.get("title") or "Sheet1"), record.get("rows") or []
            there = next((each for each in book.sheets if each.title == title), None)
            sheet = Sheet(there.sheet_id if there else self._ids.number("sheet"), title)
            sheet.row_count = max(len(rows), int(record.get("row_count") or 1000))
            sheet.column_count = max(int(record.get("column_count") or 26), *map(len, rows), 1)
            sheet.frozen = int(record.get("frozen") or 0)
            option = "USER_ENTERED" if record.get("typed") else "RAW"
            for number, row in enumerate(rows):
                sheet.set_cells(number, 0, [entered(cell, option) for cell in row])
            book.sheets = [each for each in book.sheets if each.title != title] + [sheet]
        return len(records)

    def handle(self, request: Request) -> Reply:
        """Answer one request."""
        if request.path == "/token" and request.method == "POST":
            return self._tokens.handle(request, self.settings.accounts)
        found = _PATH.fullmatch(request.path)
        refusal = self._refusal(request, found[1] if found else "")
        if refusal is not None or found is None:
            return refusal or _error(404, "Requested entity was not found.")
        try:
            return answer(200, self._answer(request, self._book(found[1]), found[2] or ""))
        except BadRequestError as problem:
            return _error(400, str(problem))

    def failure(self, request: Request, status: int, retry_after: float | None) -> Reply:  # noqa: ARG002
        """Return Google's error shape."""
        headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
        return _error(status, "The request was refused.", headers)

    def _refusal(self, request: Request, key: str) -> Reply | None:
        token, shared = request.bearer, self.settings.spreadsheets
        if not token or not (self._tokens.is_good(token) or token_is_good(token, self.settings.tokens)):
            return _error(401, "Request had invalid authentication credentials.")
        if shared is not None and key not in shared and key not in self._books:
            return _error(404, "Requested entity was not found.")
        kind = "read" if request.method == "GET" else "write"
        if (shared is not None and key not in shared) or (kind == "write" and self.settings.read_only):
            return _error(403, "The caller does not have permission")
        if self._windows[kind].limit and not self._windows[kind].take():
            return _exhausted(kind)
        return None

    def _book(self, key: str) -> Book:
        if key not in self._books:
            self._books[key] = Book(key, [Sheet(0, "Sheet1")])
        return self._books[key]

    def _answer(self, request: Request, book: Book, rest: str) -> dict[str, Json]:
        query = request.query
        if request.method == "GET" and not rest:
            return _described(book, [value for name, value in query if name == "ranges"], dict(query).get("fields", ""))
        if request.method == "GET" and rest == "/values:batchGet":
            ranges = [_read(book, value, dict(query)) for name, value in query if name == "ranges"]
            return {"spreadsheetId": book.key, "valueRanges": ranges}
        if request.method == "GET" and rest.startswith("/values/"):
            return _read(book, unquote(rest.removeprefix("/values/")), dict(query))
        body = _body(request)
        if request.method == "POST" and rest == ":batchUpdate":
            replies = carry_out(book, body, self._ids, lambda kind, what: self._effects.add(kind, what, request))
            return {"spreadsheetId": book.key, "replies": replies}
        if request.method == "POST" and rest == "/values:batchUpdate":
            return self._write(request, book, _objects(body.get("data")), str(body.get("valueInputOption")))
        if request.method == "PUT" and rest.startswith("/values/"):
            place = unquote(rest.removeprefix("/values/"))
            written = self._write(request, book, [body | {"range": place}], str(dict(query).get("valueInputOption")))
            return dict(written["responses"][0])
        if request.method == "POST" and rest.endswith(":append"):
            return self._append(request, book, unquote(rest[len("/values/") : -len(":append")]), body, dict(query))
        raise BadRequestError(f"Invalid request: {request.method} {request.path}")

    def _write(self, request: Request, book: Book, data: list[dict[str, Json]], option: str) -> dict[str, Json]:
        planned = [(area(book.sheets, str(each.get("range")), is_write=True), _matrix(each, option)) for each in data]
        for where, values in planned:
            if len(values) > where.bottom - where.top or any(len(row) > where.right - where.left for row in values):
                raise BadRequestError(f"Requested writing within range [{where.name}], but tried writing beyond it")
        responses = []
        for where, values in planned:
            cells = sum(where.sheet.set_cells(row, where.left, cells) for row, cells in enumerate(values, where.top))
            responses.append(_updated(book, where, len(values), cells))
            self._effects.add("cells.written", where.name, request)
        total = sum(response["updatedCells"] for response in responses)
        return {"spreadsheetId": book.key, "totalUpdatedCells": total, "responses": responses}

    def _append(
        self, request: Request, book: Book, place: str, body: dict[str, Json], query: Mapping[str, str]
    ) -> dict[str, Json]:
        """Add rows below the last one; unlike a write it makes the grid longer."""
        where = area(book.sheets, place, is_write=False)
        sheet, values = where.sheet, _matrix(body, query.get("valueInputOption", ""))
        first = sheet.last_row
        sheet.row_count = max(sheet.row_count, first + len(values))
        cells = sum(sheet.set_cells(first + at, where.left, row) for at, row in enumerate(values))
        width = max(map(len, values), default=1)
        made = Area(sheet, first, first + max(1, len(values)), where.left, where.left + max(1, width))
        self._effects.add("rows.appended", made.name, request)
        return {"spreadsheetId": book.key, "tableRange": place, "updates": _updated(book, made, len(values), cells)}


def _described(book: Book, ranges: list[str], fields: str) -> dict[str, Json]:
    areas = [area(book.sheets, each, is_write=False) for each in ranges]
    sheets = []
    for sheet in book.sheets:
        mine = [each for each in areas if each.sheet is sheet]
        if areas and not mine:
            continue
        shown: dict[str, Json] = {"properties": sheet.properties()}
        if "rowData" in fields or "includeGridData" in fields:
            shown["data"] = [_grid(each) for each in mine]
        sheets.append(shown)
    marks = {"developerMetadata": list(book.marks.values())} if book.marks else {}
    return {"spreadsheetId": book.key, "properties": {"title": f"Book {book.key[:4]}"}, "sheets": sheets, **marks}


def _grid(where: Area) -> dict[str, Json]:
    rows = where.sheet.shown(where, "FORMATTED_VALUE", "")
    data = [{"values": [{"formattedValue": cell} if cell != "" else {} for cell in row]} for row in rows]
    return {"rowData": data} if data else {}


def _read(book: Book, place: str, query: Mapping[str, str]) -> dict[str, Json]:
    where = area(book.sheets, place, is_write=False)
    render = query.get("valueRenderOption", "FORMATTED_VALUE")
    rows = where.sheet.shown(where, render, query.get("dateTimeRenderOption", "SERIAL_NUMBER"))
    dimension = query.get("majorDimension", "ROWS")
    if dimension == "COLUMNS":
        width = max(map(len, rows), default=0)
        columns = [[row[at] if at < len(row) else "" for row in rows] for at in range(width)]
        for column in columns:
            while column and column[-1] == "":
                column.pop()
        rows = columns
    return {"range": where.name, "majorDimension": dimension, **({"values": rows} if rows else {})}


def _matrix(body: Mapping[str, Json], option: str) -> list[list[Json]]:
    values = body.get("values", [])
    if not isinstance(values, list) or not all(isinstance(row, list) for row in values):
        raise BadRequestError("Invalid value at 'data[0].values'")
    return [[entered(cell, option) for cell in row] for row in values]


def _updated(book: Book, where: Area, rows: int, cells: int) -> dict[str, Json]:
    columns = where.right - where.left
    return {
        "spreadsheetId": book.key,
        "updatedRange": where.name,
        "updatedRows": rows,
        "updatedColumns": columns,
        "updatedCells": cells,
    }


def _body(request: Request) -> dict[str, Json]:
    try:
        body = request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise BadRequestError("Invalid JSON payload received.")
    return body


def _objects(value: Json) -> list[dict[str, Json]]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise BadRequestError("Invalid value at 'data'")
    return value


def _exhausted(kind: str) -> Reply:
    title = kind.title()
    message = (
        f"Quota exceeded for quota metric '{title} requests' and limit '{title} requests per minute per user' of "
        "service 'sheets.googleapis.com' for consumer 'project_number:1'."
    )
    detail = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "RATE_LIMIT_EXCEEDED"}
    return _error(429, message, details=[detail])


def _error(
    status: int, message: str, headers: Mapping[str, str] | None = None, details: list[dict[str, Json]] | None = None
) -> Reply:
    error = {"code": status, "message": message, "status": _STATUSES.get(status, "UNKNOWN")}
    return answer(status, {"error": error | ({"details": details} if details else {})}, headers)


SIMULATOR = GoogleSheets
