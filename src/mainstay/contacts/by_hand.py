"""What a person sets by hand: which fields, and which of them are another system's to say. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from mainstay.errors import PermanentError
from mainstay.identity import CUSTOM, OWNABLE, Owners, Person, normalise
from mainstay.model import Submission

BY_HAND = OWNABLE
"""The fields that a person may edit; custom ones as ``custom.KEY``."""


def person_by_hand(values: Mapping[str, str], wish: Submission, region: str) -> Person:
    """Return what a person sets in canonical form; an empty value clears its field.

    Raises:
        PermanentError: there is no such field, or a value cannot be what its field says.
    """
    custom = {name.removeprefix(CUSTOM): text for name, text in values.items() if name.startswith(CUSTOM)}
    unknown = [name for name in values if name not in BY_HAND and not name.startswith(CUSTOM)]
    if unknown:
        raise PermanentError(
            f"{unknown[0]!r} is not a field that can be edited; fields: {', '.join(BY_HAND)}, custom.*"
        )
    fields: dict[str, Any] = {name: values[name] for name in BY_HAND if values.get(name)}
    # The id is for normalise alone: whom this is about is known.
    given = replace(wish, custom=custom, external_id="by hand", **fields)
    person = normalise(given, region)
    for name in ("email", "phone"):
        if fields.get(name) and not getattr(person, name):
            raise PermanentError(next(iter(person.notes), f"{fields[name]!r} cannot be read"))
    return replace(person, external_id="", cleared=tuple(name for name, text in values.items() if not text.strip()))


def fields_of(person: Person) -> tuple[str, ...]:
    """Return the fields that somebody says, or clears, of those that a system may own."""
    said = [name for name in OWNABLE if getattr(person, name)]
    said += [f"{CUSTOM}{key}" for key, text in (person.custom or {}).items() if text]
    return (*said, *(name for name in person.cleared if name not in said))


def by_owner(
    values: Mapping[str, str], owners: Owners, forwarding: Collection[str]
) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Part what a person sets into what is theirs to set, and what is sent to the connection that owns it.

    Raises:
        PermanentError: the owner of a field is not written to from here, or the field is to be cleared there.
    """
    own, sent = dict[str, str](), dict[str, dict[str, str]]()
    for name, text in values.items():
        if (owner := owners.get(name)) is None:
            own[name] = text
        elif owner in forwarding and text.strip():
            sent.setdefault(owner, {})[name] = text
        else:
            raise PermanentError(refusal(name, owner, is_cleared=owner in forwarding))
    return own, sent


def refusal(name: str, owner: str, *, is_cleared: bool = False) -> str:
    """Say why a field is not set by hand, and what to do."""
    if is_cleared:
        return f"{owner} owns {name}, and is not told to empty it: empty it there, and it comes from there"
    return f"{owner} owns {name}: change it there, and it comes from there ([records.contact.owners] in stack.toml)"
