"""CSV as RFC 4180 has it, in UTF-8: rows in a stream, and the cells that a spreadsheet would run."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mainstay.kit import PermanentError

# A phone number or a negative number is harmless, and would be spoilt for every other reader.
_RUN = re.compile(r"'*[=+\-@\t\r]")
_HARMLESS = re.compile(r"'*[+-]?[\d .,()/-]*\d")
_MOST_CHARS = 10_000_000


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file is written."""

    delimiter: str
    is_safe: bool

    def written(self, text: str) -> str:
        """Return a cell as the file holds it."""
        return "'" + text if self.is_safe and _is_run(text) else text

    def shown(self, cell: str) -> str:
        """Return a cell of the file as it was meant."""
        return cell[1:] if self.is_safe and cell[:1] == "'" and _is_run(cell) else cell


def _is_run(text: str) -> bool:
    # Alike for a cell and for the same with ' before it, so that the two ways are each other's undoing.
    return text[:1] in _FIRST and bool(_RUN.match(text)) and not _HARMLESS.fullmatch(text)


_FIRST = frozenset("'=+-@\t\r")


class Reader:
    """The rows of an open file, the header first; ``offset`` is where the next one begins."""

    def __init__(self, file: IO[bytes], dialect: Dialect) -> None:
        csv.field_size_limit(_MOST_CHARS)
        self._file = file
        self.offset = 0
        self._rows = csv.reader(self._lines(), delimiter=dialect.delimiter, strict=True)

    def _lines(self) -> Iterator[str]:
        for line in self._file:
            self.offset += len(line)
            text = line.decode()
            yield text.removeprefix("\ufeff") if self.offset == len(line) else text

    def seek(self, offset: int) -> None:
        """Go on at a place that ``offset`` has named."""
        self._file.seek(offset)
        self.offset = offset

    def __iter__(self) -> Iterator[list[str]]:
        return self

    def __next__(self) -> list[str]:
        try:
            return next(self._rows)
        except UnicodeDecodeError:
            raise PermanentError(f"{_name(self._file)} is not UTF-8 text: save it as UTF-8") from None
        except csv.Error as error:
            line = self._rows.line_num
            raise PermanentError(f"{_name(self._file)}: line {line} is no CSV: {error}") from None


def _name(file: IO[bytes]) -> str:
    return Path(file.name).name
