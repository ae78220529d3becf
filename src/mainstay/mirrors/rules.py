"""What a mirror holds of a contact: its row, whether two rows say the same, and where they differ."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from operator import attrgetter
from typing import Literal

from mainstay.kit.roles.table import clean
from mainstay.model import Contact

Drift = Literal["raise", "revert", "propose"]
KEY = "Mainstay id"
"""The column that a row is found by."""
USUAL_COLUMNS: Mapping[str, str] = {
    "First name": "first_name",
    "Last name": "last_name",
    "E-mail": "email",
    "Phone": "phone",
    "Company": "company",
    "Source": "source",
    "Tags": "tags",
    "Do not contact": "do_not_contact",
}
FIELDS = frozenset(USUAL_COLUMNS.values())
WRITABLE = frozenset({"first_name", "last_name", "email", "phone", "company"})
"""The fields that a person may take over from a mirror; those of ``custom.`` are, too."""
CUSTOM = "custom."
_SEPARATOR = "\x1f"


@dataclass(frozen=True, slots=True)
class Mirror:
    """A copy of the contacts in a table, as the stack declares it.

    ``columns`` is title to field, in the order of the table; ``every`` how long changes are gathered, ``compare_every``
    how often it is looked whether somebody changed the copy.
    """

    name: str
    connection: str
    table: str = "Contacts"
    columns: Mapping[str, str] = field(default_factory=lambda: USUAL_COLUMNS)
    every: timedelta = timedelta(minutes=1)
    compare_every: timedelta = timedelta(days=1)
    drift: Drift = "raise"
    layout: str = field(init=False, repr=False, compare=False)
    """A digest of where the copy is and what it holds: of another layout, all is to be written anew."""
    _cells: tuple[tuple[str, Callable[[Contact], str]], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Look once how each column is read: that is done for each contact."""
        layout = _digest([self.connection, self.table, *self.columns, *self.columns.values()]).hex()
        object.__setattr__(self, "layout", layout)
        cells = tuple((title, _reader(name)) for title, name in self.columns.items())
        object.__setattr__(self, "_cells", cells)

    def row(self, contact: Contact) -> dict[str, str]:
        """Return a contact's row, the key first; every cell is a text."""
        row = {KEY: str(contact.id)}
        for title, read in self._cells:
            text = read(contact)
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
        return {name: value for name, value in named.items() if name in WRITABLE or name.startswith(CUSTOM)}


def _reader(name: str) -> Callable[[Contact], str]:
    if name.startswith(CUSTOM):
        key = name.removeprefix(CUSTOM)
        return lambda contact: contact.custom.get(key, "")
    if name == "tags":
        return lambda contact: ", ".join(contact.tags)
    if name == "do_not_contact":
        return lambda contact: "yes" if contact.do_not_contact else ""
    return attrgetter(name)


def _digest(parts: Sequence[str]) -> bytes:
    return hashlib.blake2b(_SEPARATOR.join(parts).encode(errors="surrogatepass"), digest_size=16).digest()
