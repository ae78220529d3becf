"""What one sender says about one person, in canonical form; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from mainstay.errors import MalformedError
from mainstay.identity.normalisation import (
    clean,
    is_nobody,
    is_placeholder,
    normalise_email,
    normalise_phone,
    split_name,
)
from mainstay.model import Submission

MAX_CUSTOM_KEYS = 100
_REMEMBERED = 1 << 14  # names, companies and titles of columns come again and again
_AS_WRITTEN = ("email", "phone", "name", "first_name", "last_name", "company")


@dataclass(frozen=True, slots=True)
class Person:
    """A submission in canonical form.

    Attributes:
        email: canonical address; ``phone``: E.164, with its extension apart in ``phone_ext``.
        alias_key: the address with tag and dots folded; for suggestions alone.
        weak: which of ``email`` and ``phone`` name nobody: role mailboxes, blocked values, a number that is shared.
        flags: what a person who looks at the contact should know.
        cleared: fields that a person emptied by hand.
        over_hand: fields in which it takes the place of what was set by hand, as the system of record said it later.
        do_not_contact: this is an opt-out.
        consent: the evidence of an explicit consent to be contacted again; empty for none.
        occurred_at: when it was said, ISO 8601; empty when the sender did not say.
        raw: the values as they were written, where they were written otherwise.
        notes: what could not be used, and why.
    """

    email: str = ""
    phone: str = ""
    phone_ext: str = ""
    alias_key: str = ""
    first_name: str = ""
    last_name: str = ""
    company: str = ""
    source: str = ""
    tags: tuple[str, ...] = ()
    custom: Mapping[str, str] | None = None
    weak: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    cleared: tuple[str, ...] = ()
    over_hand: tuple[str, ...] = ()
    do_not_contact: bool = False
    consent: str = ""
    occurred_at: str = ""
    connection: str = ""
    external_id: str = ""
    raw: Mapping[str, str] | None = None
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> tuple[str, str]:
        """First and last name."""
        return self.first_name, self.last_name

    def identifies(self, kind: str) -> bool:
        """Tell whether the e-mail or phone is given and names its owner."""
        return bool(getattr(self, kind)) and kind not in self.weak


def normalise(submission: Submission, region: str, *, is_name_enough: bool = False) -> Person:
    """Bring a submission into canonical form.

    A value that cannot be read is left out and named in ``notes``; the lead goes on with what is left. Where a form's
    field was renamed, or its visitor mistyped, a name alone is not taken: they hear of it and can mend it. A program
    that says so on purpose, ``is_name_enough``, is believed (R22).

    Raises:
        MalformedError: nothing is left by which the person could be recognised.
    """
    notes: list[str] = []
    weak: list[str] = []
    email = alias_key = phone = phone_ext = ""
    if is_given(submission.email):
        read = normalise_email(submission.email)
        if read.canonical:
            email, alias_key = read.canonical, read.alias_key
        else:
            notes.append(f"{clean(submission.email)!r} is not an e-mail address: {read.reason}")
        if email and not read.identifying:
            weak.append("email")
        if read.hint:
            notes.append(f"e-mail {email}: {read.hint}")
    if is_given(submission.phone):
        number = normalise_phone(submission.phone, region)
        if number.canonical:
            phone, phone_ext = number.canonical, number.ext
        else:
            notes.append(f"{clean(submission.phone)!r} is not a phone number: {number.reason}")
        if phone and not number.identifying:
            weak.append("phone")
        if number.hint:
            notes.append(f"phone {phone}: {number.hint}")
    first, last = _names(submission)
    if not (email or phone or submission.external_id or (is_name_enough and (first or last))):
        reason = "; ".join(notes) or "it carries neither an e-mail address nor a phone number"
        raise MalformedError(f"no one can be recognised by this: {reason}")
    company = value(submission.company)
    written = {field: text for field in _AS_WRITTEN if (text := getattr(submission, field))}
    canonical = {"email": email, "phone": phone, "first_name": first, "last_name": last, "company": company}
    return Person(
        email=email,
        phone=phone,
        phone_ext=phone_ext,
        alias_key=alias_key if alias_key != email else "",
        first_name=first,
        last_name=last,
        company=company,
        source=value(submission.source),
        tags=tuple(dict.fromkeys(plain for tag in submission.tags if (plain := clean(tag)))),
        custom={_custom_key(key): str(item)[:2000] for key, item in list(submission.custom.items())[:MAX_CUSTOM_KEYS]},
        weak=tuple(weak),
        flags=() if email or phone or submission.external_id else ("no identifier",),
        do_not_contact=submission.do_not_contact,
        consent=value(submission.consent),
        occurred_at=submission.occurred_at.isoformat() if submission.occurred_at else "",
        connection=submission.connection,
        external_id=submission.external_id,
        raw={field: text[:500] for field, text in written.items() if canonical.get(field) != text} or None,
        notes=tuple(notes),
    )


def is_given(text: str) -> bool:
    """Tell whether a text says something: blanks and placeholders do not."""
    return not is_placeholder(text)


@lru_cache(_REMEMBERED)
def value(text: str) -> str:
    """Return a text as a field keeps it; empty for a placeholder."""
    return clean(text)[:200] if is_given(text) else ""


def _names(submission: Submission) -> tuple[str, str]:
    first, last = _name(submission.first_name), _name(submission.last_name)
    return (first, last) if first or last else split_name(submission.name)


@lru_cache(_REMEMBERED)
def _name(text: str) -> str:
    # Other placeholders than elsewhere: Na and Ma are family names.
    return "" if is_nobody(text) else clean(text)[:200]


@lru_cache(_REMEMBERED)
def _custom_key(text: str) -> str:
    return clean(text)[:100]


def person_to_json(person: Person) -> dict[str, Any]:
    """Return what a run keeps as its input, and a change as what was said: what is not empty."""
    return {name: found for name in Person.__dataclass_fields__ if (found := getattr(person, name))}


_TUPLES = ("tags", "weak", "flags", "cleared", "over_hand", "notes")


def person_from_json(data: Mapping[str, Any]) -> Person:
    """Read what :func:`person_to_json` wrote."""
    return Person(**{**data, **{name: tuple(data[name]) for name in _TUPLES if name in data}})


def said_at(person: Person, received: datetime) -> datetime:
    """Return when it was said: by the sender's clock, unless that is ahead of ours."""
    if not person.occurred_at:
        return received
    try:
        at = datetime.fromisoformat(person.occurred_at)
    except ValueError:
        return received
    return min(at if at.tzinfo else at.replace(tzinfo=received.tzinfo), received)
