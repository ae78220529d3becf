"""What the API gives, field by field; the OpenAPI document is made of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from mainstay.model import Contact


class ContactShape(BaseModel):
    """A contact: the values that stand."""

    id: UUID
    email: str
    phone: str
    first_name: str
    last_name: str
    company: str
    source: str
    tags: tuple[str, ...]
    custom: dict[str, str]
    flags: tuple[str, ...]
    do_not_contact: bool
    version: int
    created_at: datetime | None
    updated_at: datetime | None

    @classmethod
    def of(cls, contact: Contact) -> ContactShape:
        """Return a contact as the API gives it."""
        return cls(**_fields(contact))


def _fields(contact: Contact) -> dict[str, Any]:
    return {name: getattr(contact, name) for name in ContactShape.model_fields} | {"custom": dict(contact.custom)}


class IdentifierShape(BaseModel):
    """An e-mail or phone by which the contact is known. ``standing`` is owner, shared, or weak (names nobody)."""

    kind: Literal["email", "phone"]
    value: str
    standing: Literal["owner", "shared", "weak"]
    source: str
    created_at: datetime


class ExternalIdShape(BaseModel):
    """The contact's id in another system."""

    connection: str
    external_id: str


class OriginShape(BaseModel):
    """Where a value comes from: when it was said, by which kind of source, in which change."""

    at: datetime
    kind: str
    change_id: UUID


class PersonShape(ContactShape):
    """A contact with all by which it is known."""

    identifiers: list[IdentifierShape]
    external_ids: list[ExternalIdShape]
    merged_ids: Annotated[list[UUID], Field(description="Ids that were merged into this one.")]
    origins: Annotated[dict[str, OriginShape], Field(description="By field; custom ones as custom.KEY.")]
    redirected_from: Annotated[UUID | None, Field(description="The id that was asked for, where it was merged.")] = None


class ContactsPage(BaseModel):
    """A page of contacts. ``next`` is the cursor of the next page; null when this is the last."""

    contacts: list[ContactShape]
    next: str | None = None


class OutcomeShape(BaseModel):
    """What became of a write."""

    outcome: Literal["created", "updated", "unchanged", "dropped"]
    contact_id: UUID | None
    rule: Annotated[str, Field(description="How the contact was found; new where it was not.")]
    changed: tuple[str, ...]
    merged: Annotated[tuple[UUID, ...], Field(description="Ids that this showed to be the same person.")]
    suggestions: Annotated[tuple[UUID, ...], Field(description="Questions for a person that this opened.")]
    flags: tuple[str, ...]
    note: str


class WrittenShape(OutcomeShape):
    """What became of a write, and the contact as it is now."""

    contact: ContactShape | None


class BulkShape(OutcomeShape):
    """One line of the answer to a bulk write; BulkProblem where it failed. ``repeated``: its key was used before."""

    line: int
    status: int
    repeated: bool


class ChangeShape(BaseModel):
    """One thing that was said of a contact, and what it altered. ``home_id`` is the contact it came to first."""

    id: UUID
    home_id: UUID
    version: int
    rule: str
    source: str
    kind: str
    occurred_at: datetime
    at: datetime
    said: dict[str, Any]
    raw: dict[str, Any]
    before: dict[str, Any]
    after: dict[str, Any]
    note: str
    merge_id: UUID | None
    delivery_id: UUID | None
    run_id: UUID | None
    undone_at: Annotated[datetime | None, Field(description="When it was taken back: it counts no more.")]
    undone_by: str


class ChangesPage(BaseModel):
    """A page of changes, the newest first."""

    changes: list[ChangeShape]
    next: str | None = None


class MergeShape(BaseModel):
    """A merge, standing or undone."""

    id: UUID
    survivor_id: UUID
    merged_id: UUID
    rule: str
    by: str
    note: str
    at: datetime
    undone_at: datetime | None
    undone_by: str


class MergesShape(BaseModel):
    """The merges of a contact, the newest first."""

    merges: list[MergeShape]


class MergedShape(BaseModel):
    """Two contacts that are one now."""

    merge_id: UUID
    survivor_id: UUID
    merged_id: UUID
    changed: tuple[str, ...]
    contact: ContactShape


class PartedShape(BaseModel):
    """Two contacts that were one: the one that stayed, and the one that is back."""

    merge_id: UUID
    contact: ContactShape
    restored: ContactShape


class DeletedElsewhereShape(ExternalIdShape):
    """A deleted contact's id in another system: ``run_id`` is the run that deletes it there; what has none stays."""

    run_id: UUID | None


class DeletedShape(BaseModel):
    """A contact that was deleted, with the ids merged into it."""

    contact_id: UUID
    deleted_ids: tuple[UUID, ...]
    elsewhere: list[DeletedElsewhereShape]


class SuggestionShape(BaseModel):
    """Two contacts that may be one person, and why."""

    id: UUID
    state: Literal["open", "accepted", "rejected"]
    rule: str
    score: float
    reasons: list[Any]
    opened_at: datetime
    decided_at: datetime | None
    decided_by: str
    contacts: list[ContactShape]


class SuggestionsPage(BaseModel):
    """A page of suggestions: open ones by score, decided ones the latest first."""

    suggestions: list[SuggestionShape]
    next: str | None = None


class RejectedShape(BaseModel):
    """A suggestion that was answered with no: the two stay two."""

    id: UUID
    state: Literal["rejected"] = "rejected"


class FieldErrorShape(BaseModel):
    """What is wrong with one field."""

    field: str
    message: str


class ProblemShape(BaseModel):
    """RFC 9457: what went wrong."""

    type: Annotated[str, Field(description="What programs tell the kind of problem by.")]
    title: str
    status: int
    detail: str
    errors: Annotated[list[FieldErrorShape] | None, Field(description="By field, where fields are wrong.")] = None


class BulkProblem(ProblemShape):
    """One line of the answer to a bulk write that failed."""

    line: int
