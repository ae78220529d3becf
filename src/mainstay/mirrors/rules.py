"""What a mirror holds of a record: its row, whether two rows say the same, and where they differ."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from mainstay.kit.roles.table import clean
from mainstay.mirrors.fields import (
    OF_CONTACT,
    MirroredRecord,
    MirroredType,
    is_writable,
    reader_of,
    usual_columns,
    usual_table,
)
from mainstay.model import Contact

Drift = Literal["raise", "revert", "propose"]
KEY = "Mainstay id"
"""The column that a row is found by."""
_SEPARATOR = "\x1f"


@dataclass(frozen=True, slots=True)
class Mirror:
    """A copy of the records of one type in a table, as the stack declares it.

    ``columns`` is title to field, in the order of the table; ``every`` how long changes are gathered, ``compare_every``
    how often it is looked whether somebody changed the copy. ``table`` and ``columns`` are those usual for the type
    where they are empty.
    """

    name: str
    connection: str
    table: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    every: timedelta = timedelta(minutes=1)
    compare_every: timedelta = timedelta(days=1)
    drift: Drift = "raise"
    record: MirroredType = "contact"
    layout: str = field(init=False, repr=False, compare=False)
    """A digest of where the copy is and what it holds: of another layout, all is to be written anew."""
    _cells: tuple[tuple[str, Callable[[Contact | MirroredRecord], str]], ...] = field(
        init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        """Look once how each column is read: that is done for each record."""
        object.__setattr__(self, "table", self.table or usual_table(self.record))
        object.__setattr__(self, "columns", self.columns or usual_columns(self.record))
        layout = _digest([self.record, self.connection, self.table, *self.columns, *self.columns.values()]).hex()
        object.__setattr__(self, "layout", layout)
        cells = tuple((title, reader_of(self.record, name)) for title, name in self.columns.items())
        object.__setattr__(self, "_cells", cells)

    @property
    def shows_contacts(self) -> bool:
        """Tell whether rows change as the contacts do that the records are about."""
        return any(name.startswith(OF_CONTACT) for name in self.columns.values())

    def row(self, record: Contact | MirroredRecord) -> dict[str, str]:
        """Return a record's row, the key first; every cell is a text."""
        row = {KEY: str(record.id)}
        for title, read in self._cells:
            text = read(record)
            # As every table keeps it: else what comes back would not be what was written.
            row[title] = clean(text) if text else text
        return row

    def digest(self, row: Mapping[str, str]) -> bytes:
        """Return what is the same for two rows that say the same in this mirror's columns, in the same layout."""
        return _digest([self.layout, *(row.get(title, "") for title in self.columns)])

    def differences(self, ours: Mapping[str, str], theirs: Mapping[str, str]) -> dict[str, dict[str, str]]:
        """Return the columns in which two rows differ."""
        return {
            title: {"ours": ours.get(title, ""), "theirs": theirs.get(title, "")}
            for title in self.columns
            if ours.get(title, "") != theirs.get(title, "")
        }

    def taken_over(self, fields: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
        """Return what a person takes over of some differences: field to value, of those that can be."""
        named = {self.columns[title]: each["theirs"] for title, each in fields.items() if title in self.columns}
        return {name: value for name, value in named.items() if is_writable(self.record, name)}


def _digest(parts: Sequence[str]) -> bytes:
    return hashlib.blake2b(_SEPARATOR.join(parts).encode(errors="surrogatepass"), digest_size=16).digest()
