"""The tables of stack.toml that are Mainstay's own. Those of connections and sources are their connectors'."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, timedelta
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, model_validator
from pydantic_core import PydanticCustomError

from mainstay.kit import Duration
from mainstay.settings.days_off import EXAMPLE as DAYS_OFF
from mainstay.settings.days_off import NONE, read_holidays, read_span
from mainstay.settings.document import suggest
from mainstay.settings.hours import check_weekly, read_hours

SECTIONS = (
    "workspace",
    "connections",
    "roles",
    "records",
    "sources",
    "alerts",
    "mirrors",
    "monitors",
    "outcomes",
    "canary",
    "watch",
    "retention",
    "retries",
    "elsewhere",
)
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,46}[a-z0-9])?")
_LONGEST_SLUG = 48
_LEAST_RECONCILE = timedelta(minutes=1)
_USUAL_REGIONS = {"UK": "GB", "USA": "US", "EN": "GB"}
_EVENT = re.compile(r"[a-z_]+\.[a-z_]+")


def problem(message: str) -> PydanticCustomError:
    """Return what a check raises, in words for whoever writes stack.toml."""
    return PydanticCustomError("stack", "{problem}", {"problem": message})


def slug_of(name: str) -> str:
    """Make the part of an address from a name: ``Acme Plumbing`` gives ``acme-plumbing``; empty when none is left."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_LONGEST_SLUG].strip("-")


def _check_slug(text: str) -> str:
    if text and not _SLUG.fullmatch(text):
        example = slug_of(text) or "acme"
        raise problem(f'a slug is lower-case letters, digits and hyphens, 48 at most; for example "{example}"')
    return text


def _check_timezone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        hint = suggest(text, available_timezones()) or 'Write a name like "America/Chicago".'
        raise problem(f"there is no such time zone. {hint}") from None
    return text


def _check_region(text: str) -> str:
    from phonenumbers import SUPPORTED_REGIONS  # noqa: PLC0415 a tenth of a second, for a stack that is read alone

    region = text.upper()
    if region not in SUPPORTED_REGIONS:
        usual = _USUAL_REGIONS.get(region)
        hint = f'Did you mean "{usual}"?' if usual else 'Write two letters, like "US" or "GB".'
        raise problem(f"there is no such region of phone numbers. {hint}")
    return region


def _check_hours(text: str) -> str:
    try:
        if text.strip():
            read_hours(text, ZoneInfo("UTC"))
    except ValueError as error:
        raise problem(str(error)) from None
    return text


def _check_holidays(text: str | None) -> str | None:
    try:
        return text if text is None else read_holidays(text) or NONE
    except ValueError as error:
        raise problem(str(error)) from None


def _check_days_off(value: object) -> object:
    if not isinstance(value, list):
        raise problem(f"should be a list of days and spans of days: days_off = {DAYS_OFF}")
    try:
        # TOML has days of its own, without quotes.
        days = [each.isoformat() if isinstance(each, date) else str(each) for each in value]
        for each in days:
            read_span(each)
    except ValueError as error:
        raise problem(str(error)) from None
    return tuple(days)


def check_weekly_text(text: str) -> str:
    """Check a weekly moment."""
    try:
        check_weekly(text)
    except ValueError as error:
        raise problem(str(error)) from None
    return text


def _check_event(text: str) -> str:
    if not _EVENT.fullmatch(text):
        raise problem("an event type is noun.verb, for example deal.stage_changed")
    return text


def _check_probability(value: object) -> object:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if value != "off" and not (is_number and 0.5 <= float(str(value)) <= 1):
        raise problem('a probability from 0.5 to 1, or "off": suggest = 0.7')
    return value


def _check_reconcile(value: object) -> object:
    if value == "off":
        return value
    every = TypeAdapter(Duration).validate_python(value)
    if every < _LEAST_RECONCILE:
        raise problem('a minute at the least: reconcile = "15m", or "off"')
    return every


class Table(BaseModel):
    """A table that takes its own keys and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class WorkspaceTable(Table):
    """``[workspace]``: one client's business."""

    name: str = Field(min_length=1, max_length=200, description='The business\'s name: name = "Acme Plumbing"')
    slug: Annotated[str, AfterValidator(_check_slug)] = Field(
        default="", description="The name in addresses; made from the name when not given."
    )
    timezone: Annotated[str, AfterValidator(_check_timezone)] = Field(
        description='Where its clock hangs: timezone = "America/Chicago"'
    )
    region: Annotated[str, AfterValidator(_check_region)] = Field(
        description='How local phone numbers are read, as two letters: region = "US"'
    )
    hours: Annotated[str, AfterValidator(_check_hours)] = Field(
        default="", description="When it is open; always, when not given."
    )
    holidays: Annotated[str | None, AfterValidator(_check_holidays)] = Field(
        default=None, description='Whose public holidays it keeps: holidays = "US", "US-TX", or "none"'
    )
    days_off: Annotated[tuple[str, ...] | None, BeforeValidator(_check_days_off)] = Field(
        default=None, description=f"Further days on which it is closed: days_off = {DAYS_OFF}"
    )

    @model_validator(mode="after")
    def _can_be_addressed(self) -> Self:
        if not self.slug and not slug_of(self.name):
            raise problem('no slug can be made from the name: add one in plain letters, like slug = "acme"')
        return self


class IdentityTable(Table):
    """By what contacts are told apart; see docs/identity.md for each rule."""

    primary: Literal["email", "phone"] = Field(default="email", description="The identifier that decides.")
    also: tuple[Literal["email", "phone"], ...] = Field(default=("phone",), description="Identifiers that count too.")
    bridges: Literal["merge", "suggest"] = Field(
        default="merge", description="When one write names two contacts: merge them where the rules allow, or ask."
    )
    shared_phones: Literal["names", "same"] = Field(
        default="names", description="Whether a phone names its owner only under a compatible name, or always."
    )
    max_emails: int = Field(default=5, ge=1, le=50, description="How many e-mails identify one contact.")
    max_phones: int = Field(default=5, ge=1, le=50, description="How many phones identify one contact.")
    blocked: tuple[str, ...] = Field(
        default=(), description='E-mails and phones that name nobody: blocked = ["desk@acme.example", "+13125550100"]'
    )
    merge_elsewhere: Literal["never", "by hand", "always"] = Field(
        default="by hand", description="Which merges are carried to systems that can merge; HubSpot cannot undo them."
    )
    delete_elsewhere: Literal["never", "always"] = Field(
        default="always",
        description="Whether whom you delete is deleted in the system of record and in mirrors that are CRMs, too.",
    )
    suggest: Annotated[float | Literal["off"], BeforeValidator(_check_probability)] = Field(
        default=0.7, description='Ask whether two contacts are one from this probability, or "off".'
    )
    auto_merge: float | None = Field(
        default=None, ge=0.9, le=1, description="Merge suggestions of this probability without asking; off by default."
    )


class RecordTable(Table):
    """``[records.NAME]``: where one type of record truly lives."""

    system_of_record: str = Field(default="", description="The connection whose word counts.")
    reconcile: Annotated[Duration | Literal["off"], BeforeValidator(_check_reconcile)] = Field(
        default=timedelta(minutes=15),
        description='How often it is asked what changed there, whatever webhooks say: reconcile = "15m", or "off".',
    )
    mirrors: tuple[str, ...] = Field(default=(), description="Copies, which workflows may not write.")
    owners: dict[str, str] = Field(
        default_factory=dict, description='Fields that another connection is right about: { vat_id = "books" }'
    )


class ContactTable(RecordTable):
    """``[records.contact]``."""

    identity: IdentityTable = IdentityTable()
    foreign_writes: Literal["refuse", "forward"] = Field(
        default="refuse",
        description="What a mirror says, and an edit by hand of what another system owns: refuse it, or forward it.",
    )


class RecordsTable(Table):
    """``[records]``."""

    contact: ContactTable = ContactTable()
    company: RecordTable = RecordTable()
    deal: RecordTable = RecordTable()
    invoice: RecordTable = RecordTable()
    payment: RecordTable = RecordTable()
    task: RecordTable = RecordTable()
    message: RecordTable = RecordTable()
    appointment: RecordTable = RecordTable()


class ElsewhereTable(Table):
    """``[[elsewhere]]``: logic that lives in another system, listed so that the map is whole."""

    name: str = Field(min_length=1, description="What it does.")
    platform: str = Field(min_length=1, description='The system that it runs in: platform = "gohighlevel"')
    trigger: Annotated[str, AfterValidator(_check_event)] = Field(
        description='The event that starts it: trigger = "deal.stage_changed"'
    )
    writes: tuple[str, ...] = Field(default=(), description="Types of record that it changes.")
    owner: str = Field(default="", description="Who answers for it.")
