"""Whose write is it (R1 to R5, R17 to R22): pure rules over what is known of the contacts that its keys name.

A wrong merge costs more than a missed one: where the names do not allow it, a key is left where it is and a person is
asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from mainstay.identity.normalisation import are_compatible
from mainstay.identity.person import Person
from mainstay.model.contact import SHARED_PHONE as SHARED

EXTERNAL_ID = "external id"
EMAIL, PHONE = "email", "phone"
SHARED_PHONE = "shared phone"
NEW = "new"
BRIDGE = "bridge"

FLAG_SHARED = SHARED
FLAG_BRIDGE = "phone of another contact"


@dataclass(frozen=True, slots=True)
class Policy:
    """What businesses decide differently; the defaults are what suits most.

    Attributes:
        order: which identifier is asked first, after an external id (R1, R2). What is not named does not identify.
        bridges: what becomes of an e-mail and a phone that name two contacts: ``merge`` where R5 allows it, or always
            ``suggest``.
        shared_phones: ``names``: a phone names its owner only under a compatible name (R4); ``same``: always.
        max_emails: how many e-mails identify one contact; more are kept as data (R19). ``max_phones`` likewise.
        blocked: further canonical values that name nobody (R17).
        auto_merge: the probability from which a suggestion is merged without a person; above 1 for never.
        suggest: the probability from which a pair is suggested on write; above 1 for never.
        owners: field to the connection that is right about it.
        copies: connection to the mirror that it holds, of those whose word about contacts is refused.
        system_of_record: the connection whose later word takes the place of what was set by hand; empty for none.
    """

    order: tuple[str, ...] = (EMAIL, PHONE)
    bridges: str = "merge"
    shared_phones: str = "names"
    max_emails: int = 5
    max_phones: int = 5
    blocked: frozenset[str] = frozenset()
    auto_merge: float = 2.0
    suggest: float = 0.7
    owners: Mapping[str, str] = field(default_factory=dict)
    copies: Mapping[str, str] = field(default_factory=dict)
    system_of_record: str = ""

    def limit(self, kind: str) -> int:
        """Return how many identifiers of a kind one contact has."""
        return self.max_emails if kind == EMAIL else self.max_phones


DEFAULT = Policy()


def full_flag(kind: str, policy: Policy) -> str:
    """Return the flag of a contact that has more e-mails, or phones, than identify one (R19)."""
    return f"more than {policy.limit(kind)} {'e-mail' if kind == EMAIL else kind}s"


def of_copy(person: Person, policy: Policy) -> tuple[Person | None, str]:
    """Return what counts of what a copy of the contacts says, None for nothing, and why no more does."""
    mirror = policy.copies.get(person.connection) if policy.copies else None
    if mirror is None:
        return person, ""
    return wish_of(person, f'"{mirror}" is a mirror, a copy that is right about nothing: write to the system of record')


def wish_of(person: Person, reason: str) -> tuple[Person | None, str]:
    """Return what counts of what somebody says who, for a ``reason``, has no say: None, or an opt-out alone.

    It counts whoever brings it, with what its person is found by.
    """
    if not person.do_not_contact:
        return None, reason
    wish = replace(
        person, first_name="", last_name="", company="", source="", tags=(), custom=None, consent="", cleared=()
    )
    return wish, f"of what it says the opt-out alone counts: {reason}"


@dataclass(frozen=True, slots=True)
class Known:
    """A contact that one of a write's keys names, as far as the rules look at it."""

    id: UUID
    first_name: str = ""
    last_name: str = ""
    email: str = ""

    @property
    def name(self) -> tuple[str, str]:
        """First and last name."""
        return self.first_name, self.last_name


@dataclass(frozen=True, slots=True)
class Hits:
    """The contacts that a write's keys name. A phone that is shared names several."""

    external: Known | None = None
    email: Known | None = None
    phone: Sequence[Known] = ()


@dataclass(frozen=True, slots=True)
class Bridge:
    """A key of the write names another contact than the write belongs to (R5)."""

    kind: str
    other: Known
    is_only_owner: bool


@dataclass(frozen=True, slots=True)
class Match:
    """Which contact a write belongs to (None: a new one), by which rule, and what its other keys say.

    ``shares_phone``: the phone is kept with the contact although others have it.
    """

    contact: Known | None
    rule: str
    bridges: tuple[Bridge, ...] = ()
    shares_phone: bool = False
    note: str = ""


def match(person: Person, hits: Hits, policy: Policy = DEFAULT) -> Match:
    """Decide which contact ``person`` is."""
    if hits.external is not None:
        return _with_bridges(hits.external, EXTERNAL_ID, hits)
    for kind in policy.order:
        if kind == EMAIL and hits.email is not None:
            return _with_bridges(hits.email, EMAIL, hits)
        if kind == PHONE and hits.phone:
            owner, rule = _owner_of_phone(person, hits.phone, policy)
            if owner is not None:
                return _with_bridges(owner, rule, hits)
    if hits.phone:
        note = f"the phone number is shared with a contact of another name: {person.phone}"
        return Match(None, NEW, shares_phone=True, note=note)
    return Match(None, NEW)


def _owner_of_phone(person: Person, owners: Sequence[Known], policy: Policy) -> tuple[Known | None, str]:
    if len(owners) == 1:
        (owner,) = owners
        is_same = policy.shared_phones == "same" or are_compatible(owner.name, person.name)
        return (owner, PHONE) if is_same else (None, NEW)
    if person.first_name:
        fitting = [owner for owner in owners if are_compatible(owner.name, person.name)]
        if len(fitting) == 1:
            return fitting[0], SHARED_PHONE
    # It could be several, or says nothing but the number. Said once more, it is the same as the last time (R14).
    same = [owner for owner in owners if (*owner.name, owner.email) == (*person.name, person.email)]
    return (min(same, key=lambda owner: owner.id), SHARED_PHONE) if same else (None, NEW)


def _with_bridges(contact: Known, rule: str, hits: Hits) -> Match:
    bridges = []
    if hits.email is not None and hits.email.id != contact.id:
        bridges.append(Bridge(EMAIL, hits.email, is_only_owner=True))
    if hits.phone and all(owner.id != contact.id for owner in hits.phone):
        others = sorted(hits.phone, key=lambda owner: (not are_compatible(owner.name, contact.name), owner.id))
        bridges.append(Bridge(PHONE, others[0], is_only_owner=len(others) == 1))
    return Match(contact, rule, tuple(bridges))


@dataclass(frozen=True, slots=True)
class BridgeFacts:
    """What R5 asks of two contacts beyond their names.

    Attributes:
        ids_of_one: the external ids of one, by connection; ``ids_of_other`` of the other.
        is_rejected: a person has said that they are two.
        counts: identifiers of both together, by kind.
    """

    ids_of_one: Mapping[str, frozenset[str]] = field(default_factory=dict)
    ids_of_other: Mapping[str, frozenset[str]] = field(default_factory=dict)
    is_rejected: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)


def why_not_one(person: Person, one: Known, bridge: Bridge, facts: BridgeFacts, policy: Policy = DEFAULT) -> str:
    """Return why a bridge does not merge its two contacts; empty when it does (R5)."""
    other = bridge.other
    if policy.bridges != "merge":
        return "the stack asks a person before contacts are merged"
    if facts.is_rejected:
        return "a person has said that they are two"
    if not bridge.is_only_owner:
        return "several contacts share the phone number"
    names = (person.name, one.name, other.name)
    if not all(are_compatible(a, b) for a, b in ((names[0], names[1]), (names[0], names[2]), (names[1], names[2]))):
        return "the names differ"
    for system, ids in facts.ids_of_one.items():
        theirs = facts.ids_of_other.get(system)
        if theirs and theirs != ids:
            return f"{system} has them as two records"
    for kind, count in facts.counts.items():
        if count > policy.limit(kind):
            return f"together they would have more than {policy.limit(kind)} {kind}s"
    return ""
