"""The table role on Notion: a database is a table, its properties are the columns, its pages the rows.

Notion writes one page a request, so a batch is small. Rows are asked for by their keys, which are texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mainstay.connectors.notion.account import listed, strange
from mainstay.connectors.notion.cells import RICH, WRITABLE, read, rich, write
from mainstay.connectors.notion.database import as_uuid, first_source, look_up, value_of
from mainstay.connectors.notion.settings import NotionConnection
from mainstay.kit import Http, NeedsHumanError, PermanentError, RecordStore, Row, Rows, TransientError, Written
from mainstay.kit.roles import Value, cell_text, rows_by_key

QUERY_LAG = 15.0
"""Seconds after which a page that was made is found by a query; Notion names no figure."""
KEYS_AT_ONCE = 50
PAGES_AT_ONCE = 5
_CURSOR = "at:"
_NAME = re.compile(r"[^\x00-\x1f]{1,200}")
_OLDEST_FIRST = {"sorts": [{"timestamp": "created_time", "direction": "ascending"}]}
Page = Mapping[str, Any]


def make_table(settings: NotionConnection, http: Http, _store: RecordStore | None = None) -> NotionTable:
    """Build the role for one attempt."""
    return NotionTable(settings, http)


class NotionTable:
    """Reads before it writes: pages that say so already cost no request."""

    batch = KEYS_AT_ONCE

    def __init__(self, settings: NotionConnection, http: Http) -> None:
        self._settings = settings
        self._http = http

    async def upsert_rows(self, table: str, key: str, rows: Sequence[Row]) -> Written:
        """Write rows, each over the oldest page of its key, else as a new page."""
        wanted = rows_by_key(key, rows)
        _check_name(table)
        if not wanted:
            return Written()
        columns = list(dict.fromkeys([key, *(name for row in wanted.values() for name in row)]))
        layout = await self._prepared(table, key, columns)
        created = updated = 0
        for part in _parts(list(wanted)):
            there = await self._pages(layout, key, part)
            for name in part:
                if name not in there:
                    await self._create(layout, wanted[name])
                    created += 1
                elif changes := layout.changes(there[name][0], wanted[name]):
                    await self._patch(there[name][0], {"properties": changes})
                    updated += 1
        return Written(created=created, updated=updated)

    async def remove_rows(self, table: str, key: str, values: Sequence[str]) -> Written:
        """Put every page with one of these keys into the trash."""
        _check_name(table)
        unwanted = list(dict.fromkeys(filter(None, values)))
        if not unwanted:
            return Written()
        layout = await self._found(table)
        layout.require(key)
        layout.require_text(key)
        removed = 0
        for part in _parts(unwanted):
            for pages in (await self._pages(layout, key, part)).values():
                for page in pages:
                    await self._patch(page, {"in_trash": True})
                    removed += 1
        return Written(removed=removed)

    async def read_rows(self, table: str, cursor: str = "") -> Rows:
        """Read some 500 pages, the oldest first; the cursor is Notion's own."""
        _check_name(table)
        if cursor and not cursor.startswith(_CURSOR):
            raise PermanentError(f"{cursor[:60]!r} is no cursor of this table")
        layout = await self._found(table)
        following = cursor.removeprefix(_CURSOR)
        found: list[Mapping[str, str]] = []
        for _ in range(PAGES_AT_ONCE):
            asked = {**_OLDEST_FIRST, "page_size": 100, **({"start_cursor": following} if following else {})}
            answer = await self._http.request("POST", layout.query, json=asked)
            results, told = answer.data.get("results"), answer.data.get("next_cursor")
            if not isinstance(results, list):
                raise strange("list")
            found += [layout.texts(page) for page in results if isinstance(page, dict)]
            following = told if answer.data.get("has_more") is True and isinstance(told, str) else ""
            if not following:
                break
        return Rows(tuple(found), f"{_CURSOR}{following}" if following else "")

    # -------------------------------------------------------------------------------------------------------- pages

    async def _pages(self, layout: _Layout, key: str, keys: Sequence[str]) -> dict[str, list[Page]]:
        """Return the pages of each key, the oldest first."""
        kind = layout.kind(key)
        asked = [{"property": key, kind: {"equals": name}} for name in keys]
        found: dict[str, list[Page]] = {}
        async for page, _ in listed(self._http, "POST", layout.query, {**_OLDEST_FIRST, "filter": {"or": asked}}):
            # Whether Notion tells capitals apart here is not documented.
            if (name := read(value_of(page, key))) in keys:
                found.setdefault(name, []).append(page)
        return found

    async def _create(self, layout: _Layout, row: Mapping[str, Value]) -> None:
        values = {name: layout.write(name, value) for name, value in row.items() if cell_text(value)}
        given = {"parent": {"type": "data_source_id", "data_source_id": layout.id}, "properties": values}
        try:
            await self._http.request("POST", "/v1/pages", json=given)
        except TransientError as error:
            if not error.unsure:
                raise
            # A query any sooner might not show it, and the page would be made twice.
            wait = max(QUERY_LAG, error.retry_after or 0.0)
            raise TransientError(str(error), status=error.status, retry_after=wait, unsure=True) from None

    async def _patch(self, page: Page, given: Mapping[str, Any]) -> None:
        page_id = as_uuid(str(page.get("id")))
        if not page_id:
            raise strange("id")
        await self._http.request("PATCH", f"/v1/pages/{page_id}", json=given)

    # ---------------------------------------------------------------------------------------------------- databases

    async def _prepared(self, table: str, key: str, columns: Sequence[str]) -> _Layout:
        """Return the database with all columns in it; it and they are added where that is allowed."""
        record = await look_up(self._http, table)
        if record is None:
            return await self._create_database(table, columns)
        layout = _Layout(table, record)
        if key not in layout.kinds and not await self._is_empty(layout):
            # A database with pages and without our key is somebody else's.
            layout.require(key)
        missing = [column for column in columns if column not in layout.kinds]
        if missing and self._settings.create == "nothing":
            mend = 'add it, a Text, or write create = "columns" into the connection'
            raise NeedsHumanError(f"the Notion database {table!r} has no column {missing[0]!r}: {mend}")
        if missing:
            added: dict[str, Any] = {"properties": {name: {"rich_text": {}} for name in missing}}
            layout = _Layout(table, (await self._http.request("PATCH", layout.path, json=added)).data)
        layout.require_text(key)
        for column in columns:
            layout.require_writable(column)
        return layout

    async def _found(self, table: str) -> _Layout:
        record = await look_up(self._http, table)
        if record is None:
            raise self._no_table(table)
        return _Layout(table, record)

    async def _create_database(self, table: str, columns: Sequence[str]) -> _Layout:
        if self._settings.create != "tables":
            raise self._no_table(table)
        # The title names a page wherever Notion shows it: better the first thing that says something than a key.
        title = columns[1] if len(columns) > 1 else columns[0]
        properties: dict[str, Any] = {name: {"title" if name == title else "rich_text": {}} for name in columns}
        given = {
            "parent": {"page_id": as_uuid(self._settings.page)},
            "title": rich(table),
            "initial_data_source": {"properties": properties},
        }
        answer = await self._http.request("POST", "/v1/databases", json=given, accept=(404,))
        if answer.status == 404:
            raise NeedsHumanError(
                f"the page {self._settings.page}, below which the database {table!r} is to be made, is not there "
                "or not shared with the integration: at the page, ... > Connections"
            )
        record = await look_up(self._http, first_source(answer.data) or table)
        if record is None:
            raise TransientError(f"the Notion database {table!r} was made, and is not there", retry_after=QUERY_LAG)
        return _Layout(table, record)

    async def _is_empty(self, layout: _Layout) -> bool:
        answer = await self._http.request("POST", layout.query, json={"page_size": 1})
        return not answer.data.get("results")

    def _no_table(self, table: str) -> NeedsHumanError:
        return NeedsHumanError(
            f"Notion has no database {table!r} that this connection may see: make it and give the integration access "
            '(its ... > Connections), or write create = "tables" and page into the connection'
        )


class _Layout:
    """A data source as a table: the types of its columns."""

    def __init__(self, table: str, record: Mapping[str, Any]) -> None:
        properties = record.get("properties")
        self.id = as_uuid(str(record.get("id")))
        if not self.id or not isinstance(properties, dict):
            raise strange("database")
        self._table = table
        self.kinds = {name: str(each.get("type")) for name, each in properties.items() if isinstance(each, dict)}
        self.path = f"/v1/data_sources/{self.id}"
        self.query = f"{self.path}/query"

    def kind(self, column: str) -> str:
        return self.kinds.get(column, "")

    def require(self, key: str) -> None:
        if key not in self.kinds:
            there = ", ".join(list(self.kinds)[:10])
            raise NeedsHumanError(
                f"the Notion database {self._table!r} has no column {key!r}, by which rows are found: add it, a Text; "
                f"it has {there}"
            )

    def require_text(self, key: str) -> None:
        if self.kind(key) not in RICH:
            raise self._of_wrong_kind(key)

    def require_writable(self, column: str) -> None:
        if self.kind(column) not in WRITABLE:
            raise self._of_wrong_kind(column)

    def write(self, column: str, value: Value) -> dict[str, Any]:
        return write(self.kinds[column], column, value)

    def texts(self, page: Page) -> dict[str, str]:
        return {name: read(value_of(page, name)) for name in self.kinds}

    def changes(self, page: Page, row: Mapping[str, Value]) -> dict[str, Any]:
        """Return the values that a page lacks."""
        return {
            name: self.write(name, value)
            for name, value in row.items()
            if read(value_of(page, name)) != cell_text(value)
        }

    def _of_wrong_kind(self, column: str) -> NeedsHumanError:
        return NeedsHumanError(
            f"{column!r} of the Notion database {self._table!r} is of the type {self.kind(column)}, which takes no "
            "text as it is: change it to Text, or give the column another title"
        )


def _check_name(table: str) -> None:
    if not _NAME.fullmatch(table) or table != table.strip():
        raise PermanentError(
            f"{table[:100]!r} cannot be the name of a Notion database: it has 1 to 200 characters on one line"
        )


def _parts(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), KEYS_AT_ONCE):
        yield names[start : start + KEYS_AT_ONCE]
