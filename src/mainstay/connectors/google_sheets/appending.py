"""New rows: each request adds them below the last row of the sheet, whole or not at all, and once.

``values:append`` and ``appendCells`` find the last row at the moment of writing, so that two writers never write over
each other; neither can be repeated. So each request also leaves a mark whose id is made of the step and the rows:
Google refuses a second mark of the same id, and with it the whole request. A request that was given up, and that Google
carries out later, is thus refused once its repeat has been.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

import orjson

from mainstay.connectors.google_sheets.spreadsheet import MOST_BYTES, Layout, Spreadsheet, sendable
from mainstay.kit import PermanentError
from mainstay.kit.roles import Value

MARK = "mainstay-rows"
# No request is carried out as long after it was sent.
KEPT = 3_600.0

Missing = tuple[str, Mapping[str, Value]]


async def append(sheet: Spreadsheet, layout: Layout, missing: Sequence[Missing], write_key: str) -> int:
    """Add rows; returns how many, fewer where an earlier attempt of this step had added a portion."""
    old = [mark for mark, key, value in layout.marks if key == MARK and _is_old(value)]
    known = {mark for mark, _key, _value in layout.marks} - set(old)
    requests: list[dict[str, Any]] = [{"deleteDeveloperMetadata": {"dataFilter": _by_id(mark)}} for mark in old]
    made = 0
    for cells in _portions(layout, missing):
        mark = _mark(write_key, layout, cells)
        if mark in known:
            continue
        stamp = {
            "metadataId": mark,
            "metadataKey": MARK,
            "metadataValue": str(int(time.time())),
            "location": {"spreadsheet": True},
            "visibility": "PROJECT",
        }
        adding = {"sheetId": layout.sheet_id, "rows": cells, "fields": "userEnteredValue"}
        requests += [{"createDeveloperMetadata": {"developerMetadata": stamp}}, {"appendCells": adding}]
        try:
            await sheet.change(requests)
        except PermanentError as error:
            if error.status != 400 or not await _is_marked(sheet, layout, mark):
                raise
        else:
            made += len(cells)
        requests = []
    return made


async def _is_marked(sheet: Spreadsheet, layout: Layout, mark: int) -> bool:
    now = await sheet.layout(layout.title)
    return now is not None and any(mark == each for each, _key, _value in now.marks)


def _portions(layout: Layout, missing: Sequence[Missing]) -> Iterator[list[dict[str, Any]]]:
    cells: list[dict[str, Any]] = []
    size = 0
    for _name, row in missing:
        made = _row(layout, row)
        length = len(orjson.dumps(made)) + 1
        if cells and size + length > MOST_BYTES:
            yield cells
            cells, size = [], 0
        cells.append(made)
        size += length
    if cells:
        yield cells


def _row(layout: Layout, row: Mapping[str, Value]) -> dict[str, Any]:
    cells: list[dict[str, Any]] = [{}] * (max(layout.columns[column] for column in row) + 1)
    for column, value in row.items():
        cell = _cell(sendable(value, column))
        if cell:
            cells[layout.columns[column]] = cell
    return {"values": cells}


def _cell(value: Value) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"userEnteredValue": {"boolValue": value}}
    if isinstance(value, int | float):
        return {"userEnteredValue": {"numberValue": value}}
    return {"userEnteredValue": {"stringValue": value}} if value else {}


def _mark(write_key: str, layout: Layout, cells: Sequence[Mapping[str, Any]]) -> int:
    """Return a positive number of 31 bits."""
    named = f"{write_key}\n{layout.sheet_id}\n".encode() + orjson.dumps(cells)
    return int.from_bytes(sha256(named).digest()[:4]) % (2**31 - 1) + 1


def _by_id(mark: int) -> dict[str, Any]:
    return {"developerMetadataLookup": {"metadataId": mark}}


def _is_old(value: str) -> bool:
    return not value.isdigit() or time.time() - int(value) > KEPT
