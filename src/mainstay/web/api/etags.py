"""The state of a contact or record as HTTP names it: the ETag of each answer that shows it, and If-Match."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Protocol
from uuid import UUID

_OURS = re.compile(r'(?:^|,)\s*"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.([0-9]{1,10})"\s*(?=,|$)')


class Versioned(Protocol):
    """A contact or a record."""

    @property
    def id(self) -> UUID:
        """Its id."""
        ...

    @property
    def version(self) -> int:
        """How often it was changed."""
        ...


def etag_of(each: Versioned) -> str:
    """Return the ETag: of the id as well, because one that was merged means another contact of its own versions."""
    return f'"{each.id}.{each.version}"'


def states_in(if_match: str) -> Collection[tuple[UUID, int]] | None:
    """Return the states that the header allows; None where it allows any. What is not an ETag of ours matches none."""
    if if_match.strip() in {"", "*"}:
        return None
    return {(UUID(contact_id), int(version)) for contact_id, version in _OURS.findall(if_match)}
