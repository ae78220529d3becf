"""The fields that the simulated org has, and what Salesforce objects to in a record."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from mainstay.sandbox.wire import Json

PREFIXES = {"Contact": "003", "Lead": "00Q", "Task": "00T", "Account": "001", "Organization": "00D"}
SYSTEM = ("Id", "IsDeleted", "CreatedDate", "LastModifiedDate", "SystemModstamp")
REQUIRED = {"Contact": ("LastName",), "Lead": ("LastName", "Company"), "Task": ("Status",), "Account": ("Name",)}
_PERSON: dict[str, int | type] = {
    "FirstName": 40,
    "LastName": 80,
    "Email": 80,
    "Phone": 40,
    "MobilePhone": 40,
    "Title": 128,
    "LeadSource": 255,
    "Description": 32_000,
    "HasOptedOutOfEmail": bool,
    "DoNotCall": bool,
}
# Of each field its length, or bool for a checkbox.
FIELDS: dict[str, dict[str, int | type]] = {
    "Contact": _PERSON | {"AccountId": 18},
    "Lead": _PERSON | {"Company": 255, "Status": 40},
    "Task": {"WhoId": 18, "Subject": 255, "Description": 32_000, "Status": 40, "ActivityDate": 10},
    "Account": {"Name": 255},
    "Organization": {"Name": 80, "OrganizationType": 40, "IsSandbox": bool},
}
# Fields that are read and never written.
READ_ONLY = {"Lead": ("IsConverted", "ConvertedContactId"), "Contact": ("Account.Name",)}
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_CUSTOM = 32_000
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"

Error = dict[str, Json]


def error(code: str, message: str, *fields: str) -> Error:
    """Return one error of an answer."""
    return {"errorCode": code, "message": message} | ({"fields": list(fields)} if fields else {})


def whole_id(short: str) -> str:
    """Return an id of 15 characters with the three that make it safe where case is lost."""
    parts = [short[start : start + 5] for start in (0, 5, 10)]
    return short + "".join(_SUFFIX[sum(1 << place for place, c in enumerate(part) if c.isupper())] for part in parts)


def readable(sobject: str, custom: list[str]) -> set[str]:
    """Return the fields that a query may name."""
    own = custom if sobject in {"Contact", "Lead"} else []
    return {*SYSTEM, *FIELDS[sobject], *READ_ONLY.get(sobject, ()), *own}


def objections(
    sobject: str, values: Mapping[str, Json], custom: list[str], picklists: Mapping[str, list[str]], *, new: bool
) -> Iterator[Error]:
    """Yield what Salesforce objects to, the first first."""
    known = dict(FIELDS[sobject]) | (dict.fromkeys(custom, _CUSTOM) if sobject in {"Contact", "Lead"} else {})
    for name, value in values.items():
        longest = known.get(name, 0)
        if name not in known:
            yield error("INVALID_FIELD", f"No such column '{name}' on sobject of type {sobject}")
        elif not isinstance(longest, int):
            if not isinstance(value, bool):
                yield error("JSON_PARSER_ERROR", f"Cannot deserialize instance of boolean from value of {name}")
        elif value is not None and not isinstance(value, str):
            yield error("JSON_PARSER_ERROR", f"Cannot deserialize instance of string from value of {name}")
        elif value and len(value) > longest:
            message = f"{name}: data value too large: {value[:20]}... (max length={longest})"
            yield error("STRING_TOO_LONG", message, name)
        elif value and name == "Email" and not _EMAIL.fullmatch(value):
            yield error("INVALID_EMAIL_ADDRESS", f"Email: invalid email address: {value}", "Email")
        elif value and name in picklists and not set(value.split(";")) <= set(picklists[name]):
            message = f"{name}: bad value for restricted picklist field: {value}"
            yield error("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, name)
    missing = [name for name in REQUIRED[sobject] if not values.get(name) and (new or name in values)]
    if missing:
        yield error("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", *missing)
