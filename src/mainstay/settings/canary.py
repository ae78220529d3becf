"""``[canary]``: a synthetic lead that goes the real way."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from mainstay.identity.normalisation import normalise_email
from mainstay.kit import Duration
from mainstay.monitors import Canary
from mainstay.settings.document import suggest
from mainstay.settings.schema import Table
from mainstay.settings.wording import check

if TYPE_CHECKING:
    from mainstay.kit import SourceKind
    from mainstay.settings.document import Document
    from mainstay.settings.stack import ConnectionEntry, SourceEntry

FIRST_NAME, LAST_NAME = "Mainstay", "Canary"


def _problem(message: str) -> PydanticCustomError:
    return PydanticCustomError("stack", "{problem}", {"problem": message})


def _check_email(text: str) -> str:
    read = normalise_email(text)
    if not read.canonical:
        raise _problem('this is no e-mail address; write one of your own, like email = "canary@acme.example"')
    if not read.identifying:
        raise _problem("this address names no one person, so that the canary would not be known by it; take another")
    return read.canonical


def _check_every(every: timedelta) -> timedelta:
    if not timedelta(minutes=5) <= every <= timedelta(days=7):
        raise _problem('from five minutes to a week: every = "1h"')
    return every


def _check_within(within: timedelta) -> timedelta:
    if not timedelta(seconds=30) <= within <= timedelta(hours=1):
        raise _problem('from 30 seconds to an hour: within = "5m"')
    return within


class CanaryTable(Table):
    """``[canary]``."""

    source: str = Field(description="The source by which it comes, of kind form, json or typeform.")
    email: Annotated[str, AfterValidator(_check_email)] = Field(
        description="Its address: a mailbox of yours that nobody else uses, as workflows may write to it."
    )
    phone: str = Field(default="", description="Its phone, where workflows send texts: a number of yours.")
    every: Annotated[Duration, AfterValidator(_check_every)] = Field(
        default=timedelta(hours=1), description="How often one is sent."
    )
    within: Annotated[Duration, AfterValidator(_check_within)] = Field(
        default=timedelta(minutes=5), description="By when it must have arrived."
    )
    through: tuple[Literal["crm", "chat"], ...] = Field(
        default=("crm", "chat"), description="What must have heard of it, where the stack has it."
    )
    fields: dict[str, str] = Field(default_factory=dict, description="Further fields of the form.")


def named_fields(source_map: Mapping[str, Any], person: Mapping[str, str]) -> dict[str, str]:
    """Return a person as the sender of a mapped source calls the fields; as they are called here without a map."""
    names = {target: key for target, key in source_map.items() if isinstance(key, str) and key[:1] not in "'\""}
    if not names:
        return dict(person)
    full = " ".join(person[part] for part in ("first_name", "last_name") if part in person)
    known = {**person, "name": full}
    return {names[target]: known[target] for target in names if known.get(target)}


def _why_not(kind: SourceKind) -> str:
    """Say why no canary comes by a source of a kind."""
    if kind.is_signed_by_vendor:
        return f"only its vendor can send by it, as {kind.title} signs with a private key that it alone has"
    if kind.fetch is not None:
        return f"only its vendor can send by it, as its notices name a record that must be there at {kind.title}"
    return "no canary is made in its shape"


def read_canary(
    document: Document,
    sources: Mapping[str, SourceEntry],
    connections: Mapping[str, ConnectionEntry],
    roles: Mapping[str, str],
    system_of_record: str,
) -> Canary | None:
    """Return the canary; None where the stack has none."""
    if "canary" not in document.data:
        return None
    table = check(document, ("canary",), CanaryTable, document.data["canary"])
    if table is None:
        return None
    entry = sources.get(table.source)
    if entry is None:
        hint = suggest(table.source, sources) or f"Declared: {', '.join(sources) or 'none'}."
        document.add(("canary", "source"), f'there is no source "{table.source}"', hint)
        return None
    if entry.kind.compose is None:
        message = f'source "{table.source}" is of kind {entry.kind.name}: {_why_not(entry.kind)}'
        hint = "name one of kind form, json or typeform; what follows is the same"
        document.add(("canary", "source"), message, hint)
        return None
    settings: Any = entry.settings
    person = {"first_name": FIRST_NAME, "last_name": LAST_NAME, "email": table.email, "phone": table.phone}
    body = named_fields(settings.map, {key: value for key, value in person.items() if value}) | table.fields
    is_ours = system_of_record in connections and connections[system_of_record].connector.is_builtin
    return Canary(
        table.source,
        table.email,
        table.every,
        table.within,
        partial(entry.kind.compose, settings, body),
        "" if is_ours or "crm" not in table.through else system_of_record,
        roles.get("chat", "") if "chat" in table.through else "",
    )
