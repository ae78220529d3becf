"""E-mail addresses: their wrapping taken off, then read by the standard, never repaired.

Nearly all addresses are plain ASCII and are read by a pattern, those of one domain after looking at it once; what it
does not match goes the long way, which gives the same answer for those that it does (a property test holds both to it).
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, ValidatedEmail, validate_email

from mainstay.identity.normalisation.domains import GMAIL, PROVIDERS, correction_of
from mainstay.identity.normalisation.result import Hint, Normalised, Reason, Status, refuse
from mainstay.identity.normalisation.shared import (
    ROLE_MAILBOXES,
    SUSPECT_MAILBOXES,
    is_blocked_domain,
    is_blocked_email,
)
from mainstay.identity.normalisation.text import is_placeholder, to_ascii_forms

MAX_RAW: Final = 2000
"""A longer text is no address, whatever its wrapping."""

_RESERVED = frozenset(SPECIAL_USE_DOMAIN_NAMES)


def normalise_email(raw: str) -> Normalised:
    """Read an e-mail address, however it is wrapped."""
    return read_plain(raw) or (_read_wrapped(raw) if raw else _NOTHING)


def read_plain(raw: str) -> Normalised | None:
    """Read an address of plain ASCII; None where the long way has to decide."""
    local, _, domain = raw.strip().lower().partition("@")
    if len(domain) > 63 or len(local) > 64:
        return None
    about = _about(domain)
    if about is None or _LOCAL(local) is None:
        return None
    return _describe(local, domain, about)


# No doubled hyphen in a domain, so that A-labels go the long way; a domain under 64 characters has no label over 63.
_DOMAIN = re.compile(r"(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)+([a-z]{2,})").fullmatch
_LOCAL = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*").fullmatch


class _Domain(NamedTuple):
    """What all addresses of a domain have in common."""

    is_gmail: bool
    is_provider: bool
    is_blocked: bool
    hint: str


@lru_cache(maxsize=10_000)
def _about(domain: str) -> _Domain | None:
    """Tell of a domain in plain ASCII, at most 63 characters; None where the long way has to decide."""
    found = _DOMAIN(domain)
    return None if found is None or found[1] in _RESERVED else _describe_domain(domain, found[1])


def _describe_domain(domain: str, ending: str) -> _Domain:
    is_provider = domain in PROVIDERS
    meant = "" if is_provider else correction_of(domain, ending)
    hint = f"{Hint.DID_YOU_MEAN} {meant}?" if meant else ""
    return _Domain(domain in GMAIL, is_provider, is_blocked_domain(domain), hint)


_NOTHING = refuse(Reason.EMPTY)


def read_any(raw: str) -> Normalised:
    """Read an address the long way, which knows every form."""
    return _fault_of_raw(raw) or _read_unwrapped(_unwrap(to_ascii_forms(raw)))


def _read_wrapped(raw: str) -> Normalised:
    """Read an address the long way, but by the pattern as soon as what is around it is taken off."""
    fault = _fault_of_raw(raw)
    if fault is not None:
        return fault
    text = _unwrap(to_ascii_forms(raw))
    return read_plain(text) or _read_unwrapped(text)


def _fault_of_raw(raw: str) -> Normalised | None:
    if len(raw) > MAX_RAW:
        return refuse(Reason.TOO_LONG)
    return refuse(Reason.BAD_LOCAL_PART) if _BROKEN(raw) is not None else None


def _read_unwrapped(text: str) -> Normalised:
    if is_placeholder(text):
        return refuse(Reason.PLACEHOLDER if text else Reason.EMPTY)
    local, domain = _split(text)
    reason = _fault(text, local, domain)
    if reason is not None:
        return refuse(reason)
    try:
        found = _validate(text)
    except EmailNotValidError:
        return refuse(Reason.BAD_LOCAL_PART if _is_domain(domain) else Reason.BAD_DOMAIN)
    local = _lower(found.local_part)
    domain = found.ascii_domain.lower()
    if len(local.encode()) > 64:
        return refuse(Reason.LOCAL_PART_TOO_LONG)
    canonical = f"{local}@{domain}"
    if len(canonical.encode()) > 254:
        return refuse(Reason.ADDRESS_TOO_LONG)
    return _describe(local, domain, _describe_domain(domain, domain.rpartition(".")[2]))


def _describe(local: str, domain: str, about: _Domain) -> Normalised:
    """Add what is known of a valid address: the key of its aliases, and whether it names a person."""
    mailbox, canonical = local, f"{local}@{domain}"
    is_gmail, is_provider, is_blocked, hint = about
    if "+" in local and local[0] not in '+"':
        mailbox = local[: local.index("+")]
    alias = mailbox.replace(".", "") if is_gmail and local[0] != '"' else mailbox
    alias_key = canonical if alias is local else f"{alias}@{domain}"
    if is_blocked or mailbox in SUSPECT_MAILBOXES:
        if is_blocked or is_blocked_email(mailbox, domain, is_provider=is_provider):
            return Normalised(_VALID, canonical, alias_key, hint=Hint.BLOCKED_VALUE, identifying=False)
        if mailbox in ROLE_MAILBOXES:
            return Normalised(_VALID, canonical, alias_key, hint=Hint.ROLE_MAILBOX, identifying=False)
    return _new(Normalised, (_VALID, canonical, alias_key, "", "", hint, True))


_new = tuple.__new__  # what Normalised() does, in a third of the time
_VALID = Status.VALID


def _unwrap(text: str) -> str:
    """Take off labels, brackets, quotes and one mark of punctuation; they are never part of the address itself."""
    has_lost_mark = False
    while True:
        before, text = text, text.strip()
        label = _LABELS(text)
        if label is not None:
            text = text[label.end() :]
            if label["uri"]:
                text = unquote(text.removeprefix("//").partition("?")[0])
        elif _is_wrapped(text):
            text = text[1:-1]
        elif text.endswith(">") and (named := _NAMED(text)) is not None:
            # A name that holds another address is not a name: which one is meant, nobody knows.
            if "@" in named[1] and named[1].strip().strip("\"'").lower() != named[2].strip().lower():
                return text
            text = named[2]
        elif not has_lost_mark and text.endswith((".", ",", ";")):
            has_lost_mark = True
            text = text[:-1]
        if text == before:
            return text


_LABELS = re.compile(r"(?:(?P<uri>mailto)|e-?mail(?: address)?)\s*:", re.IGNORECASE).match
_NAMED = re.compile(r"([^<>]*)<([^<>]*)>").fullmatch
_PAIRS = {'"': '"', "'": "'", "(": ")", "<": ">", "“": "”", "„": "“", "‘": "’", "«": "»", "‹": "›", "`": "`", "”": "”",
          "’": "’"}  # fmt: skip


def _is_wrapped(text: str) -> bool:
    if len(text) < 2 or _PAIRS.get(text[0]) != text[-1]:
        return False
    inner = text[1:-1]
    # `"a" <b@c> "d"` is not one wrapping.
    return text[0] not in inner and text[-1] not in inner


def _split(text: str) -> tuple[str, str]:
    """Return what stands before and behind the @; one inside a quoted local part does not count."""
    quoted = _QUOTED(text)
    if quoted is not None:
        return text[: quoted.end() - 1], text[quoted.end() :]
    local, _, domain = text.partition("@")
    return local, domain


_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"@').match


def _fault(text: str, local: str, domain: str) -> Reason | None:
    """Return what the long list of refusals says of an address, in the order in which a person would say it."""
    if "@" not in text:
        return Reason.NO_AT
    is_quoted = local.startswith('"') and _QUOTED(text) is not None
    rest = domain if is_quoted else text
    checks = (
        (Reason.TWO_ADDRESSES, len(_ADDRESSES(text)) > 1 or (rest.count("@") > (0 if is_quoted else 1))),
        (Reason.IP_ADDRESS, domain.startswith("[") or _IP(domain) is not None),
        (Reason.COMMENT, "(" in rest or ")" in rest),
        (Reason.WHITE_SPACE, _SPACE(rest) is not None),
        (Reason.NO_LOCAL_PART, local in {"", '""'}),
        (Reason.LOCAL_PART_TOO_LONG, not is_quoted and len(local.encode()) > 64),
        (Reason.ADDRESS_TOO_LONG, len(text.encode()) > 254),
        (Reason.BAD_DOMAIN, not domain),
        (Reason.NO_DOT, not _DOT(domain)),
    )
    found = next((reason for reason, holds in checks if holds), None)
    return found or _fault_of_ending(domain)


_BROKEN = re.compile("[\ud800-\udfff]").search  # half of a character
_ADDRESSES = re.compile(r"[^\s@,;<>/|]+@[^\s@,;<>/|]+\.[^\s@,;<>/|]+").findall
_IP = re.compile(r"\d+(?:\.\d+){3}\.?").fullmatch
_SPACE = re.compile(r"\s").search
_DOT = re.compile(r"[.\u3002\uff0e\uff61]").search


def _fault_of_ending(domain: str) -> Reason | None:
    ending = domain.rpartition(".")[2].lower()
    if ending.isdecimal():
        return Reason.DIGITS_ENDING
    if len(ending) == 1 and ending.isascii():
        return Reason.SHORT_ENDING
    return Reason.RESERVED_DOMAIN if ending in _RESERVED else None


def _validate(text: str) -> ValidatedEmail:
    return validate_email(text, check_deliverability=False, allow_quoted_local=True)


def _is_domain(domain: str) -> bool:
    try:
        _validate(f"x@{domain}")
    except EmailNotValidError:
        return False
    return True


def _lower(text: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())
