"""Reading one HubSpot contact; the role and the source share it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mainstay.kit import Http, PermanentError, Response, Submission, TransientError
from mainstay.kit.opting import opts_out

CONTACTS = "/crm/v3/objects/contacts"
SEARCH_LAG = 30.0
OPT_OUT = "hs_email_optout"
STANDARD = ("email", "phone", "firstname", "lastname", "company")
ID = re.compile(r"\d{1,20}", re.ASCII)


def path(external_id: str) -> str:
    """Return the contact's path; raise PermanentError for what is no id."""
    if not ID.fullmatch(external_id):
        raise PermanentError(f"{external_id[:80]!r} is not the id of a HubSpot contact, which is a number")
    return f"{CONTACTS}/{external_id}"


def record_in(response: Response) -> Mapping[str, Any]:
    """Return the record of an answer: its id and properties are there and of the right type."""
    data = response.data
    if isinstance(data, dict) and isinstance(data.get("id"), str) and isinstance(data.get("properties"), dict):
        return data
    raise TransientError(f"{response.status}: the answer has no record in it", status=response.status, unsure=True)


def require_json(response: Response) -> None:
    """Refuse a success without the vendor's own answer: a proxy's page with status 200 has done nothing."""
    if not isinstance(response.data, dict):
        raise TransientError(f"{response.status}: the answer is not JSON", status=response.status, unsure=True)


def value_of(record: Mapping[str, Any], name: str) -> str:
    """Return a property as text; empty where it has no value."""
    value = record["properties"].get(name)
    return value if isinstance(value, str) else ""


def split_tags(value: str) -> list[str]:
    """Return the tags that a property holds, separated by semicolons."""
    return [tag for part in value.split(";") if (tag := part.strip())]


def asked_properties(properties: Mapping[str, str], tag_property: str) -> list[str]:
    """Return the properties that a read asks for."""
    return [*STANDARD, OPT_OUT, *properties.values(), *([tag_property] if tag_property else [])]


def to_submission(record: Mapping[str, Any], *, properties: Mapping[str, str], tag_property: str) -> Submission:
    """Read a record. ``connection`` is the caller's to fill."""
    custom = {key: found for key, name in properties.items() if (found := value_of(record, name))}
    is_opted_out = opts_out(value_of(record, OPT_OUT)) or opts_out(custom.pop("do_not_contact", ""))
    return Submission(
        email=value_of(record, "email"),
        phone=value_of(record, "phone"),
        first_name=value_of(record, "firstname"),
        last_name=value_of(record, "lastname"),
        company=value_of(record, "company"),
        source=custom.pop("source", ""),
        tags=tuple(split_tags(value_of(record, tag_property))) if tag_property else (),
        custom=custom,
        do_not_contact=is_opted_out,
        external_id=str(record["id"]),
    )


async def read_contact(
    http: Http, external_id: str, *, properties: Mapping[str, str], tag_property: str
) -> Submission | None:
    """Read one contact; None when it does not exist (any more). ``connection`` is the caller's to fill."""
    names = ",".join(asked_properties(properties, tag_property))
    response = await http.request("GET", path(external_id), params={"properties": names}, accept=(404,))
    if response.status == 404:
        return None
    found = to_submission(record_in(response), properties=properties, tag_property=tag_property)
    return replace(found, external_id=external_id)
