"""The table role on a spreadsheet: a sheet is a table, its first row names the columns."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from weakref import WeakValueDictionary

from mainstay.connectors.google_sheets.appending import append
from mainstay.connectors.google_sheets.errors import classifier
from mainstay.connectors.google_sheets.settings import API, GoogleSheetsConnection
from mainstay.connectors.google_sheets.spreadsheet import (
    CELLS_IN_A_PAGE,
    HEADER_ROW,
    ROWS_IN_A_PAGE,
    Layout,
    Moved,
    Spreadsheet,
    a1,
    no_such_sheet,
    places,
    runs,
)
from mainstay.connectors.google_sheets.updating import Update
from mainstay.kit import (
    Http,
    HttpSettings,
    NeedsHumanError,
    PermanentError,
    RecordStore,
    Row,
    Rows,
    TransientError,
    Written,
)
from mainstay.kit.roles import Value, rows_by_key

TIMEOUT = 60.0
MOST_ROUNDS = 4
MOST_DELETIONS = 5_000
SHOWN = 10
_TITLE = re.compile(r"[^\x00-\x1f]{1,100}")

_writing: WeakValueDictionary[tuple[object, ...], asyncio.Lock] = WeakValueDictionary()


def http_settings(settings: GoogleSheetsConnection) -> HttpSettings:
    """Return how to reach Google Sheets."""
    token = settings.access_token.get_secret_value()
    written = (settings.key.get("private_key", ""), settings.client_secret.get_secret_value(), token)
    return HttpSettings(
        base_url=settings.base_url or API,
        headers={"Authorization": f"Bearer {token}"} if token else {},
        secrets=tuple(each for each in written if each),
        classify=classifier(settings.who),
        timeout=TIMEOUT,
    )


def make_table(settings: GoogleSheetsConnection, http: Http, _store: RecordStore | None = None) -> GoogleSheetsTable:
    """Build the role for one attempt."""
    return GoogleSheetsTable(settings, http)


async def check(settings: GoogleSheetsConnection, http: Http) -> str:
    """Read the spreadsheet's title."""
    title, sheets = await Spreadsheet(settings, http).titles()
    return f'the spreadsheet "{title}" with {len(sheets)} sheet{"" if len(sheets) == 1 else "s"}, as {settings.who}'


class GoogleSheetsTable:
    """Finds rows by reading the key column right before each write, and looks after it whether they stood still."""

    batch = 20_000

    def __init__(self, settings: GoogleSheetsConnection, http: Http) -> None:
        self._settings = settings
        self._spreadsheet = Spreadsheet(settings, http)
        self._key = http.idempotency_key

    async def upsert_rows(self, table: str, key: str, rows: Sequence[Row]) -> Written:
        """Write rows: changed cells of those that are there, new ones below the last."""
        wanted = rows_by_key(key, rows)
        columns = list(dict.fromkeys([key, *(name for row in wanted.values() for name in row)]))
        _check_title(table)
        if not wanted:
            return Written()
        async with self._alone(table):
            layout = await self._prepared(table, key, columns)
            return await self._settled(layout, key, wanted)

    async def remove_rows(self, table: str, key: str, values: Sequence[str]) -> Written:
        """Remove every row with one of these keys, from the bottom up."""
        _check_title(table)
        unwanted = {value for value in values if value}
        if not unwanted:
            return Written()
        async with self._alone(table):
            layout = await self._found(table, key, [key])
            if layout is None:
                raise no_such_sheet(table, (await self._spreadsheet.titles())[1])
            if not layout.columns:
                return Written()
            return Written(removed=await self._remove(layout, key, unwanted))

    async def read_rows(self, table: str, cursor: str = "") -> Rows:
        """Read some 10,000 rows; the cursor is the row to go on at, how many the sheet had, and a page's rows."""
        _check_title(table)
        if cursor:
            first, last, width, size = _read_cursor(cursor)
        else:
            layout = await self._spreadsheet.layout(table)
            if layout is None:
                raise no_such_sheet(table, (await self._spreadsheet.titles())[1])
            width, first, last = layout.width, HEADER_ROW + 1, layout.row_count
            size = max(1, min(ROWS_IN_A_PAGE, CELLS_IN_A_PAGE // max(1, width)))
        page, until = None, 0
        while page is None:
            if first > last or not width:
                return Rows(())
            until = min(last, first + size - 1)
            try:
                page = await self._spreadsheet.page(table, (first, until if until < last else None), width)
            except PermanentError as error:
                if "larger than" not in str(error) or size == 1:
                    raise
                size = max(1, size // 2)
                continue
            if page is None:
                # Rows were deleted meanwhile.
                shorter = await self._spreadsheet.layout(table)
                last = min(last - 1, shorter.row_count if shorter else 0)
        at = places(page[0])
        found = tuple(
            {name: row[place] if place < len(row) else "" for name, place in at.items()} for row in page[1] if any(row)
        )
        return Rows(found, "" if until >= last else f"{until + 1}:{last}:{width}:{size}")

    # --------------------------------------------------------------------------------------------------- writing

    async def _settled(self, layout: Layout, key: str, wanted: Mapping[str, Mapping[str, Value]]) -> Written:
        """Write until every row has been found where it was written."""
        created = 0
        changed: set[str] = set()
        harmed: list[str] = []
        for attempt in range(MOST_ROUNDS):
            update = Update(self._spreadsheet, layout, key, wanted)
            try:
                there = _first(await self._spreadsheet.keys(layout, key))
                await update.carry_out({row: name for name, row in there.items() if name in wanted}, changed)
                missing = [(name, wanted[name]) for name in wanted if name not in there]
                made = await append(self._spreadsheet, layout, missing, f"{self._key}#{attempt}")
            except Moved:
                pass
            else:
                created += made
                if made == len(missing):
                    break
                # An earlier attempt of this very step had written some of them: they are there now.
            finally:
                harmed += update.harmed
            layout = await self._prepared(layout.title, key, list(layout.columns))
        else:
            raise TransientError("rows of the sheet were moved again and again while they were written")
        if harmed:
            raise NeedsHumanError(
                f"rows were moved by somebody while they were written, and some cells of others may have been written "
                f"over ({_named(harmed)}): compare them in File > Version history"
            )
        return Written(created=created, updated=len(changed))

    async def _remove(self, layout: Layout, key: str, unwanted: set[str]) -> int:
        removed = 0
        before: list[str] = []
        rows: list[int] = []
        for _ in range(MOST_ROUNDS):
            try:
                now = await self._spreadsheet.keys(layout, key)
                left = [row for row, name in enumerate(now, HEADER_ROW + 1) if name in unwanted]
                if rows:
                    removed += len(rows) - len(left)
                if rows and left and (lost := sorted(set(before) - set(now) - unwanted)):
                    raise NeedsHumanError(
                        f"rows were moved by somebody while others were removed, and some may be gone with them "
                        f"({_named(lost)}): bring them back from File > Version history"
                    )
                if not left:
                    return removed
                before, rows = now, left
                await self._delete(layout, rows)
            except Moved:
                pass
            layout = await self._found(layout.title, key, [key]) or layout
        raise TransientError("rows of the sheet were moved again and again while some were removed")

    async def _delete(self, layout: Layout, rows: Sequence[int]) -> None:
        blocks = list(runs(rows, longest=layout.row_count))[::-1]
        requests: list[dict[str, object]] = []
        if len(rows) >= layout.row_count - max(layout.frozen_rows, HEADER_ROW):
            # A sheet keeps one row below its frozen ones.
            requests.append({"appendDimension": {"sheetId": layout.sheet_id, "dimension": "ROWS", "length": 1}})
        for first, last in blocks:
            where = {"sheetId": layout.sheet_id, "dimension": "ROWS", "startIndex": first - 1, "endIndex": last}
            requests.append({"deleteDimension": {"range": where}})
        for start in range(0, len(requests), MOST_DELETIONS):
            await self._spreadsheet.change(requests[start : start + MOST_DELETIONS])

    # --------------------------------------------------------------------------------------------------- columns

    async def _prepared(self, table: str, key: str, columns: Sequence[str]) -> Layout:
        """Return the sheet's layout with all columns in it; sheet and columns are added where that is allowed."""
        layout = await self._found(table, key, columns)
        if layout is None:
            if self._settings.create != "tables":
                raise no_such_sheet(table, (await self._spreadsheet.titles())[1])
            # Somebody else may have added it in this instant, which Google refuses.
            await self._spreadsheet.change([{"addSheet": {"properties": {"title": table}}}], accept=(400,))
            layout = await self._found(table, key, columns)
            if layout is None:
                raise TransientError(f"sheet {table!r} was added, and is not there")
        for _ in range(MOST_ROUNDS):
            missing = [column for column in columns if column not in layout.columns]
            if not missing:
                return layout
            if self._settings.create == "nothing":
                mend = 'add it to the first row, or write create = "columns" into the connection'
                raise NeedsHumanError(f"sheet {table!r} has no column {missing[0]!r}: {mend}")
            await self._add(layout, missing)
            layout = await self._found(table, key, columns) or layout
        raise TransientError(f"the columns of sheet {table!r} were moved again and again while some were added")

    async def _found(self, table: str, key: str, columns: Sequence[str]) -> Layout | None:
        layout = await self._spreadsheet.layout(table)
        if layout is None:
            return None
        doubled = sorted(layout.doubled.intersection(columns))
        if doubled:
            raise NeedsHumanError(f"sheet {table!r} has two columns {doubled[0]!r}: rename one of them")
        if layout.columns and key not in layout.columns:
            there = _named(list(layout.columns))
            mend = f"write it into the first row, which has: {there}"
            raise NeedsHumanError(f"sheet {table!r} has no column {key!r}, by which rows are found: {mend}")
        return layout

    async def _add(self, layout: Layout, names: Sequence[str]) -> None:
        last = layout.width + len(names) - 1
        more = last + 1 - layout.column_count
        if more > 0:
            grow = {"sheetId": layout.sheet_id, "dimension": "COLUMNS", "length": more}
            await self._spreadsheet.change([{"appendDimension": grow}])
        where = a1(layout.title, layout.width, last, (HEADER_ROW, HEADER_ROW))
        await self._spreadsheet.write([(where, [list(names)])])

    def _alone(self, table: str) -> asyncio.Lock:
        """Return the lock under which this process writes to a sheet: its own calls must not move each other's rows."""
        name = (asyncio.get_running_loop(), self._settings.base_url, self._settings.spreadsheet_id, table)
        return _writing.setdefault(name, asyncio.Lock())


def _first(keys: Sequence[str]) -> dict[str, int]:
    """Return the row of each key; of several the topmost."""
    found: dict[str, int] = {}
    for row, name in enumerate(keys, HEADER_ROW + 1):
        if name:
            found.setdefault(name, row)
    return found


def _check_title(table: str) -> None:
    if not _TITLE.fullmatch(table) or table != table.strip():
        raise PermanentError(f"{table[:100]!r} cannot be the name of a sheet: it has 1 to 100 characters on one line")


def _read_cursor(cursor: str) -> tuple[int, int, int, int]:
    try:
        first, last, width, size = map(int, cursor.split(":"))
    except ValueError:
        first = last = width = size = 0
    if min(first, last, width, size) < 1:
        raise PermanentError(f"{cursor[:60]!r} is no cursor of this table")
    return first, last, width, size


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(names[:SHOWN])
    return f"{shown} and {len(names) - SHOWN} more" if len(names) > SHOWN else shown
