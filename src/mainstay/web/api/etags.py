"""The state of a contact as HTTP names it: the ETag of each answer that shows one, and If-Match (RFC 9110)."""

from __future__ import annotations

import re
from collections.abc import Collection
from uuid import UUID

from mainstay.model import Contact

_OURS = re.compile(r'(?:^|,)\s*"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.([0-9]{1,10})"\s*(?=,|$)')


def etag_of(contact: Contact) -> str:
    """Return the ETag: of the contact as well, because an id that was merged means another one of its own versions."""
    return f'"{contact.id}.{contact.version}"'


def states_in(if_match: str) -> Collection[tuple[UUID, int]] | None:
    """Return the states that the header allows; None where it allows any. What is not an ETag of ours matches none."""
    if if_match.strip() in {"", "*"}:
        return None
    return {(UUID(contact_id), int(version)) for contact_id, version in _OURS.findall(if_match)}
