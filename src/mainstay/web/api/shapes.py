"""What the API takes and gives, field by field; the OpenAPI document is made of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    model_validator,
)

from mainstay.model import Contact, Submission

_EARLIEST = 1900
_LONGEST_CUSTOM = 2000
MOST_CUSTOM = 100


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("should not hold the character NUL")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("should not hold half a character") from error
    return text


def _is_text(value: Any) -> Any:
    if value is not None and not isinstance(value, str | datetime):
        raise ValueError("should be a text: a date and time as ISO 8601 has it, with its zone")
    return value


def _sensible(moment: datetime) -> datetime:
    if moment.year < _EARLIEST:
        raise ValueError(f"should not lie before {_EARLIEST}")
    return moment


Text = Annotated[str, AfterValidator(_storable)]
_Key = Annotated[Text, StringConstraints(min_length=1, max_length=100)]
_Custom = Annotated[Text, StringConstraints(max_length=_LONGEST_CUSTOM)]
_Number = Annotated[float, Field(allow_inf_nan=False)]
_Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_is_text),
    AfterValidator(_sensible),
    Field(description="When it was said, ISO 8601 with a zone; now where it is not given."),
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=False)


class ContactBody(_Body):
    """What is said about one person. What is empty, null or left out never overwrites anything."""

    email: Annotated[Text | None, Field(max_length=500, description="As written; brought into canonical form.")] = None
    phone: Annotated[
        Text | None, Field(max_length=100, description="As written; without + it is read as of the workspace's region.")
    ] = None
    name: Annotated[Text | None, Field(max_length=400, description="Where first and last are not known apart.")] = None
    first_name: Annotated[Text | None, Field(max_length=200)] = None
    last_name: Annotated[Text | None, Field(max_length=200)] = None
    company: Annotated[Text | None, Field(max_length=200)] = None
    tags: Annotated[list[_Key] | None, Field(max_length=50)] = None
    custom: Annotated[dict[_Key, _Custom | int | _Number | bool | None] | None, Field(max_length=MOST_CUSTOM)] = None
    source: Annotated[
        Text | None, Field(max_length=100, description="Where the person came from; the token's name without it.")
    ] = None
    kind: Annotated[
        Literal["form", "crm", "import", "manual"] | None,
        Field(
            description="Who is believed of two values of one instant; what is manual changes only by hand. "
            "Without it: crm where an external_id is given, else form."
        ),
    ] = None
    occurred_at: _Moment | None = None
    do_not_contact: Annotated[StrictBool | None, Field(description="true is an opt-out; false says nothing.")] = None
    consent: Annotated[
        Text | None, Field(max_length=200, description="The evidence of an explicit consent: it lifts an opt-out.")
    ] = None
    connection: Annotated[
        Text | None, Field(max_length=100, description="The connection of the stack that external_id is an id of.")
    ] = None
    external_id: Annotated[Text | None, Field(max_length=200, description="The person's id in that system.")] = None

    @property
    def who(self) -> str:
        """Return who is believed: see ``kind``."""
        return self.kind or ("crm" if self.external_id else "form")

    @model_validator(mode="after")
    def _id_has_its_system(self) -> ContactBody:
        if bool(self.connection) != bool(self.external_id):
            raise ValueError("connection and external_id go together")
        return self

    def submission(self) -> Submission:
        """Return it as identity takes it."""
        return Submission(
            email=self.email or "",
            phone=self.phone or "",
            name=self.name or "",
            first_name=self.first_name or "",
            last_name=self.last_name or "",
            company=self.company or "",
            source=self.source or "",
            tags=tuple(self.tags or ()),
            custom={key: _as_text(value) for key, value in (self.custom or {}).items()},
            occurred_at=self.occurred_at,
            connection=self.connection or "",
            external_id=self.external_id or "",
            do_not_contact=bool(self.do_not_contact),
            consent=self.consent or "",
        )


class BulkLine(ContactBody):
    """One line of a bulk write."""

    idempotency_key: Annotated[
        str, StringConstraints(pattern=r"^[\x21-\x7e]*$", max_length=200), Field(description="As the header.")
    ] = ""


class EditBody(_Body):
    """Values set by hand: from then on they change only by hand. An empty text or null clears the field."""

    email: Annotated[Text | None, Field(max_length=500)] = None
    phone: Annotated[Text | None, Field(max_length=100)] = None
    first_name: Annotated[Text | None, Field(max_length=200)] = None
    last_name: Annotated[Text | None, Field(max_length=200)] = None
    company: Annotated[Text | None, Field(max_length=200)] = None
    custom: Annotated[dict[_Key, _Custom | None], Field(max_length=MOST_CUSTOM)] = Field(default_factory=dict)
    tags: Annotated[list[_Key], Field(max_length=50, description="Tags to add.")] = Field(default_factory=list)
    do_not_contact: Annotated[StrictBool, Field(description="true is an opt-out; consent lifts it.")] = False
    consent: Annotated[Text, Field(max_length=200, description="The evidence of an explicit consent.")] = ""

    @model_validator(mode="after")
    def _says_something(self) -> EditBody:
        if not self.model_fields_set:
            raise ValueError("name at least one field")
        return self

    def values(self) -> dict[str, str]:
        """Return the fields that are given; empty ones are to be cleared."""
        given = {
            name: getattr(self, name) or ""
            for name in ("email", "phone", "first_name", "last_name", "company")
            if name in self.model_fields_set
        }
        return given | {f"custom.{key}": value or "" for key, value in self.custom.items()}


class MergeBody(_Body):
    """Which contact is the same person, and whose values stand where the two differ."""

    other_id: UUID
    keep: Annotated[UUID | None, Field(description="One of the two; the latest values without it.")] = None


class AcceptBody(_Body):
    """Whose values stand where the two differ."""

    keep: Annotated[UUID | None, Field(description="One of the two; the latest values without it.")] = None


def _as_text(value: str | float | bool | None) -> str:  # noqa: FBT001 - as JSON has it
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


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


class DeletedShape(BaseModel):
    """A contact that was deleted, with the ids merged into it. Its copies in other systems are named, not touched."""

    contact_id: UUID
    deleted_ids: tuple[UUID, ...]
    elsewhere: list[ExternalIdShape]


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
