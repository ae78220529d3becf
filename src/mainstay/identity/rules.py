"""Who is who, and which value stands: pure rules.

The first cut of the policy. Keys are canonical e-mail and phone. An e-mail that is known names its contact. A phone
that is known names its contact only when the first names agree or one is missing: families and offices share phones.
When e-mail and phone name two contacts, the write goes to the e-mail's, the phone stays where it is, and the change
says so. A wrong merge costs more than a missed one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from mainstay.errors import MalformedError
from mainstay.model import Contact, Submission

MAX_CUSTOM_KEYS = 100
_FIELDS = ("email", "phone", "first_name", "last_name", "company", "source")
_INVISIBLE = dict.fromkeys([0x00AD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF])
_PLACEHOLDERS = {"null", "none", "n/a", "na", "undefined", "unknown", "-", "--", "test", "."}


@dataclass(frozen=True, slots=True)
class Person:
    """A submission in canonical form. ``notes`` say what could not be used, and why."""

    email: str = ""
    phone: str = ""
    first_name: str = ""
    last_name: str = ""
    company: str = ""
    source: str = ""
    tags: tuple[str, ...] = ()
    custom: Mapping[str, str] | None = None
    occurred_at: str = ""
    connection: str = ""
    external_id: str = ""
    notes: tuple[str, ...] = ()


def clean(text: str) -> str:
    """Drop invisible characters, fold white space, trim; compatible forms become plain (full-width letters)."""
    if text.isascii():
        return " ".join(text.split())
    return " ".join(unicodedata.normalize("NFKC", text).translate(_INVISIBLE).split())


def normalise_email(raw: str) -> str:
    """Return the canonical address, or raise ValueError with the reason. Never repairs a typing error."""
    text = clean(raw).removeprefix("mailto:").strip("<>\"'")
    try:
        found = validate_email(text, check_deliverability=False, allow_quoted_local=True)
    except EmailNotValidError as error:
        message = f"{raw.strip()!r} is not an e-mail address: {error}"
        raise ValueError(message) from error
    return found.normalized.lower()


def normalise_phone(raw: str, region: str) -> str:
    """Return the number as E.164, or raise ValueError with the reason. ``region`` reads numbers without ``+``."""
    text = clean(raw).removeprefix("tel:")
    if text.startswith("00") and not text.startswith("000"):
        text = "+" + text[2:]
    try:
        number = phonenumbers.parse(text, region or None)
    except phonenumbers.NumberParseException as error:
        message = f"{raw.strip()!r} is not a phone number: {error}"
        raise ValueError(message) from error
    if not phonenumbers.is_valid_number(number):
        message = f"{raw.strip()!r} is not a valid phone number in {region or 'any region'}"
        raise ValueError(message)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def normalise(submission: Submission, region: str) -> Person:
    """Bring a submission into canonical form.

    A value that cannot be read is left out and named in ``notes``; the lead goes on with what is left.

    Raises:
        MalformedError: nothing is left by which the person could be reached or recognised.
    """
    notes: list[str] = []
    email = phone = ""
    if _is_given(submission.email):
        try:
            email = normalise_email(submission.email)
        except ValueError as error:
            notes.append(str(error))
    if _is_given(submission.phone):
        try:
            phone = normalise_phone(submission.phone, region)
        except ValueError as error:
            notes.append(str(error))
    if not (email or phone or submission.external_id):
        reason = "; ".join(notes) or "it carries neither an e-mail address nor a phone number"
        message = f"no one can be recognised by this: {reason}. Mend the source's map, or the form, then replay"
        raise MalformedError(message)
    first, last = _names(submission)
    return Person(
        email=email,
        phone=phone,
        first_name=first,
        last_name=last,
        company=_value(submission.company),
        source=_value(submission.source),
        tags=tuple(dict.fromkeys(clean(tag) for tag in submission.tags if clean(tag))),
        custom={clean(key)[:100]: str(item)[:2000] for key, item in list(submission.custom.items())[:MAX_CUSTOM_KEYS]},
        occurred_at=submission.occurred_at.isoformat() if submission.occurred_at else "",
        connection=submission.connection,
        external_id=submission.external_id,
        notes=tuple(notes),
    )


def _is_given(text: str) -> bool:
    return clean(text).lower() not in {"", *_PLACEHOLDERS}


def _value(text: str) -> str:
    return clean(text)[:200] if _is_given(text) else ""


def _names(submission: Submission) -> tuple[str, str]:
    first, last = _value(submission.first_name), _value(submission.last_name)
    if first or last:
        return first, last
    full = _value(submission.name)
    if "," in full:
        last, _, first = (part.strip() for part in full.partition(","))
        return first, last
    first, _, last = full.partition(" ")
    return first, last


def are_compatible(known: str, given: str) -> bool:
    """Tell whether two first names may belong to one person: equal, an initial, or one is missing."""
    one, other = (_fold(name) for name in (known, given))
    if not one or not other or one == other:
        return True
    short, long = sorted((one, other), key=len)
    return len(short) == 1 and long.startswith(short)


def _fold(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.casefold()) if not name.isascii() else name.lower()
    return "".join(letter for letter in plain if letter.isalnum())


@dataclass(frozen=True, slots=True)
class Match:
    """Which contact a write belongs to (None: a new one), by which rule, and what a person should know."""

    contact_id: UUID | None
    rule: str
    note: str = ""


def match(
    person: Person,
    *,
    by_external_id: UUID | None,
    by_email: UUID | None,
    by_phone: UUID | None,
    phone_owner_first_name: str,
) -> Match:
    """Decide which contact ``person`` is."""
    bridge = ""
    if by_phone is not None:
        other = by_external_id or by_email
        if other is not None and other != by_phone:
            bridge = "the phone number belongs to another contact and stays there"
    if by_external_id is not None:
        return Match(by_external_id, "external id", bridge)
    if by_email is not None:
        return Match(by_email, "email", bridge)
    if by_phone is not None:
        if are_compatible(phone_owner_first_name, person.first_name):
            return Match(by_phone, "phone")
        return Match(None, "new", "the phone number is shared with a contact of another name")
    return Match(None, "new")


def merge(known: Contact, person: Person, now: datetime) -> tuple[Contact, dict[str, Any], dict[str, Any]]:
    """Fold ``person`` into ``known``: given values win over older ones, nothing given never erases anything.

    The canonical e-mail and phone of a contact stay; further ones become identifiers. An initial never replaces a
    full name. Returns the contact and what changed, before and after; nothing changed means the same object.
    """
    changed: dict[str, Any] = {}
    for name in _FIELDS:
        old, new = getattr(known, name), getattr(person, name)
        if not new or new == old:
            continue
        if old and (
            name in {"email", "phone", "source"} or (name in {"first_name", "last_name"} and _shortens(old, new))
        ):
            continue
        changed[name] = new
    known_tags = {tag.casefold() for tag in known.tags}
    tags = (*known.tags, *(tag for tag in person.tags if tag.casefold() not in known_tags))
    if tags != known.tags:
        changed["tags"] = tags
    custom = {**known.custom, **{key: value for key, value in (person.custom or {}).items() if value}}
    if custom != dict(known.custom):
        changed["custom"] = custom
    if not changed:
        return known, {}, {}
    before = {name: getattr(known, name) for name in changed}
    return replace(known, **changed, version=known.version + 1, updated_at=now), before, changed


def _shortens(old: str, new: str) -> bool:
    one, other = _fold(old), _fold(new)
    return len(other) == 1 and one.startswith(other)
