"""Reading CSV files as people's programs write them: encodings, delimiters, ragged lines."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import StringIO
from itertools import islice
from pathlib import Path
from types import MappingProxyType

from mainstay.errors import MalformedError

DELIMITERS = (",", ";", "\t", "|")
_CHUNK = 1 << 20
_SAMPLE_LINES = 50
_SAMPLE_CHARS = 200_000
_MAX_COLUMNS = 500
_EMPTY: Mapping[str, str] = MappingProxyType({})
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is written: ``skip`` lines stand before the header, ``header_line`` counts from 1."""

    encoding: str
    delimiter: str
    header: tuple[str, ...]
    skip: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One record. ``line`` is where it begins in the file, from 1; ``problem`` says why it cannot be used."""

    line: int
    values: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    problem: str = ""


def inspect(path: Path) -> Layout:
    """Find a file's encoding, delimiter and header.

    Raises:
        MalformedError: the file is empty, or its header is missing, has doubled or empty titles.
        OSError: the file cannot be read.
    """
    encoding = _encoding(path)
    with path.open(encoding=encoding, newline="", errors="replace") as file:
        sample = "".join(islice(_bounded(file), _SAMPLE_LINES))[:_SAMPLE_CHARS]
    first, _, rest = sample.partition("\n")
    skip = 0
    # Excel writes and reads such a first line.
    if first.strip().lower().startswith("sep=") and len(first.strip()) == len("sep=,"):
        delimiter, sample, skip = first.strip()[-1], rest, 1
    else:
        delimiter = _delimiter(sample)
    records = csv.reader(StringIO(sample, newline=""), delimiter=delimiter)
    try:
        header = next((record for record in records if any(cell.strip() for cell in record)), None)
    except csv.Error as error:
        raise MalformedError(f"{path.name}: the header cannot be read: {error}") from None
    if header is None:
        raise MalformedError(f"{path.name} is empty: a first line with column titles is needed")
    titles = tuple(cell.replace("\x00", "").strip() for cell in header)
    while titles and not titles[-1]:
        titles = titles[:-1]
    _check_header(titles, path.name)
    return Layout(encoding, delimiter, titles, skip)


def rows(path: Path, layout: Layout | None = None) -> Iterator[Row]:
    """Give every record after the header; blank lines are left out, unusable ones have a ``problem``.

    Raises:
        MalformedError: as ``inspect`` does.
        OSError: the file cannot be read.
    """
    layout = layout or inspect(path)
    for line, record in records(path, layout):
        yield row(line, record, layout.header)


def records(path: Path, layout: Layout) -> Iterator[tuple[int, list[str] | str]]:
    """Give the cells of every record after the header, or why it cannot be read, with the line where it begins.

    Raises:
        MalformedError: as ``inspect`` does.
        OSError: the file cannot be read.
    """
    with path.open(encoding=layout.encoding, newline="", errors="replace") as file:
        for _ in range(layout.skip):
            file.readline()
        reader = csv.reader(file, delimiter=layout.delimiter, strict=True)
        is_header = True
        before = 0
        while True:
            line = layout.skip + before + 1
            try:
                record = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                if is_header:
                    raise MalformedError(f"{path.name}: the header cannot be read: {error}") from None
                before = reader.line_num
                yield line, _broken(error)
                continue
            before = reader.line_num
            if not any(map(str.strip, record)):
                continue
            if is_header:
                is_header = False
                continue
            yield line, record


def row(line: int, record: list[str] | str, header: tuple[str, ...]) -> Row:
    """Return a record that :func:`records` gave, by the titles of its columns."""
    return Row(line, problem=record) if isinstance(record, str) else _row(line, record, header)


def _row(line: int, record: list[str], header: tuple[str, ...]) -> Row:
    cells = [cell.replace("\x00", "").strip() for cell in record]
    while len(cells) > len(header) and not cells[-1]:
        cells.pop()
    values = dict(zip(header, cells, strict=False))
    if len(cells) != len(header):
        are = "column" if len(cells) == 1 else "columns"
        return Row(
            line, values, f"the line has {len(cells)} {are}, the header {len(header)}: a quote or delimiter is off"
        )
    return Row(line, values)


def _broken(error: csv.Error) -> str:
    if "unexpected end of data" in str(error):
        return "a quote is opened and never closed: everything from here to the end was taken for one value"
    return f"the line cannot be read: {error}"


def _check_header(titles: tuple[str, ...], name: str) -> None:
    if len(titles) > _MAX_COLUMNS:
        raise MalformedError(f"{name}: the header has {len(titles)} columns, more than {_MAX_COLUMNS}")
    empty = [str(number) for number, title in enumerate(titles, 1) if not title]
    if empty:
        raise MalformedError(f"{name}: the header has no title in column {', '.join(empty)}")
    doubled = sorted({title for title in titles if titles.count(title) > 1})
    if doubled:
        raise MalformedError(f"{name}: the header has {', '.join(map(repr, doubled))} more than once: rename one")
    if any("@" in title and "." in title.rpartition("@")[2] for title in titles):
        raise MalformedError(f"{name}: the first line holds an e-mail address: add a line with column titles above it")


def _bounded(file: Iterator[str]) -> Iterator[str]:
    """Lines of a text file, not more than the sample needs even where a file has no line ends."""
    seen = 0
    for line in file:
        yield line
        seen += len(line)
        if seen > _SAMPLE_CHARS:
            return


def _delimiter(sample: str) -> str:
    """The delimiter under which most lines have as many cells as the header, then the one with most cells."""

    def score(delimiter: str) -> tuple[int, int]:
        try:
            records = [record for record in csv.reader(StringIO(sample, newline=""), delimiter=delimiter) if record]
        except csv.Error:
            return 0, 0
        width = len(records[0]) if records else 0
        return (sum(len(record) == width for record in records), width) if width > 1 else (0, 0)

    return max(DELIMITERS, key=score)


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(4096)
        for bom, name in _BOMS:
            if start.startswith(bom):
                return name
        if start and start.count(b"\x00") > len(start) // 4:
            return "utf-16-be" if start[:1] == b"\x00" else "utf-16-le"
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            chunk = start
            while chunk:
                decoder.decode(chunk)
                chunk = file.read(_CHUNK)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8"
