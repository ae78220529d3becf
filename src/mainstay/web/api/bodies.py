"""What the API takes, field by field; the OpenAPI document is made of it."""

from __future__ import annotations

from collections.abc import Mapping
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
    field_validator,
    model_validator,
)

from mainstay.engine.result import result_of
from mainstay.errors import WorkflowError
from mainstay.model import RecordType, Submission
from mainstay.model.record import CUSTOM
from mainstay.recording import Wish

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


def is_text(value: Any) -> Any:
    """Refuse a number where a moment is meant: it would be read as seconds since 1970."""
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
    BeforeValidator(is_text),
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

    model_config = ConfigDict(extra="forbid", json_schema_extra={"minProperties": 1})

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


class StartBody(_Body):
    """Which workflow to run, for whom: an id, or what is known of the person, which is written first."""

    workflow: Annotated[Text, Field(min_length=1, max_length=200, description="Its whole name: quote.v1.")]
    contact_id: Annotated[UUID | None, Field(description="Whom it is about.")] = None
    contact: Annotated[
        ContactBody | None, Field(description="Whom it is about, written as by POST /contacts with all that follows.")
    ] = None
    input: Annotated[
        dict[str, Any], Field(max_length=200, description="What the workflow finds as ctx.input; at most 64 kB.")
    ] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_about_one(self) -> StartBody:
        if (self.contact_id is None) == (self.contact is None):
            raise ValueError("give either contact_id or contact")
        return self

    @field_validator("input")
    @classmethod
    def _can_be_kept(cls, value: dict[str, Any]) -> dict[str, Any]:
        try:
            return dict(result_of("input", value) or {})
        except WorkflowError as error:
            raise ValueError(str(error).partition(": ")[2].partition(". ")[0].replace("the result", "input")) from error


class MergeBody(_Body):
    """Which contact is the same person, and whose values stand where the two differ."""

    other_id: UUID
    keep: Annotated[UUID | None, Field(description="One of the two; the latest values without it.")] = None


class AcceptBody(_Body):
    """Whose values stand where the two differ."""

    keep: Annotated[UUID | None, Field(description="One of the two; the latest values without it.")] = None


_Values = Annotated[
    dict[_Key, _Custom | int | _Number | None],
    Field(
        max_length=MOST_CUSTOM,
        description="By canonical field (docs/records.md) or custom.KEY; null or an empty text clears it.",
    ),
]


class RecordBody(_Body):
    """A record of our own book."""

    type: RecordType
    values: _Values = Field(default_factory=dict)
    contact_id: Annotated[UUID | None, Field(description="The contact that it is about.")] = None

    def wish(self) -> Wish:
        """Return it as the book takes it."""
        return Wish(*_parted(self.values), self.contact_id)


class RecordEditBody(_Body):
    """Values set by hand; what is not named stays."""

    values: _Values = Field(default_factory=dict)
    contact_id: Annotated[UUID | None, Field(description="The contact that it is about, if it is about none yet.")] = (
        None
    )
    is_gone: Annotated[StrictBool | None, Field(description="true: it is deleted; false: it is back.")] = None

    model_config = ConfigDict(extra="forbid", json_schema_extra={"minProperties": 1})

    @model_validator(mode="after")
    def _says_something(self) -> RecordEditBody:
        if not self.model_fields_set:
            raise ValueError("name at least one field")
        return self

    def wish(self) -> Wish:
        """Return it as the book takes it."""
        return Wish(*_parted(self.values), self.contact_id, self.is_gone)


def _parted(values: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """Return canonical fields, and custom ones by their own names."""
    custom = {name.removeprefix(CUSTOM): _as_text(value) for name, value in values.items() if name.startswith(CUSTOM)}
    return {name: _as_text(value) for name, value in values.items() if not name.startswith(CUSTOM)}, custom


def _as_text(value: str | float | bool | None) -> str:  # noqa: FBT001 - as JSON has it
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
