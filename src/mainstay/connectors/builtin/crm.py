"""The CRM role over Mainstay's own store. A contact's external id is its own id here."""

from __future__ import annotations

from uuid import UUID

from mainstay.kit import ConnectionSettings, Contact, Http, PermanentError, Pushed, RecordStore, Submission


class BuiltinConnection(ConnectionSettings):
    """``[connections] here = { connector = "builtin" }``: there is nothing to set."""


def make_crm(_settings: BuiltinConnection, http: Http, store: RecordStore | None) -> BuiltinCRM:
    """Build the role for one attempt; ``http`` gives the idempotency key alone."""
    if store is None:
        message = 'the connector "builtin" works on a record store, and none was given'
        raise TypeError(message)
    return BuiltinCRM(store, http.idempotency_key)


class BuiltinCRM:
    """Reads and writes our own contacts."""

    def __init__(self, store: RecordStore, idempotency_key: str = "") -> None:
        self._store = store
        self._key = idempotency_key

    async def push_contact(self, contact: Contact, external_id: str) -> Pushed:  # noqa: ARG002 the role's signature
        """Return the contact's own id: identity wrote it already."""
        return Pushed(str(contact.id))

    async def fetch_contact(self, external_id: str) -> Submission | None:  # noqa: ARG002 the role's signature
        """Return None: no other system holds anything that we do not."""
        return None

    async def add_tag(self, external_id: str, tag: str) -> None:
        """Add one tag to the contact."""
        await self._store.add_tag(_contact_id(external_id), tag)

    async def add_note(self, external_id: str, text: str) -> None:
        """Add a note to the contact's timeline, once however often the step is tried."""
        await self._store.add_note(_contact_id(external_id), text, key=self._key)

    async def delete_contact(self, external_id: str) -> None:
        """Do nothing: what is deleted here is deleted by identity."""


def _contact_id(external_id: str) -> UUID:
    try:
        return UUID(external_id)
    except ValueError:
        message = f"{external_id!r} is not the id of a contact of Mainstay's own store; was the CRM changed meanwhile?"
        raise PermanentError(message) from None
