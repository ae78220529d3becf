"""Which keys HighLevel's contact calls take, of what type, and what it says of others."""

from __future__ import annotations

from typing import Any

_TEXT = ("a string", str)
_FLAG = ("a boolean value", bool)
_LIST = ("an array", list)
_OBJECT = ("an object", dict)
_NULLABLE = frozenset(
    [
        "firstName",
        "lastName",
        "name",
        "email",
        "phone",
        "address1",
        "city",
        "state",
        "website",
        "timezone",
        "companyName",
        "dateOfBirth",
        "assignedTo",
        "source",
    ]
)
_UPDATE = {
    **dict.fromkeys(
        [
            "firstName",
            "lastName",
            "name",
            "email",
            "phone",
            "address1",
            "city",
            "state",
            "postalCode",
            "website",
            "timezone",
            "source",
            "country",
            "assignedTo",
        ],
        _TEXT,
    ),
    "dateOfBirth": ("a string", (str, dict)),
    "dnd": _FLAG,
    "dndSettings": _OBJECT,
    "inboundDndSettings": _OBJECT,
    "tags": _LIST,
    "customFields": _LIST,
}
_CREATE = {**_UPDATE, "locationId": _TEXT, "gender": _TEXT, "companyName": _TEXT}
KEYS: dict[str, dict[str, tuple[str, Any]]] = {
    "create": _CREATE,
    "upsert": {**_CREATE, "createNewIfDuplicateAllowed": _FLAG},
    # The contract of the update has neither companyName nor gender, and no locationId.
    "update": _UPDATE,
    "tags": {"tags": _LIST},
    "note": {"body": _TEXT, "userId": _TEXT, "title": _TEXT, "color": _TEXT, "pinned": _FLAG},
}
_REQUIRED = {"create": "locationId", "upsert": "locationId", "tags": "tags", "note": "body"}

SHOWN = frozenset(
    [
        "id",
        "name",
        "locationId",
        "firstName",
        "lastName",
        "email",
        "emailLowerCase",
        "timezone",
        "companyName",
        "phone",
        "dnd",
        "dndSettings",
        "type",
        "source",
        "assignedTo",
        "address1",
        "city",
        "state",
        "country",
        "postalCode",
        "website",
        "tags",
        "dateOfBirth",
        "dateAdded",
        "dateUpdated",
        "firstNameLowerCase",
        "fullNameLowerCase",
        "lastNameLowerCase",
        "customFields",
    ]
)
# The answer of a create in version 2021-07-28 is another schema than that of a read.
SHOWN_ON_CREATE = SHOWN - {"name", "timezone"}


def problems(verb: str, body: object) -> list[str]:
    """Return what HighLevel would object to in a body, in its words; empty when nothing."""
    if not isinstance(body, dict):
        return ["body must be an object"]
    keys = KEYS[verb]
    found = [f"property {key} should not exist" for key in body if key not in keys]
    required = _REQUIRED.get(verb)
    if required is not None and not body.get(required) and body.get(required) != []:
        found.append(f"{required} should not be empty")
    for key, value in body.items():
        if key not in keys or (value is None and key in _NULLABLE):
            continue
        name, kind = keys[key]
        if not isinstance(value, kind):
            found.append(f"{key} must be {name}")
        elif key == "tags" and not all(isinstance(tag, str) for tag in value):
            found.append("each value in tags must be a string")
        elif key == "email" and value and ("@" not in value.strip("@") or " " in value.strip()):
            found.append("email must be an email")
        elif key == "customFields" and not all(isinstance(item, dict) and "id" in item for item in value):
            found.append("customFields.id should not be empty")
    return found
