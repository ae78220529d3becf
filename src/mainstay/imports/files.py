"""Files of people as other programs export them: CSV, JSON lines, Parquet. Read as a stream, from any record on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from mainstay.connectors.csv_file.reader import Layout, inspect, records, row
from mainstay.errors import MalformedError
from mainstay.kit.payload import kind_of

CSV, NDJSON, PARQUET = "csv", "ndjson", "parquet"
_FORMATS = {".jsonl": NDJSON, ".ndjson": NDJSON, ".parquet": PARQUET}
_PLAIN = (str, int, float, bool, type(None), list, dict)
_ROWS = 10_000
_MAX_LINE = 1 << 20


@dataclass(frozen=True, slots=True)
class File:
    """A file that can be read. ``columns`` is empty where every record has its own."""

    path: Path
    format: str
    columns: tuple[str, ...] = ()
    layout: Layout | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One record: ``line`` is where it begins, from 1, as an editor counts (in a Parquet file: which row)."""

    line: int
    values: Mapping[str, Any]
    problem: str = ""


def look_at(path: Path) -> File:
    """Find out how a file is written; CSV unless its name says otherwise.

    Raises:
        MalformedError: it is empty or cannot be what its name says.
        OSError: it cannot be read.
    """
    kind = _FORMATS.get(path.suffix.lower(), CSV)
    if kind == CSV:
        layout = inspect(path)
        return File(path, CSV, layout.header, layout)
    with path.open("rb") as opened:
        if not opened.read(1):
            raise MalformedError(f"{path.name} is empty")
    return File(path, NDJSON) if kind == NDJSON else File(path, PARQUET, tuple(_Parquet(path).columns))


def read(file: File, start: int = 0, *, every: int = 1, size: int = 1, turn: int = 0) -> Iterator[tuple[int, Record]]:
    """Give records with their place, from the one at ``start`` on; blank ones are left out and not counted.

    Of each ``every`` parts of ``size`` records, only the one whose ``turn`` it is: several processes share a file so.
    """
    if file.format == CSV and file.layout is not None:
        header = file.layout.header
        for place, (line, cells) in enumerate(records(file.path, file.layout)):
            if place >= start and (place - start) // size % every == turn:
                found = row(line, cells, header)
                yield place, Record(found.line, found.values, found.problem)
        return
    source: Iterator[tuple[int, bytes | Mapping[str, Any]]]
    source = _json_lines(file.path) if file.format == NDJSON else _Parquet(file.path).rows()
    for place, (line, raw) in enumerate(source):
        if place >= start and (place - start) // size % every == turn:
            yield place, _record(line, raw)


def _json_lines(path: Path) -> Iterator[tuple[int, bytes | Mapping[str, Any]]]:
    with path.open("rb") as opened:
        for number, line in enumerate(opened, 1):
            stripped = line.strip()
            if stripped:
                yield number, stripped


def _record(line: int, raw: bytes | Mapping[str, Any]) -> Record:
    if not isinstance(raw, bytes):
        return Record(line, {key: value if isinstance(value, _PLAIN) else str(value) for key, value in raw.items()})
    if len(raw) > _MAX_LINE:
        return Record(line, {}, f"the line is longer than {_MAX_LINE:,} bytes")
    try:
        value = orjson.loads(raw.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        return Record(line, {}, f"the line is not valid JSON: {error}")
    if not isinstance(value, dict):
        return Record(line, {}, f"the line should be a JSON object, but is {kind_of(value)}")
    return Record(line, value)


class _Parquet:
    """A Parquet file, by way of DuckDB."""

    def __init__(self, path: Path) -> None:
        try:
            import duckdb  # noqa: PLC0415 - only who has such a file needs it
        except ImportError:
            raise MalformedError(f"{path.name}: to read Parquet, install duckdb: pip install duckdb") from None
        # The order of the rows is their identity when an import goes on where it was.
        connection = duckdb.connect(config={"threads": 1, "preserve_insertion_order": True})
        try:
            self._result = connection.execute("SELECT * FROM read_parquet(?)", [str(path)])
        except duckdb.Error as error:
            raise MalformedError(f"{path.name} cannot be read as Parquet: {str(error).splitlines()[0]}") from None
        self.columns = [column[0] for column in self._result.description or ()]

    def rows(self) -> Iterator[tuple[int, bytes | Mapping[str, Any]]]:
        number = 0
        while found := self._result.fetchmany(_ROWS):
            for values in found:
                number += 1
                yield number, dict(zip(self.columns, values, strict=True))
