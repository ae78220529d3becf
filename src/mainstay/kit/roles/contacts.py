"""Roles that keep contacts: a CRM, and Mainstay's own store."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from mainstay.errors import VendorError
    from mainstay.kit.roles.outcomes import Pushed
    from mainstay.model import Contact, Submission


@dataclass(frozen=True, slots=True)
class Pulled:
    """Contacts that changed in a system, the oldest change first.

    Attributes:
        contacts: each as it is there now, with its ``external_id``, and with the time of its last change as
            ``occurred_at``; ``connection`` is the caller's to fill.
        removed: ids of contacts that are there no more, as far as the system tells; one merged away is one of them.
        cursor: where the next pull goes on. Keep it once the contacts are safe.
        has_more: False once all was given that had changed up to now.
        created: by id, when each contact was made there, as far as the system tells: an old one that was merely touched
            is no new lead.
    """

    contacts: tuple[Submission, ...]
    removed: tuple[str, ...]
    cursor: str
    has_more: bool
    created: Mapping[str, datetime] = field(default_factory=dict)


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


class BatchingCRM(CRM, Protocol):
    """A CRM that takes many contacts by one call; its connector names ``crm.push_contacts`` in ``idempotency``."""

    async def push_contacts(self, contacts: Sequence[tuple[Contact, str]]) -> Sequence[Pushed | VendorError]:
        """Do as ``push_contact`` for each contact and its ``external_id``, and return what came of each, in order.

        Whom the vendor refuses holds up no other.

        Raises:
            VendorError: nothing could be written: the vendor is away, has had enough, or lets nobody in.
        """


class DeletingCRM(CRM, Protocol):
    """A CRM of which a contact can be removed; its connector names ``crm.delete_contact`` in ``idempotency``."""

    async def delete_contact(self, external_id: str) -> None:
        """Remove one contact, or archive it where the vendor keeps what is deleted; one that is gone is no error."""
        ...


class PullingCRM(CRM, Protocol):
    """A CRM that can be asked what changed; its connector names ``crm.pull_contacts`` in ``idempotency``.

    It heals what webhooks miss. Changes made by Mainstay itself are among those given.
    """

    async def pull_contacts(self, cursor: str) -> Pulled:
        """Read one batch of contacts that changed since ``cursor``; since ever, with an empty one.

        A cursor to begin with may be a time, as :func:`mainstay.kit.pulling.utc` writes it.

        Called until ``has_more`` is False, it has given every contact that changed before it was called first, in its
        state of then or later, however many changed in one instant and whatever changes meanwhile. It goes back a
        little for what the system shows late, so that some contacts come again: they are told by their content. The
        cursor is the connector's own, and good for one object of one account.

        Raises:
            PermanentError: the cursor is none of this connector's.
        """
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
