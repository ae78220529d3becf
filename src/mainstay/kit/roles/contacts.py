"""Roles that keep contacts: a CRM, and Mainstay's own store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from uuid import UUID

    from mainstay.kit.roles.outcomes import Pushed
    from mainstay.model import Contact, Submission


class CRM(Protocol):
    """Where contacts live. ``external_id`` is the contact's id in that system."""

    async def push_contact(self, contact: Contact, external_id: str) -> Pushed:
        """Write the newest state of ``contact``.

        With an empty ``external_id``, find it there by e-mail, then phone, and update it, else create it: never
        double it. Fields that are empty here are left alone there; tags there are never removed.
        """
        ...

    async def fetch_contact(self, external_id: str) -> Submission | None:
        """Read one contact; None when it does not exist (any more)."""
        ...

    async def add_tag(self, external_id: str, tag: str) -> None:
        """Add one tag, keeping the others."""
        ...

    async def add_note(self, external_id: str, text: str) -> None:
        """Add a note to the contact's timeline."""
        ...


class MergingCRM(CRM, Protocol):
    """A CRM that can merge two of its contacts; its connector names ``crm.merge_contacts`` in ``idempotency``."""

    async def merge_contacts(self, survivor_id: str, merged_id: str) -> str:
        """Merge one contact into another and return the id that stands. Called again, it finds it done."""
        ...


class RecordStore(Protocol):
    """Mainstay's own store, for the ``builtin`` connector: the record is already there, by our own id.

    Whoever makes one binds it to one workspace; an id of another workspace is unknown to it, and a method that meets
    an unknown id raises PermanentError.
    """

    async def add_tag(self, contact_id: UUID, tag: str) -> None:
        """Add one tag to our own contact, keeping the others."""
        ...

    async def add_note(self, contact_id: UUID, text: str, *, key: str = "") -> None:
        """Add a note to our own contact's timeline; of a repeated non-empty ``key`` only the first is kept."""
        ...
