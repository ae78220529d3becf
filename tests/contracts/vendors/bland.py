"""Bland: written by hand after docs.bland.ai, for there is no vendor contract. It proves what was read, no more."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from openapi_schema_validator import OAS31Validator

from tests.contracts.contract import Sent

_TEXT, _MAYBE_TEXT = {"type": "string"}, {"type": ["string", "null"]}
_FREE: Mapping[str, Any] = {"type": "object"}


def _object(required: tuple[str, ...], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(required),
        "properties": properties,
        "additionalProperties": False,
    }


# docs.bland.ai/api-v1/post/calls, the fields that the connector has a use for.
_SEND = _object(
    ("phone_number",),
    phone_number={"type": "string", "pattern": r"^\+[1-9]\d{6,14}$"},
    pathway_id=_TEXT,
    task=_TEXT,
    voice=_TEXT,
    webhook=_TEXT,
    max_duration={"type": "integer", "minimum": 1},
    record={"type": "boolean"},
    answered_by_enabled={"type": "boolean"},
    metadata=_FREE,
    request_data=_FREE,
    **{"from": _TEXT},
) | {"oneOf": [{"required": ["pathway_id"]}, {"required": ["task"]}]}
_SENT = _object(("status", "call_id"), status={"const": "success"}, message=_TEXT, call_id=_TEXT, batch_id=_MAYBE_TEXT)
_STOPPED = _object(("status", "message"), status={"const": "success"}, message=_TEXT)
_ERROR = _object(("status", "message"), status={"const": "error"}, message=_TEXT)
_LISTED: Mapping[str, Any] = {
    "call_id": _TEXT,
    "created_at": _TEXT,
    "call_length": {"type": ["number", "null"]},
    "to": _TEXT,
    "from": _TEXT,
    "completed": {"type": "boolean"},
    "queue_status": _TEXT,
    "error_message": _MAYBE_TEXT,
    "answered_by": {"enum": ["human", "voicemail", "unknown", "no-answer", None]},
    "batch_id": _MAYBE_TEXT,
}
_LIST = _object(
    ("calls",),
    count={"type": "integer"},
    total_count={"type": "integer"},
    calls={"type": "array", "items": _object(tuple(_LISTED), **_LISTED)},
)
_CALL = _object(
    ("call_id", "to", "from", "completed", "created_at"),
    **_LISTED,
    c_id=_TEXT,
    status=_TEXT,
    inbound={"type": "boolean"},
    pathway_id=_MAYBE_TEXT,
    request_data=_FREE,
    variables=_FREE,
    metadata=_FREE,
    max_duration={"type": "integer"},
    record={"type": "boolean"},
    recording_url=_MAYBE_TEXT,
    corrected_duration=_TEXT,
    end_at=_TEXT,
    summary=_MAYBE_TEXT,
    concatenated_transcript=_MAYBE_TEXT,
    transcripts={"type": "array", "items": _FREE},
    call_ended_by=_TEXT,
)
_QUERY = frozenset({"ascending", "from", "to", "limit"})
_ID = r"[A-Za-z0-9-]+"
_OPERATIONS: tuple[tuple[str, re.Pattern[str], Mapping[str, Any] | None, Mapping[str, Any]], ...] = (
    ("post", re.compile(r"/v1/calls"), _SEND, _SENT),
    ("get", re.compile(r"/v1/calls"), None, _LIST),
    ("get", re.compile(rf"/v1/calls/{_ID}"), None, _CALL),
    ("post", re.compile(rf"/v1/calls/{_ID}/stop"), None, _STOPPED),
)


def _operation(sent: Sent) -> tuple[Mapping[str, Any] | None, Mapping[str, Any]] | None:
    for method, path, request, answer in _OPERATIONS:
        if method == sent.method and path.fullmatch(sent.path):
            return request, answer
    return None


def _wrong(schema: Mapping[str, Any], body: bytes) -> str:
    try:
        value = json.loads(body)
    except ValueError:
        return f"the body is not JSON: {body[:100]!r}"
    return "; ".join(
        f"{'.'.join(map(str, error.absolute_path)) or 'body'}: {error.message[:200]}"
        for error in OAS31Validator(schema).iter_errors(value)
    )


class BlandChecks:
    """What Bland's documentation says of a call to it."""

    def wrong_request(self, sent: Sent) -> str:
        operation = _operation(sent)
        if operation is None:
            return "the documentation has no such operation"
        if not sent.headers.get("authorization"):
            return "no Authorization header"
        if unknown := {name for name, _ in sent.query} - (_QUERY if sent.method == "get" else frozenset()):
            return f"query {sorted(unknown)} is not documented"
        schema = operation[0]
        return _wrong(schema, sent.body) if schema is not None else "a body was sent" if sent.body else ""

    def wrong_answer(self, sent: Sent, status: int, headers: Mapping[str, str], body: bytes) -> str:
        operation = _operation(sent)
        if status >= 300 or operation is None:
            return _wrong(_ERROR, body)
        # An error may come with status 200.
        return _wrong({"anyOf": [operation[1], _ERROR]}, body)


CHECKS = BlandChecks()
