"""One write about a person, and what became of it; pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING
from uuid import UUID

import orjson

from mainstay.errors import PermanentError
from mainstay.identity.person import Person, person_to_json
from mainstay.identity.rules import DEFAULT, EMAIL, FLAG_BRIDGE, PHONE, Policy
from mainstay.model import Contact

if TYPE_CHECKING:
    from mainstay.identity.store.merging import Merged

SAME = "same write"


@dataclass(frozen=True, slots=True)
class ContactWrite:
    """One write about one person, and where it came from.

    Attributes:
        kind: who is believed when two values are of one instant: ``manual``, ``crm``, ``form`` or ``import``.
        contact_id: our own id of the contact, where the writer knows it; the keys of the person then decide nothing.
        seen: with ``contact_id``, the (contact, version) that the writer goes by; the write is refused on any other.
        key: a second write of the same key changes nothing.
        unless_known: why it is dropped where it finds a contact; empty where it is not.
        import_id: the import that brought it, with the ``line`` of its file.
    """

    workspace_id: UUID
    person: Person
    source: str
    delivery_id: UUID | None = None
    run_id: UUID | None = None
    kind: str = "form"
    policy: Policy = DEFAULT
    contact_id: UUID | None = None
    seen: Collection[tuple[UUID, int]] | None = None
    key: str = ""
    unless_known: str = ""
    import_id: UUID | None = None
    line: int | None = None


class ChangedMeanwhileError(PermanentError):
    """The contact, as it is now, is not as the writer has seen it; nothing was written."""

    def __init__(self, contact: Contact) -> None:
        super().__init__(f"the contact was changed meanwhile: it is {contact.id} in version {contact.version}")
        self.contact = contact


@dataclass(frozen=True, slots=True)
class Resolution:
    """What became of a write.

    Attributes:
        contact: the contact as it is now.
        home_id: whose it is, should a merge be undone: the contact, or one that is merged into it.
        rule: how it was found; ``new`` when it was not.
        changed: the fields that changed; empty when nothing did.
        merged: the merges that the write brought about.
        suggestion_ids: the suggestions that it opened.
        flags: what a person should know of this write.
        change_id: the change that tells of it; None where nothing was written.
        forwarded: (field, connection) of what was sent to the system that owns it.
    """

    contact: Contact
    home_id: UUID
    rule: str
    is_new: bool
    changed: tuple[str, ...] = ()
    note: str = ""
    merged: tuple[Merged, ...] = ()
    suggestion_ids: tuple[UUID, ...] = ()
    flags: tuple[str, ...] = ()
    change_id: UUID | None = None
    forwarded: tuple[tuple[str, str], ...] = ()

    @property
    def is_repeated(self) -> bool:
        """Whether the write was carried out before: it changes nothing."""
        return self.rule == SAME


@dataclass(frozen=True, slots=True)
class Dropped:
    """A write that was not carried out: the contact was deleted after it was said, or its sender has no say in it.

    ``is_of_deleted``: the former, so that nothing of it may be kept.
    """

    reason: str
    is_of_deleted: bool = False


def effective(person: Person, policy: Policy) -> Person:
    """Return the person with the stack's own view of what names nobody."""
    weak = [
        kind
        for kind in (EMAIL, PHONE)
        if (value := getattr(person, kind))
        and kind not in person.weak
        and (kind not in policy.order or value in policy.blocked)
    ]
    return replace(person, weak=(*person.weak, *weak)) if weak else person


def by_policy(write: ContactWrite) -> ContactWrite:
    """Return the write with the stack's own view of what names nobody."""
    person = effective(write.person, write.policy)
    return write if person is write.person else replace(write, person=person)


def without(person: Person, kind: str, note: str, reason: str) -> tuple[Person, str]:
    """Return the person without a key that stays with another contact, and the note that says so."""
    value = getattr(person, kind)
    note = "; ".join(filter(None, (note, f"{value} belongs to another contact and stays there: {reason}")))
    raw = {**(person.raw or {}), kind: (person.raw or {}).get(kind, value)}
    if kind == PHONE:
        return replace(person, phone="", raw=raw, flags=(*person.flags, FLAG_BRIDGE)), note
    return replace(person, email="", alias_key="", raw=raw), note


def content_of(write: ContactWrite) -> bytes | None:
    """Return by what a write that no key of a contact recognises is recognised when it comes again (R14)."""
    person = write.person
    if write.key:
        return sha256(f"{write.contact_id}\0{write.key}".encode()).digest()
    is_recognised = person.identifies(EMAIL) or person.identifies(PHONE) or person.external_id or write.contact_id
    if is_recognised or not person.occurred_at:
        return None
    said = orjson.dumps({**person_to_json(person), "source": write.source}, option=orjson.OPT_SORT_KEYS)
    return sha256(said).digest()
