"""A person as Mainstay knows them, and what one sender said about a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

EMPTY: Mapping[str, str] = MappingProxyType({})
SHARED_PHONE = "shared phone"
"""The flag of a contact whose phone is also that of a contact of another name."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What one delivery says about one person, as the sender wrote it; identity normalises it.

    ``name`` is the full name where the sender gives only that. ``custom`` holds every further field, by the
    sender's own key. ``connection`` and ``external_id`` are set when the sender is a system that has its own id
    for the person (a CRM's webhook). ``do_not_contact`` is an opt-out; ``consent`` the evidence of an explicit consent,
    which alone lifts an earlier one.
    """

    email: str = ""
    phone: str = ""
    name: str = ""
    first_name: str = ""
    last_name: str = ""
    company: str = ""
    source: str = ""
    tags: tuple[str, ...] = ()
    custom: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    occurred_at: datetime | None = None
    connection: str = ""
    external_id: str = ""
    do_not_contact: bool = False
    consent: str = ""


@dataclass(frozen=True, slots=True)
class Contact:
    """One person in one workspace. ``email`` and ``phone`` are canonical (lower case; E.164).

    ``flags`` are words for what a person should know of it ("shared phone"); ``do_not_contact`` forbids to write or
    call. ``version`` grows by one with every change; a push to another system says which version it sent.
    """

    id: UUID
    workspace_id: UUID
    email: str = ""
    phone: str = ""
    first_name: str = ""
    last_name: str = ""
    company: str = ""
    source: str = ""
    tags: tuple[str, ...] = ()
    custom: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    flags: tuple[str, ...] = ()
    do_not_contact: bool = False
    version: int = 1
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def name(self) -> str:
        """Full name as people write it; the e-mail or phone where no name is known."""
        return " ".join(part for part in (self.first_name, self.last_name) if part) or self.email or self.phone

    def to_json(self) -> dict[str, Any]:
        """Return it as a run's input keeps it."""
        data = {name: getattr(self, name) for name in Contact.__dataclass_fields__}
        return data | {"custom": dict(self.custom), "created_at": None, "updated_at": None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Contact:
        """Read what :meth:`to_json` gave, from JSON."""
        return cls(
            **{
                **data,
                "id": UUID(str(data["id"])),
                "workspace_id": UUID(str(data["workspace_id"])),
                "tags": tuple(data["tags"]),
                "flags": tuple(data.get("flags", ())),
            }
        )

    @property
    def own_phone(self) -> str:
        """The phone, where it names this contact alone: what another system may find the contact by."""
        return "" if SHARED_PHONE in self.flags else self.phone
