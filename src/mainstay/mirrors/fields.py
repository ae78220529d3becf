"""Which fields of each type of record a mirror can show, under which titles, and how each is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Literal, Protocol
from uuid import UUID

from mainstay.model import RECORD_FIELDS, RECORD_TYPES, RecordType
from mainstay.model.record import CUSTOM

MirroredType = Literal["contact"] | RecordType
OF_CONTACT = "contact."
TAGS, OPT_OUT = "tags", "do_not_contact"
TAG_SEPARATOR = ", "
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
"""Those of contacts."""
_WRITABLE = frozenset({"first_name", "last_name", "email", "phone", "company"})
_TITLES = {"email": "E-mail", "vat_id": "VAT id", "url": "Link"}
_WHO = {"Contact": "contact.name", "Contact e-mail": "contact.email"}
_PLURALS = {"company": "Companies"}


@dataclass(frozen=True, slots=True)
class MirroredRecord:
    """A record that is no contact, as its row is made of it.

    ``values`` is by canonical field or ``custom.KEY``; the others are of the contact that it is about, empty without.
    """

    id: UUID
    values: Mapping[str, str]
    name: str = ""
    email: str = ""
    phone: str = ""


class Said(Protocol):
    """What is said of somebody: our contact, or what a record there says in canonical form."""

    @property
    def custom(self) -> Mapping[str, str] | None:
        """Fields of one's own."""
        ...

    @property
    def tags(self) -> Sequence[str]:
        """Tags."""
        ...

    @property
    def do_not_contact(self) -> bool:
        """Whether it is an opt-out."""
        ...


Shown = Said | MirroredRecord
"""What a row is made of."""


def fields_of(kind: MirroredType) -> frozenset[str]:
    """Return what a column can show; a field of ``custom.`` besides."""
    if kind == "contact":
        return frozenset(USUAL_COLUMNS.values())
    return frozenset(RECORD_FIELDS[kind]) | {*_WHO.values(), "contact.phone"}


def usual_columns(kind: MirroredType) -> Mapping[str, str]:
    """Return title to field where the stack names no columns."""
    if kind == "contact":
        return USUAL_COLUMNS
    own = {_TITLES.get(name) or name.replace("_", " ").capitalize(): name for name in RECORD_FIELDS[kind]}
    return MappingProxyType(own | _WHO)


def usual_table(kind: MirroredType) -> str:
    """Return what the table is called where the stack does not name it."""
    return _PLURALS.get(kind, f"{kind.capitalize()}s")


def is_writable(kind: MirroredType, name: str) -> bool:
    """Tell whether a person may take a field over from a mirror."""
    return name.startswith(CUSTOM) or name in (_WRITABLE if kind == "contact" else RECORD_FIELDS[kind])


def reader_of(kind: MirroredType, name: str) -> Callable[[Any], str]:
    """Return how a field is read of what is :data:`Shown`, looked up once for all rows."""
    if kind == "contact":
        return _of_contact(name)
    if name.startswith(OF_CONTACT):
        return attrgetter(name.removeprefix(OF_CONTACT))
    return lambda record: record.values.get(name, "")


def _of_contact(name: str) -> Callable[[Any], str]:
    if name.startswith(CUSTOM):
        key = name.removeprefix(CUSTOM)
        return lambda said: (said.custom or {}).get(key, "")
    if name == TAGS:
        return lambda said: TAG_SEPARATOR.join(said.tags)
    if name == OPT_OUT:
        return lambda said: "yes" if said.do_not_contact else ""
    return attrgetter(name)


MIRRORED_TYPES: tuple[MirroredType, ...] = ("contact", *RECORD_TYPES)
