"""Which value stands (R7 to R10, R13): pure.

Every value carries its origin: when it was said, by which kind of source, in which change. Between two values of a
field one rule decides, whatever the order they arrive in, so the contact is a view over its changes: folding them one
by one, or all at once after a merge or its undoing, gives the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

from mainstay.identity.person import Person, is_given
from mainstay.model import Contact

FIELDS = ("email", "phone", "first_name", "last_name", "company", "source")
CUSTOM = "custom."
MANUAL = "manual"
CHOSEN = "merge"
"""The kind of values that a person let stand when merging by hand."""
RANKS = {"import": 0, "form": 1, "crm": 2, CHOSEN: 3, MANUAL: 4}
"""Who is believed when two values were said at the same instant; the highest."""
OWNABLE = ("email", "phone", "first_name", "last_name", "company")
"""The fields that a system can be right about, besides those of ``custom.``."""
OWNED = 2
"""How much more weighs what the owner of a field says of it."""
HELD = 4
"""How much more weighs what took the place of a value that was set by hand: it binds as that did."""
Owners = Mapping[str, str]
"""Field to the connection that is right about it, whichever is about the rest."""
NOBODY: Owners = MappingProxyType({})


class Origin(NamedTuple):
    """Where a value comes from.

    ``weight`` is 0 for what only fills a gap: an initial, a value that names nobody, an answer like "none"; ``OWNED``
    and ``HELD`` are added to it.
    """

    at: str
    kind: str
    change: str
    weight: int

    @property
    def is_owners(self) -> bool:
        """Tell whether the owner of the field said it."""
        return bool(self.weight & OWNED)

    @property
    def is_held(self) -> bool:
        """Tell whether a person set it, or the system of record over what a person had set."""
        return self.kind == MANUAL or bool(self.weight & HELD)


@dataclass(frozen=True, slots=True)
class Said:
    """One change, as far as values go: what was said, when, by which kind of source."""

    change_id: UUID
    at: datetime
    kind: str
    person: Person


@dataclass(frozen=True, slots=True)
class View:
    """A contact with the origin of each value."""

    contact: Contact
    origins: Mapping[str, Origin]


def fold(view: View, said: Said, owners: Owners = NOBODY) -> View:
    """Fold one change into a contact; nothing new gives the same object. The version is left to the caller."""
    contact, person = view.contact, said.person
    if not _says_something(person):
        return view
    origins: dict[str, Origin] = {}
    altered: dict[str, Any] = {}
    stamp, change = said.at.astimezone(UTC).isoformat(timespec="microseconds"), str(said.change_id)
    for name in FIELDS:
        new = getattr(person, name)
        if not new and not (said.kind == MANUAL and name in person.cleared):
            continue
        origin = Origin(stamp, said.kind, change, _weight(name, new, said, owners))
        if _replaces(name, origin, view.origins.get(name)):
            origins[name] = origin
            if new != getattr(contact, name):
                altered[name] = new
    custom = _custom(view, said, (stamp, change), origins, owners)
    if custom is not None:
        altered["custom"] = custom
    tags = union(contact.tags, person.tags)
    if tags != contact.tags:
        altered["tags"] = tags
    flags = union(contact.flags, person.flags)
    if flags != contact.flags:
        altered["flags"] = flags
    created = min(contact.created_at or said.at, said.at)
    updated = max(contact.updated_at or said.at, said.at)
    if not (altered or origins) and (created, updated) == (contact.created_at, contact.updated_at):
        return view
    return View(
        replace(contact, **altered, created_at=created, updated_at=updated),
        {**view.origins, **origins} if origins else view.origins,
    )


def fold_all(empty: Contact, changes: Iterable[Said], owners: Owners = NOBODY) -> View:
    """Return the contact that follows from changes, given in the order in which they were received."""
    view = View(empty, {})
    for said in changes:
        view = fold(view, said, owners)
    return view


def differences(old: Contact, new: Contact) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what differs as (before, after), by field; times and version apart."""
    names = [
        name
        for name in (*FIELDS, "tags", "custom", "do_not_contact", "flags")
        if getattr(old, name) != getattr(new, name)
    ]
    return {name: getattr(old, name) for name in names}, {name: getattr(new, name) for name in names}


def given_up(kept: View, both: View) -> dict[str, str]:
    """Return what a merge by hand has to say again of the chosen side, for it to stand (R23): field to its value.

    ``both`` is what follows from the two together. Custom fields are named as in the origins.
    """
    stands = {name: getattr(both.contact, name) for name in FIELDS}
    ours = {name: getattr(kept.contact, name) for name in FIELDS}
    stands |= {f"{CUSTOM}{key}": text for key, text in both.contact.custom.items()}
    ours |= {f"{CUSTOM}{key}": text for key, text in kept.contact.custom.items()}
    return {name: text for name, text in ours.items() if text and stands.get(name) != text}


def over_hand(view: View, said: Said, owners: Owners = NOBODY) -> tuple[str, ...]:
    """Return the fields in which what the system of record says is later than what was set by hand, and another.

    Only said of it then, it is told from what was said before anybody set a value by hand: that yields to later forms.
    """
    stamp, person = said.at.astimezone(UTC).isoformat(timespec="microseconds"), said.person
    given = {name: getattr(person, name) for name in OWNABLE}
    given |= {f"{CUSTOM}{key}": text for key, text in (person.custom or {}).items()}
    return tuple(
        name
        for name, text in given.items()
        if text
        and name not in owners
        and (known := view.origins.get(name)) is not None
        and known.is_held
        and known.at < stamp
        and text != value_of(view.contact, name)
        and _own_weight(name, text, person)
    )


def value_of(contact: Contact, name: str) -> str:
    """Return a contact's value by its name in the origins."""
    custom = name.removeprefix(CUSTOM)
    return contact.custom.get(custom, "") if custom != name else str(getattr(contact, name))


def union(known: tuple[str, ...], given: Iterable[str]) -> tuple[str, ...]:
    """Return both, in order, each word once regardless of case (R10)."""
    seen = {word.casefold() for word in known}
    added: list[str] = []
    for word in given:
        if word.casefold() not in seen:
            seen.add(word.casefold())
            added.append(word)
    return (*known, *added) if added else known


def _says_something(person: Person) -> bool:
    given = any(getattr(person, name) for name in FIELDS) or person.custom or person.tags
    wish = person.do_not_contact or person.consent
    return bool(given or wish or person.flags or person.cleared or person.external_id)


def _custom(
    view: View, said: Said, when: tuple[str, str], origins: dict[str, Origin], owners: Owners
) -> dict[str, str] | None:
    stamp, change = when
    altered: dict[str, str] = {}
    for key, new in (said.person.custom or {}).items():
        field = f"{CUSTOM}{key}"
        if not new and not (said.kind == MANUAL and field in said.person.cleared):
            continue
        origin = Origin(stamp, said.kind, change, _weight(field, new, said, owners))
        if _replaces(field, origin, view.origins.get(field)):
            origins[field] = origin
            if view.contact.custom.get(key) != new:
                altered[key] = new
    return {**view.contact.custom, **altered} if altered else None


def _weight(name: str, new: str, said: Said, owners: Owners) -> int:
    return 1 if said.kind == MANUAL else weight_of(name, new, said.person, owners)


def weight_of(name: str, new: str, person: Person, owners: Owners = NOBODY) -> int:
    """Return the weight of a value that was not set by hand: 0 for what only fills a gap."""
    weight = _own_weight(name, new, person)
    held = HELD if name in person.over_hand else 0
    if not owners or not person.connection or owners.get(name) != person.connection:
        return held + weight
    # An answer like "none" is nobody's word; an initial or a role mailbox may be all that its owner knows.
    return held + (weight if name.startswith(CUSTOM) and not weight else OWNED + weight)


def _own_weight(name: str, new: str, person: Person) -> int:
    if name in {"first_name", "last_name"}:
        return 0 if is_initial(new) else 1
    if name.startswith(CUSTOM):
        return 1 if is_given(new) else 0
    return 0 if name in person.weak else 1


def is_initial(name: str) -> bool:
    """Tell whether a name is one letter, with or without a dot. A single ideograph is a whole name."""
    letter = name.strip().rstrip(".")
    return len(letter) == 1 and letter.lower() != letter.upper()


def _replaces(name: str, new: Origin, old: Origin | None) -> bool:
    if old is None:
        return True
    ours, theirs = _strength(new), _strength(old)
    if name == "source" and not {MANUAL, CHOSEN} & {new.kind, old.kind}:
        # Where somebody came from first is where they came from.
        return (new.at, new.change) < (old.at, old.change)
    if name == "source":
        ours = (*ours[:2], new.kind == CHOSEN, *ours[2:])
        theirs = (*theirs[:2], old.kind == CHOSEN, *theirs[2:])
    return ours > theirs if ours != theirs else new.change < old.change


def _strength(origin: Origin) -> tuple[Any, ...]:
    # What a field's owner says of it yields to nobody else; by hand only yields to by hand, and to what the system of
    # record says later (R9); an initial never replaces a name; the latest wins (R7), so that an older one only fills a
    # gap (R8); then the more trusted kind; of equals, the one that was received first (ids sort by time).
    return origin.is_owners, origin.is_held, origin.weight & 1, origin.at, RANKS.get(origin.kind, 1)
