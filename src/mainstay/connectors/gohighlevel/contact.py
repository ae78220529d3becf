"""A contact in GoHighLevel's own words, read into a Submission; the API and the webhooks share them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from mainstay.kit import MalformedError, Submission
from mainstay.kit.opting import opts_out
from mainstay.kit.payload import MAX_CHARS, as_list, as_object, kind_of, text

FURTHER = ("address1", "city", "state", "postalCode", "country", "website", "timezone", "dateOfBirth", "dnd")


def scalar(record: Mapping[str, Any], key: str) -> str:
    """Return a field as text, empty for null; raise MalformedError that names it for a list or an object."""
    value = record.get(key)
    if isinstance(value, list | dict):
        raise MalformedError(f"{key} should be a text, but is {kind_of(value)}: correct it at the sender")
    return text(value)


def texts(record: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Return a list of texts; the comma-separated form that workflows send is split."""
    value = record.get(key)
    if value is None:
        return ()
    if isinstance(value, str):
        value = value.split(",")
    return tuple(found for item in as_list(value, key) if (found := text(item)))


def flat(value: Any) -> str:
    """Return any field's value as one text: a list comma-separated, an object as JSON."""
    if isinstance(value, list):
        return ", ".join(found for item in value if (found := flat(item)))[:MAX_CHARS]
    if not isinstance(value, dict):
        return text(value)
    try:
        return orjson.dumps(value).decode()[:MAX_CHARS]
    except orjson.JSONEncodeError as error:
        raise MalformedError("a custom field is nested too deeply to be kept") from error


def to_submission(record: Mapping[str, Any], *, connection: str, custom_fields: Mapping[str, str]) -> Submission:
    """Read a contact as the API and the webhooks write it.

    ``custom_fields`` names custom fields: our key to their id; a field without a name keeps its id as key.
    """
    custom = {key: found for key in FURTHER if (found := scalar(record, key))}
    names = {field_id: key for key, field_id in custom_fields.items()}
    for item in as_list(record.get("customFields") or [], "customFields"):
        field = as_object(item, "an entry of customFields")
        field_id, found = scalar(field, "id"), flat(field.get("value"))
        if field_id and found:
            custom[names.get(field_id, field_id)] = found
    return Submission(
        email=scalar(record, "email"),
        phone=scalar(record, "phone"),
        name=scalar(record, "name"),
        first_name=scalar(record, "firstName"),
        last_name=scalar(record, "lastName"),
        company=scalar(record, "companyName"),
        source=scalar(record, "source"),
        tags=texts(record, "tags"),
        custom=custom,
        do_not_contact=opts_out(scalar(record, "dnd")),
        connection=connection,
        external_id=scalar(record, "id"),
    )
