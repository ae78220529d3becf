"""What of a record in the system of record is news to us: pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from mainstay.identity.person import Person, person_to_json

if TYPE_CHECKING:
    from mainstay.kit import PulledRecord
    from mainstay.model import Contact, RecordState, RecordType

BACK = timedelta(days=1)
"""How far back the first pull looks. All that is older is for an import."""
LATE = timedelta(minutes=5)
"""How long after a change its webhook may still be on its way."""
MANY = 10
"""So many changes of a day that no webhook brought, and none brought since, are no accident any more."""
_MADE = timedelta(seconds=10)
"""How long a push takes that makes a record there, by one or a few calls."""
VALUES = ("email", "phone", "first_name", "last_name", "company")


@dataclass(frozen=True, slots=True)
class Pull:
    """What a stack says of pulls: from which connection, how often.

    ``sources`` are those that bring the connection's webhooks; without any, nothing counts as missed.
    """

    connection: str
    every: timedelta
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordPull:
    """What a stack says of pulls of one type of record that is no contact; the rest as of :class:`Pull`.

    ``role`` is whose object is asked; ``by_status`` a status, and the event that the vendor's webhook tells of it.
    """

    kind: RecordType
    connection: str
    role: str
    by_status: Mapping[str, str]
    every: timedelta
    sources: tuple[str, ...] = ()


@dataclass(slots=True)
class Former:
    """What a contact was until we changed it, where the other system may not have the change yet: field to values."""

    values: dict[str, set[str]] = field(default_factory=dict)
    custom: dict[str, set[str]] = field(default_factory=dict)
    was_opted_out: bool = False

    def add(self, before: Mapping[str, Any]) -> None:
        """Take up what one change took the place of."""
        for name in VALUES:
            if before.get(name):
                self.values.setdefault(name, set()).add(before[name])
        for key, text in (before.get("custom") or {}).items():
            self.custom.setdefault(key, set()).add(text)
        self.was_opted_out = self.was_opted_out or bool(before.get("do_not_contact"))


def news(person: Person, contact: Contact, former: Former) -> Person | None:
    """Return what a record says that its contact does not; None when we know it all.

    What the contact was before is no news: the record has not heard yet, or it is our own push that comes back while
    the next one is under way.
    """
    old = [
        name
        for name in VALUES
        if (value := getattr(person, name)) != getattr(contact, name) and value in former.values.get(name, ())
    ]
    custom = {
        key: text
        for key, text in (person.custom or {}).items()
        if text == contact.custom.get(key) or text not in former.custom.get(key, ())
    }
    dropped: dict[str, Any] = dict.fromkeys(old, "")
    if "email" in old:
        dropped["alias_key"] = ""
    if "phone" in old:
        dropped["phone_ext"] = ""
    kept = replace(
        person,
        **dropped,
        custom=custom,
        weak=tuple(kind for kind in person.weak if kind not in old),
        raw={name: text for name, text in (person.raw or {}).items() if name not in old} or None,
        do_not_contact=person.do_not_contact and (contact.do_not_contact or not former.was_opted_out),
    )
    return kept if says_more(kept, contact) else None


def without_defaults(person: Person, contact: Contact) -> Person:
    """Return what a record says that is as our own push made it: what we never named are its system's defaults."""
    return replace(person, custom={key: text for key, text in (person.custom or {}).items() if key in contact.custom})


def is_as_made(person: Person, created_at: datetime | None) -> bool:
    """Tell whether a record has not changed since it was made."""
    if created_at is None or not person.occurred_at:
        return False
    return datetime.fromisoformat(person.occurred_at) - created_at <= _MADE


def is_beside_our_push(person: Person, contact: Contact, pushed_at: datetime | None) -> bool:
    """Tell whether what is news came with our own push: fields that we never named, of a record that it changed last.

    They are its system's own, as a rule, or of somebody who was there since the last pull. So they are kept, and start
    nothing: else whoever acts on changes would act on each of our own.
    """
    if pushed_at is None or not person.occurred_at:
        return False
    further = {key for key, text in (person.custom or {}).items() if text and key not in contact.custom}
    custom = {key: text for key, text in (person.custom or {}).items() if key not in further}
    is_ours = abs(datetime.fromisoformat(person.occurred_at) - pushed_at) <= _MADE
    return is_ours and bool(further) and not says_more(replace(person, custom=custom), contact)


def says_more(person: Person, contact: Contact) -> bool:
    """Tell whether a record says anything that its contact does not."""
    tags = {tag.casefold() for tag in contact.tags}
    return (
        any(getattr(person, name) not in {"", getattr(contact, name)} for name in VALUES)
        or any(text and text != contact.custom.get(key) for key, text in (person.custom or {}).items())
        or any(tag.casefold() not in tags for tag in person.tags)
        or (person.do_not_contact and not contact.do_not_contact)
        or bool(person.consent and contact.do_not_contact)
    )


def key_of(person: Person) -> str:
    """Return by what a statement of the system of record is recognised when it comes again."""
    said = orjson.dumps(person_to_json(person), option=orjson.OPT_SORT_KEYS)
    digest = blake2b(said, digest_size=16).hexdigest()
    return f"pull {person.connection} {person.external_id} {digest}"


def is_quiet(person: Person, created_at: datetime | None, began_at: datetime, *, is_new: bool) -> bool:
    """Tell whether a change starts no workflow: it was made before we pulled at all, or only touched an old record."""
    changed_at = datetime.fromisoformat(person.occurred_at) if person.occurred_at else None
    at = (created_at or changed_at) if is_new else changed_at
    return at is not None and at < began_at


class Change(Protocol):
    """What a word changed of a record."""

    @property
    def is_new(self) -> bool:
        """Whether nothing was known of it."""

    @property
    def is_news(self) -> bool:
        """Whether the record is other than before."""

    @property
    def changed(self) -> tuple[str, ...]:
        """Which fields changed."""

    @property
    def overwritten(self) -> tuple[str, ...]:
        """Of which of them something was known."""


def what_happened(heard: Change, state: RecordState, by_status: Mapping[str, str]) -> tuple[str, ...]:
    """Return the events that webhooks would have told of a record, where the vendor tells only how it stands now.

    Of what merely fills a gap of what we knew they would have told nothing new.
    """
    noun = state.type
    if state.is_gone:
        return (f"{noun}.deleted",) if heard.is_news and not heard.is_new else ()
    said = by_status.get(state.fields.get("status", ""), "") if "status" in heard.changed else ""
    if heard.is_new:
        return (f"{noun}.created", *([said] if said else []))
    return (said or f"{noun}.updated",) if heard.overwritten else ()


def is_old(pulled: PulledRecord, began_at: datetime, *, is_new: bool) -> bool:
    """Tell whether a change starts no workflow: it is from before we pulled, or of an old record we never heard of."""
    changed_at = pulled.event.record.changed_at if pulled.event.record else None
    at = (pulled.created_at or changed_at) if is_new and not pulled.event.type else changed_at
    return at is not None and at < began_at


def chunks(items: Sequence[Any], size: int) -> Collection[Sequence[Any]]:
    """Return a list in parts of ``size``."""
    return [items[start : start + size] for start in range(0, len(items), size)]
