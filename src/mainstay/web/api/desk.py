"""What the routes share: who asks, the verbs, and the contact that an id means."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

from fastapi import Depends
from starlette.requests import Request

from mainstay.db import acquire
from mainstay.insight.people import means
from mainstay.settings.stack import OWN_STORE
from mainstay.web.api.gate import caller
from mainstay.web.api.problems import GONE, INVALID, NOT_FOUND, FieldError, ProblemError
from mainstay.web.masking import Mask
from mainstay.web.tokens import Caller

if TYPE_CHECKING:
    from mainstay.approving import Approvals
    from mainstay.contacts import Contacts
    from mainstay.db import Connection
    from mainstay.model import Contact
    from mainstay.recording import Recorder
    from mainstay.web.api.bodies import ContactBody
    from mainstay.web.backend import Backend
    from mainstay.workflows import Workflows


@dataclass(frozen=True, slots=True)
class Desk:
    """What the API stands on."""

    backend: Backend
    contacts: Contacts
    workflows: Workflows

    def region(self, workspace_id: UUID) -> str:
        """Return how a workspace writes local phone numbers."""
        return next(card.region for card in self.backend.workspace_cards() if card.id == workspace_id)


@dataclass(frozen=True, slots=True)
class Asking:
    """One request: the desk, and who stands at it."""

    desk: Desk
    caller: Caller

    @property
    def workspace_id(self) -> UUID:
        """The workspace that the token belongs to."""
        return self.caller.workspace_id

    @property
    def mask(self) -> Mask:
        """What the caller may see of personal data."""
        return Mask(self.caller.scopes)

    def page(self, path: str) -> str:
        """Return the address of one of the workspace's pages, for a person."""
        backend = self.desk.backend
        slug = next(card.slug for card in backend.workspace_cards() if card.id == self.workspace_id)
        return f"{backend.public_url}/w/{slug}/{path}"

    @property
    def verbs(self) -> Contacts:
        """The verbs of contacts."""
        return self.desk.contacts

    @property
    def approvals(self) -> Approvals:
        """The verb for what runs ask people."""
        return self.desk.backend.approvals

    @property
    def book(self) -> Recorder:
        """The verbs of records that are no contacts."""
        return self.desk.backend.book

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        """Borrow a connection."""
        async with acquire(self.desk.backend.pool) as connection:
            yield connection

    async def meant(self, contact_id: UUID) -> Contact:
        """Return the contact that an id means today.

        Raises:
            ProblemError: there never was one, or it was deleted.
        """
        async with self.reading() as connection:
            found = await means(connection, self.workspace_id, contact_id)
        if found is None:
            raise ProblemError(NOT_FOUND, "There is no such contact in this workspace.")
        contact, is_deleted = found
        if is_deleted:
            raise ProblemError(GONE, "This contact was deleted; a new write makes a new one.")
        return contact

    def check_connection(self, body: ContactBody) -> None:
        """Refuse an external id of a system that the stack does not have.

        Raises:
            ProblemError: it is none of the stack's connections that have ids of their own.
        """
        if not body.connection:
            return
        declared = [
            card.name
            for card in self.desk.backend.connection_cards(self.workspace_id)
            if card.name == body.connection and card.name != OWN_STORE
        ]
        if not declared:
            message = "the stack has no connection of this name"
            raise ProblemError(INVALID, f"connection: {message}", errors=[FieldError("connection", message)])


def asking(request: Request) -> Asking:
    """Return the request as the routes take it."""
    return Asking(request.app.state.desk, caller(request))


Ask = Annotated[Asking, Depends(asking)]
