"""Names of people."""

from __future__ import annotations

import unicodedata

from mainstay.identity.normalisation.result import NameKey, Reason, Status
from mainstay.identity.normalisation.text import clean


def normalise_name(raw: str) -> NameKey:
    """Read a person's name as a match key."""
    first, last = split_name(raw)
    given, family = fold(first), fold(last)
    if not (given or family):
        return NameKey(Status.INVALID, reason=Reason.EMPTY, identifying=False)
    return NameKey(Status.VALID, " ".join(part for part in (given, family) if part), given, family)


def display_name(raw: str) -> str:
    """Return a name as the contact shows it: "Last, First" turned round, spelling kept."""
    return " ".join(part for part in split_name(raw) if part)


def split_name(raw: str) -> tuple[str, str]:
    """Return (first, last) of a whole name, as the contact shows them."""
    full = clean(raw)
    if "," in full:
        last, _, first = (part.strip() for part in full.partition(","))
        return first, last
    first, _, last = full.partition(" ")
    return first, last


def fold(name: str) -> str:
    """Return a name in lower case, without accents and punctuation."""
    plain = unicodedata.normalize("NFKD", name.casefold()) if not name.isascii() else name.lower()
    return " ".join("".join(letter if letter.isalnum() else " " for letter in plain).split())
