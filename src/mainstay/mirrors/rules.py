"""What a mirror holds of a record: its row, whether two rows say the same, and where they differ."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal
from uuid import UUID

from mainstay.kit.roles.table import clean
from mainstay.mirrors.fields import (
    OF_CONTACT,
    OPT_OUT,
    TAG_SEPARATOR,
    TAGS,
    MirroredRecord,
    MirroredType,
    Shown,
    is_writable,
    reader_of,
    usual_columns,
    usual_table,
)
from mainstay.model import Contact

Drift = Literal["raise", "revert", "propose"]
Role = Literal["table", "crm"]
KEY = "Mainstay id"
"""The column that a row is found by."""
_SEPARATOR = "\x1f"


@dataclass(frozen=True, slots=True)
class Mirror:
    """A copy of the records of one type in a table, or of the contacts in a CRM, as the stack declares it.

    ``columns`` is title to field, in the order of the table; of a CRM, what its connection keeps. Empty, they and
    ``table`` are those usual for the type. ``every`` is how long changes are gathered, ``compare_every`` how often it
    is looked whether somebody changed the copy. ``unwritable`` are fields that are read from a CRM but not written. One
    that ``is_followed`` is the system of record itself: pushes keep it, and this looks after what they could not know
    of.
    """

    name: str
    connection: str
    table: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    every: timedelta = timedelta(minutes=1)
    compare_every: timedelta = timedelta(days=1)
    drift: Drift = "raise"
    role: Role = "table"
    unwritable: frozenset[str] = frozenset()
    is_followed: bool = False
    record: MirroredType = "contact"
    layout: str = field(init=False, repr=False, compare=False)
    """A digest of where the copy is and what it holds: of another layout, all is to be written anew."""
    _cells: tuple[tuple[str, Callable[[Shown], str]], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Look once how each column is read: that is done for each record."""
        object.__setattr__(self, "table", self.table or usual_table(self.record))
        object.__setattr__(self, "columns", self.columns or usual_columns(self.record))
        place = self.table if self.role == "table" else self.role
        layout = _digest([self.record, self.connection, place, *self.columns, *self.columns.values()]).hex()
        object.__setattr__(self, "layout", layout)
        cells = tuple((title, reader_of(self.record, name)) for title, name in self.columns.items())
        object.__setattr__(self, "_cells", cells)

    @property
    def shows_contacts(self) -> bool:
        """Tell whether rows change as the contacts do that the records are about."""
        return any(name.startswith(OF_CONTACT) for name in self.columns.values())

    def row(self, record: Contact | MirroredRecord) -> dict[str, str]:
        """Return a record's row, the key first; every cell is a text."""
        return self.row_of(record.id, record)

    def row_of(self, record_id: UUID, said: Shown) -> dict[str, str]:
        """Return the row of what is said of a record, here or, of a contact, in a CRM."""
        row = {KEY: str(record_id)}
        for title, read in self._cells:
            text = read(said)
            # As every table keeps it: else what comes back would not be what was written.
            row[title] = clean(text) if text else text
        return row

    def digest(self, row: Mapping[str, str]) -> bytes:
        """Return what is the same for two rows that say the same in this mirror's columns, in the same layout."""
        if self.role == "crm":
            cells = [_folded(name, row.get(title, "")) for title, name in self.columns.items()]
            return _digest([self.layout, *cells])
        return _digest([self.layout, *(row.get(title, "") for title in self.columns)])

    def differences(self, ours: Mapping[str, str], theirs: Mapping[str, str]) -> dict[str, dict[str, str]]:
        """Return the columns in which two rows differ; of a CRM, where it lacks what was pushed to it."""
        found = {}
        for title, name in self.columns.items():
            our, their = ours.get(title, ""), theirs.get(title, "")
            is_other = our != their
            if self.role == "crm":
                is_other = is_other and bool(their or name not in self.unwritable) and _lacks(name, our, their)
            if is_other:
                found[title] = {"ours": our, "theirs": their}
        return found

    def taken_over(self, fields: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
        """Return what a person takes over of some differences: field to value, of those that can be."""
        named = {self.columns[title]: each["theirs"] for title, each in fields.items() if title in self.columns}
        return {name: value for name, value in named.items() if is_writable(self.record, name)}

    def given_back(self, fields: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
        """Return what the record was of which :meth:`taken_over` says what it becomes."""
        return self.taken_over({title: {"theirs": each["ours"]} for title, each in fields.items()})

    def stays_lost(self, fields: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
        """Return the columns of which a revert cannot be undone: a CRM is never told to empty a value or drop a tag."""
        if self.role != "crm":
            return ()
        return tuple(
            title
            for title, said in fields.items()
            if (name := self.columns.get(title, "")) not in self.unwritable
            and name != OPT_OUT
            and (name == TAGS or not said["theirs"])
        )

    def proposes(self, fields: Mapping[str, Mapping[str, str]]) -> bool:
        """Tell whether some differences are a proposal: the stack wants them so, and a person can take them over."""
        return self.drift == "propose" and bool(self.taken_over(fields))


def _lacks(name: str, ours: str, theirs: str) -> bool:
    """Tell whether a CRM's record is not what was pushed: what is empty here is left alone there, and tags are added.

    That it says not to contact somebody is always told.
    """
    if name == OPT_OUT:
        return ours != theirs
    if name == TAGS:
        return not set(_tags(ours)) <= set(_tags(theirs))
    return bool(ours) and _folded(name, ours) != _folded(name, theirs)


def _folded(name: str, text: str) -> str:
    """Return a text without what CRMs alter on their own: capitals, spaces, the order of tags."""
    if name == TAGS:
        return TAG_SEPARATOR.join(sorted(_tags(text)))
    return " ".join(text.casefold().split())


def _tags(text: str) -> list[str]:
    return [found for tag in text.split(TAG_SEPARATOR.strip()) if (found := " ".join(tag.casefold().split()))]


def _digest(parts: Sequence[str]) -> bytes:
    return hashlib.blake2b(_SEPARATOR.join(parts).encode(errors="surrogatepass"), digest_size=16).digest()
