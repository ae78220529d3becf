"""Two contacts side by side: what agrees, what differs, what only one of them has. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mainstay.model import Contact

SAME, DIFFERS, ONE_ONLY, OTHER_ONLY = "same", "differs", "one only", "other only"


@dataclass(frozen=True, slots=True)
class Value:
    """One value of one side; ``is_common`` says that the other side has it too."""

    text: str
    is_common: bool = False
    standing: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One field of both; ``verdict`` is a word of this module. The first value of a side is the one that stands."""

    field: str
    one: tuple[Value, ...]
    other: tuple[Value, ...]
    verdict: str


def compare(
    one: Contact,
    other: Contact,
    identifiers_of_one: Iterable[tuple[str, str, str]] = (),
    identifiers_of_other: Iterable[tuple[str, str, str]] = (),
) -> tuple[Line, ...]:
    """Return the fields that either of two contacts has; identifiers are given as (kind, value, standing)."""
    ours, theirs = list(identifiers_of_one), list(identifiers_of_other)
    lines = [
        _line("name", _known(_full_name(one)), _known(_full_name(other))),
        *(_line(kind, _keys(one, kind, ours), _keys(other, kind, theirs)) for kind in ("email", "phone")),
        *(_line(field, _known(getattr(one, field)), _known(getattr(other, field))) for field in ("company", "source")),
        _line("tags", [(tag, "") for tag in one.tags], [(tag, "") for tag in other.tags]),
    ]
    lines += [
        _line(f"custom.{key}", _known(one.custom.get(key, "")), _known(other.custom.get(key, "")))
        for key in sorted({*one.custom, *other.custom})
    ]
    return tuple(line for line in lines if line.one or line.other)


def has_choice(lines: Sequence[Line]) -> bool:
    """Tell whether it matters which side's values stay: they differ somewhere (tags and keys of both are kept)."""
    return any(line.verdict == DIFFERS and line.field != "tags" for line in lines)


def _full_name(contact: Contact) -> str:
    return " ".join(part for part in (contact.first_name, contact.last_name) if part)


def _known(text: str) -> list[tuple[str, str]]:
    return [(text, "")] if text else []


def _keys(contact: Contact, kind: str, identifiers: Iterable[tuple[str, str, str]]) -> list[tuple[str, str]]:
    found = {value: standing for of_kind, value, standing in identifiers if of_kind == kind}
    standing_value = getattr(contact, kind)
    first = {standing_value: found.get(standing_value, "")} if standing_value else {}
    return list((first | found).items())


def _line(field: str, ones: Sequence[tuple[str, str]], others: Sequence[tuple[str, str]]) -> Line:
    common = {text.casefold() for text, _ in ones} & {text.casefold() for text, _ in others}
    one, other = (
        tuple(Value(text, text.casefold() in common, standing) for text, standing in side) for side in (ones, others)
    )
    if common:
        verdict = SAME
    elif one and other:
        verdict = DIFFERS
    else:
        verdict = ONE_ONLY if one else OTHER_ONLY
    return Line(field, one, other, verdict)
