"""One table as a file: read in pages, and replaced as a whole, under a lock that every process keeps."""

from __future__ import annotations

import csv
import fcntl
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TextIO

from mainstay.connectors.table_file import parquet
from mainstay.connectors.table_file.csv_lines import Dialect, Reader
from mainstay.connectors.table_file.settings import TableFileConnection
from mainstay.kit import NeedsHumanError, PermanentError, Rows, TransientError, Written
from mainstay.kit.roles import Value, cell_text

ROWS_IN_A_PAGE = 10_000
LOCK_TIMEOUT = 20.0
_POLL = 0.05
_MOST_BYTES_IN_A_NAME = 200
_CURSOR = re.compile(r"[0-9]{1,18}:[0-9]{1,18}:(-|[0-9]+-[0-9]+-[0-9]+)")
_UNSAFE = set('/\\:*?"<>|[]{}')

Line = list[str]


class TableFile:
    """A table's file, whether it is there or not."""

    def __init__(self, settings: TableFileConnection, table: str) -> None:
        self._settings = settings
        self.table = _checked(table)
        self._is_parquet = settings.format == "parquet"
        self.path = settings.folder / f"{table}.{settings.format}"
        # What a Parquet file passes through on its way is ours alone.
        self._dialect = Dialect(",", is_safe=False) if self._is_parquet else _dialect(settings)

    # --------------------------------------------------------------------------------------------------- reading

    def read(self, cursor: str) -> Rows:
        """Read a page."""
        number, offset, stamp = _read_cursor(cursor) if cursor else (0, 0, "")
        self._require()
        if self._is_parquet:
            names, lines, has_more = parquet.page(self.path, number, ROWS_IN_A_PAGE)
            rows = tuple(dict(zip(names, line, strict=True)) for line in lines)
            return Rows(rows, f"{number + len(rows)}:0:-" if has_more else "")
        with self.path.open("rb") as file:
            status = os.fstat(file.fileno())
            is_same = stamp == f"{status.st_ino}-{status.st_mtime_ns}-{status.st_size}"
            reader = Reader(file, self._dialect)
            header = self._header(reader)
            if is_same:
                reader.seek(offset)
            else:
                # The file is another by now: rows are counted off.
                for _ in range(number):
                    next(reader, None)
            found: list[Mapping[str, str]] = []
            for count, line in enumerate(reader, 1):
                if any(line):
                    found.append(self._row(header, line))
                if count == ROWS_IN_A_PAGE:
                    where = f"{status.st_ino}-{status.st_mtime_ns}-{status.st_size}"
                    return Rows(tuple(found), f"{number + count}:{reader.offset}:{where}")
            return Rows(tuple(found))

    def _row(self, header: Line, line: Line) -> dict[str, str]:
        shown = self._dialect.shown
        row = {name: shown(cell) for name, cell in zip(header, line, strict=False) if name}
        return row if len(line) >= len(header) else {**dict.fromkeys(filter(None, header), ""), **row}

    def _header(self, reader: Reader) -> Line:
        names = [self._dialect.shown(name) for name in next(reader, [])]
        doubled = {name for name in names if name and names.count(name) > 1}
        if doubled:
            raise NeedsHumanError(f"{self.path.name} has two columns {min(doubled)!r}: rename one of them")
        return names

    # --------------------------------------------------------------------------------------------------- writing

    def upsert(self, key: str, wanted: Mapping[str, Mapping[str, Value]]) -> Written:
        """Write rows, by replacing the file; one in which nothing changes stays as it is."""
        columns = list(dict.fromkeys([key, *(name for row in wanted.values() for name in row)]))
        if self._settings.create == "tables":
            self._settings.folder.mkdir(parents=True, exist_ok=True)
        self._require_folder()
        with self._lock():
            if not self.path.exists() and self._settings.create != "tables":
                self._require()
            counts = [0, 0]
            is_wider = False

            def merged(header: Line, lines: Iterator[Line]) -> tuple[Line, Iterator[Line]]:
                nonlocal is_wider
                names = self._prepared(header, key, columns)
                is_wider = len(names) > len(header)
                if is_wider:
                    lines = (line + [""] * (len(names) - len(line)) for line in lines)
                return names, self._merged(names, key, wanted, lines, counts)

            self._replace(merged, lambda: sum(counts) > 0 or is_wider)
            return Written(created=counts[0], updated=counts[1])

    def remove(self, key: str, unwanted: set[str]) -> Written:
        """Remove rows, by replacing the file."""
        self._require()
        with self._lock():
            removed = 0

            def kept(header: Line, lines: Iterator[Line]) -> tuple[Line, Iterator[Line]]:
                names = self._prepared(header, key, [key])
                at, shown = names.index(key), self._dialect.shown

                def left() -> Iterator[Line]:
                    nonlocal removed
                    for line in lines:
                        if at < len(line) and shown(line[at]) in unwanted:
                            removed += 1
                        else:
                            yield line

                return names, left()

            self._replace(kept, lambda: removed > 0)
            return Written(removed=removed)

    def _merged(
        self,
        names: Line,
        key: str,
        wanted: Mapping[str, Mapping[str, Value]],
        lines: Iterator[Line],
        counts: list[int],
    ) -> Iterator[Line]:
        at = {name: place for place, name in enumerate(names) if name}
        key_at, shown, written = at[key], self._dialect.shown, self._dialect.written
        left = dict(wanted)
        for line in lines:
            row = left.pop(shown(line[key_at]), None) if key_at < len(line) else None
            if row is not None:
                changes = {at[name]: cell_text(value) for name, value in row.items()}
                width = max(*changes, len(line) - 1) + 1
                cells = line + [""] * (width - len(line))
                changes = {place: text for place, text in changes.items() if shown(cells[place]) != text}
                if changes:
                    counts[1] += 1
                    for place, text in changes.items():
                        cells[place] = written(text)
                    yield cells
                    continue
            yield line
        for row in left.values():
            counts[0] += 1
            cells = [""] * len(names)
            for name, value in row.items():
                cells[at[name]] = written(cell_text(value))
            yield cells

    def _prepared(self, header: Line, key: str, columns: Iterable[str]) -> Line:
        if header and key not in header:
            there = ", ".join(header[:10])
            raise NeedsHumanError(f"{self.path.name} has no column {key!r}, by which rows are found; it has: {there}")
        missing = [name for name in columns if name not in header]
        if missing and self._settings.create == "nothing":
            mend = 'add it, or write create = "columns" into the connection'
            raise NeedsHumanError(f"{self.path.name} has no column {missing[0]!r}: {mend}")
        return header + missing

    def _replace(
        self, change: Callable[[Line, Iterator[Line]], tuple[Line, Iterator[Line]]], is_changed: Callable[[], bool]
    ) -> None:
        """Write the file anew beside itself and put it in its place; a kill leaves the old one or the new."""
        new = self._beside("new")
        old = self._beside("old") if self._is_parquet and self.path.exists() else self.path
        try:
            types = parquet.to_csv(self.path, old) if old != self.path else {}
            with new.open("w", encoding="utf-8", newline="") as target:
                if old.exists():
                    with old.open("rb") as source:
                        reader = Reader(source, self._dialect)
                        # A byte order mark stays: Excel goes by it.
                        if source.peek(3)[:3] == b"\xef\xbb\xbf":
                            target.write("\ufeff")
                        names, lines = change(self._header(reader), filter(None, reader))
                        self._write(target, names, lines)
                else:
                    names, lines = change([], iter(()))
                    self._write(target, names, lines)
                target.flush()
                os.fsync(target.fileno())
            if not is_changed():
                return
            if self._is_parquet:
                done = self._beside("parquet")
                parquet.from_csv(new, done, names, types)
                new.unlink()
                new = done
            if self.path.exists():
                new.chmod(self.path.stat().st_mode & 0o777)
            new.replace(self.path)
            _sync(self._settings.folder)
        finally:
            for name in ("new", "old", "parquet"):
                self._beside(name).unlink(missing_ok=True)

    def _write(self, target: TextIO, names: Line, lines: Iterator[Line]) -> None:
        # What Parquet is made of has every cell in quotes, so that an empty one is no NULL.
        quoting: Literal[0, 1] = csv.QUOTE_ALL if self._is_parquet else csv.QUOTE_MINIMAL
        writer = csv.writer(target, delimiter=self._dialect.delimiter, quoting=quoting, lineterminator="\r\n")
        writer.writerow([self._dialect.written(name) for name in names])
        width = len(names)
        if self._is_parquet:
            lines = (line + [""] * (width - len(line)) for line in lines)
        writer.writerows(lines)

    def _beside(self, what: str) -> Path:
        return self.path.with_name(f".{self.path.name}.{what}")

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Hold the file alone, against every process of this machine; the system frees it when its holder dies."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self._beside("lock"), flags, 0o600)
        try:
            give_up = time.monotonic() + LOCK_TIMEOUT
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > give_up:
                        message = f"{self.path.name} is being written by another; it was not free in {LOCK_TIMEOUT:g} s"
                        raise TransientError(message) from None
                    time.sleep(_POLL)
            yield
        finally:
            os.close(descriptor)

    # --------------------------------------------------------------------------------------------------- where

    def _require_folder(self) -> None:
        if not self._settings.folder.is_dir():
            message = f'there is no folder {self._settings.folder}: make it, or write create = "tables"'
            raise NeedsHumanError(message)
        if self.path.is_symlink() and not self.path.resolve().is_relative_to(self._settings.folder):
            raise NeedsHumanError(f"{self.path.name} is a link that leads out of the folder: take it away")

    def _require(self) -> None:
        self._require_folder()
        if not self.path.is_file():
            raise NeedsHumanError(
                f'there is no table {self.table!r}: {self.path} is missing; a write makes it where create = "tables"'
            )


def _checked(table: str) -> str:
    is_plain = table.isprintable() and not _UNSAFE & set(table) and table == table.strip(" .")
    try:
        size = len(table.encode())
    except UnicodeEncodeError:
        size = 0
    if not is_plain or not 0 < size <= _MOST_BYTES_IN_A_NAME:
        raise PermanentError(f"{table[:100]!r} cannot be the name of a table: it is a file's name, without its ending")
    return table


def _dialect(settings: TableFileConnection) -> Dialect:
    return Dialect(settings.delimiter, settings.spreadsheet_safe)


def _read_cursor(cursor: str) -> tuple[int, int, str]:
    number, _, rest = cursor.partition(":")
    offset, _, stamp = rest.partition(":")
    if not _CURSOR.fullmatch(cursor):
        raise PermanentError(f"{cursor[:60]!r} is no cursor of this table")
    return int(number), int(offset), stamp


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
