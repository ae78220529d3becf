"""What Salesforce's error codes mean: an array of ``{errorCode, message, fields}``, mostly with status 400 or 403.

Source: developer.salesforce.com, REST API Developer Guide, status codes and error responses; SOAP API, core data types.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mainstay.kit import NeedsHumanError, PermanentError, Response, TransientError, VendorError, classify

LOCKED_WAIT, BUSY_WAIT, CONCURRENT_WAIT, USUAL_WAIT = 2.0, 60.0, 5.0, 10.0
EXHAUSTED_WAIT = 900.0
_FORBIDDEN, _TOO_MANY = 403, 429
_ENTRY = (
    "Check that the token is of this org and not revoked: connect anew (mainstay connect), or give a new access_token"
)
_RIGHTS = "Check the token's user: its profile or permission set needs to read and edit the object and its fields"
_FIELD = (
    "make the field in Setup > Object Manager, or let the token's user see it (field-level security), or take it out "
    "of the connection in stack.toml"
)
_HUMAN = {
    "INVALID_SESSION_ID": _ENTRY,
    "INVALID_AUTH_HEADER": _ENTRY,
    "INVALID_GRANT": _ENTRY,
    "API_DISABLED_FOR_ORG": "Check the org's edition and the token's user: API Enabled is missing",
    "API_CURRENTLY_DISABLED": "Check the org's edition and the token's user: API Enabled is missing",
    "INSUFFICIENT_ACCESS": _RIGHTS,
    "INSUFFICIENT_ACCESS_OR_READONLY": _RIGHTS,
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": _RIGHTS,
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": "a trigger or flow of the org failed: its administrator can mend it",
    "INVALID_TYPE": _RIGHTS,
    "INVALID_FIELD": _FIELD,
    "INVALID_FIELD_FOR_INSERT_UPDATE": _FIELD,
    "REQUIRED_FIELD_MISSING": "the org demands this field: fill it by `fields` in stack.toml, or by a default in Setup",
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": "add the value to the picklist, or untick its restriction, in Setup",
    "STORAGE_LIMIT_EXCEEDED": "the org is full: free some of its storage, or buy more",
    "UNSUPPORTED_API_VERSION": "this org has no such version of the API: set api_version",
}
_PERMANENT = {
    "STRING_TOO_LONG": "shorten it, or make the field longer in Setup",
    "INVALID_EMAIL_ADDRESS": "correct the contact's e-mail",
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": "a validation rule of the org refuses it: correct the contact, or the rule",
    "FIELD_FILTER_VALIDATION_EXCEPTION": "a filter of the org refuses it: correct the contact, or the filter",
    "DUPLICATES_DETECTED": "a duplicate rule of the org blocks it: merge the two there, or let the rule allow it",
    "CANNOT_UPDATE_CONVERTED_LEAD": "the lead became a contact there, and can be changed no more",
    "DUPLICATE_VALUE": "another record has this value in a field that is unique",
}
_WAITS = {
    "UNABLE_TO_LOCK_ROW": LOCKED_WAIT,
    "SERVER_UNAVAILABLE": BUSY_WAIT,
    "FUNCTIONALITY_TEMPORARILY_UNAVAILABLE": BUSY_WAIT,
    "TXN_SECURITY_METERING_ERROR": BUSY_WAIT,
    "QUERY_TIMEOUT": BUSY_WAIT,
    "REQUEST_RUNNING_TOO_LONG": BUSY_WAIT,
    "TOO_MANY_APEX_REQUESTS": CONCURRENT_WAIT,
}


def problems(response: Response) -> list[Mapping[str, Any]]:
    """Return the errors of an answer, each an object with a text as its ``errorCode``; none for any other answer."""
    data = response.data
    found: Sequence[Any] = data if isinstance(data, list) else (data,)
    return [each for each in found if isinstance(each, dict) and isinstance(each.get("errorCode"), str)]


def codes(response: Response) -> list[str]:
    """Return the codes of an answer's errors."""
    return [str(each["errorCode"]) for each in problems(response)]


def fields(response: Response, code: str) -> list[str]:
    """Return the fields that an answer complains of with this code."""
    found: list[str] = []
    for each in problems(response):
        named = each.get("fields")
        if each["errorCode"] == code and isinstance(named, list):
            found += [name for name in named if isinstance(name, str)]
    return found


def classify_answer(response: Response) -> VendorError | None:
    """Judge an answer by its error codes, else by its status."""
    refusal = classify(response)
    status = response.status
    if refusal is None:
        if status == 204 or isinstance(response.data, dict):
            return None
        text = f"{status}: the answer is not one of Salesforce's; is instance_url right?"
        return TransientError(text, status=status, unsure=True)
    found = problems(response)
    code = str(found[0]["errorCode"]) if found else ""
    text = f"Salesforce {code}: {_told(found)}" if found else str(refusal)
    if code == "REQUEST_LIMIT_EXCEEDED":
        return _exhausted(text, response)
    if code in _WAITS or isinstance(refusal, TransientError):
        usual = _WAITS.get(code) or (USUAL_WAIT if status == _TOO_MANY else None)
        return TransientError(text, status=status, retry_after=response.retry_after or usual, unsure=refusal.unsure)
    if code in _PERMANENT:
        return PermanentError(f"{text}; {_PERMANENT[code]}", status=status)
    if code in _HUMAN or isinstance(refusal, NeedsHumanError):
        mend = _HUMAN.get(code) or (_RIGHTS if status == _FORBIDDEN else _ENTRY)
        return NeedsHumanError(f"{text}. {mend}", status=status)
    return PermanentError(text, status=status)


def _exhausted(text: str, response: Response) -> TransientError:
    """Tell too many calls at once, over in seconds, from the org's calls of 24 hours, which come back by and by."""
    if "concurrent" in text.lower():
        return TransientError(text, status=response.status, retry_after=CONCURRENT_WAIT)
    used = response.headers.get("sforce-limit-info", "")
    shown = f" ({used})" if used else ""
    return TransientError(
        f"{text}{shown}: the org's calls of the last 24 hours are used up",
        status=response.status,
        retry_after=response.retry_after or EXHAUSTED_WAIT,
    )


def _told(found: Sequence[Mapping[str, Any]]) -> str:
    texts = [str(each.get("message") or "no message")[:300] for each in found[:3]]
    named = [each["fields"] for each in found[:3] if isinstance(each.get("fields"), list)]
    names = dict.fromkeys(str(name)[:80] for one in named for name in one)
    return "; ".join(texts) + (f" (fields: {', '.join(names)})" if names else "")
