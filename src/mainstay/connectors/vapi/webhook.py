"""What Vapi sends to an assistant's server: the report of a call's end, and what else it may tell or ask.

Source: its OpenAPI file (ServerMessage and its answers); github.com/VapiAI/docs, fern/server-url.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from mainstay.connectors.vapi.call import is_inbound, person_of, state_of
from mainstay.connectors.vapi.settings import VapiSource
from mainstay.kit import Event, MalformedError, NotAuthenticError, RawRequest, Reply
from mainstay.kit.calling import call_event, mapping, number_of
from mainstay.kit.payload import as_object, moment, read_object, text
from mainstay.kit.secrets import is_one_of, plain
from mainstay.kit.signature import equal, from_epoch, hmac_hex, require_fresh, require_header

REPORT = "end-of-call-report"
_MILLISECONDS = 100_000_000_000
_MOST_TOOLS = 50
_NOT_HERE = "this is not supported here"


def verify(request: RawRequest, settings: VapiSource) -> str:
    """Check the token of the credential, or its HMAC over the body."""
    if settings.signed_by == "hmac":
        return _verify_hmac(request, settings)
    given = request.headers.get("x-vapi-secret") or request.headers.get("authorization")
    token = require_header(given, "X-Vapi-Secret (or Authorization)")
    kind, _, rest = token.partition(" ")
    bare = rest.strip() if kind.lower() == "bearer" and rest else token
    if not is_one_of(bare, settings.secret):
        raise NotAuthenticError("the token does not fit: compare secret with the credential at Vapi")
    return "secret ok"


def _verify_hmac(request: RawRequest, settings: VapiSource) -> str:
    name = settings.header or "x-signature"
    given = require_header(request.headers.get(name.lower()), name).strip()
    given = given.removeprefix(f"{settings.algorithm}=")
    stamp = ""
    if settings.timestamp_header:
        stamp = require_header(request.headers.get(settings.timestamp_header.lower()), settings.timestamp_header)
    head, _, tail = settings.payload.replace("{timestamp}", stamp).partition("{body}")
    message = head.encode(errors="replace") + request.body + tail.encode(errors="replace")
    if not any(equal(given, hmac_hex(secret, message, settings.algorithm)) for secret in plain(settings.secret)):
        raise NotAuthenticError(f"{name} does not fit: another secret or payload form, or a changed body")
    if stamp:
        # Digits first: as ISO 8601 some of them are a day long ago.
        is_number = stamp.isascii() and stamp.isdigit()
        written = None if is_number else moment(stamp)
        is_long = is_number and int(stamp[:20]) > _MILLISECONDS
        sent_at = written or from_epoch(stamp if is_number else "", milliseconds=is_long)
        require_fresh(sent_at, request.received_at, settings.tolerance)
    return "signature ok"


def _message(request: RawRequest) -> dict[str, Any]:
    return as_object(read_object(request.body).get("message"), "message")


def answer(request: RawRequest, settings: VapiSource) -> Reply | None:
    """Answer what wants an answer, and take note of a call's chatter without keeping it; a report is a delivery."""
    try:
        message = _message(request)
        kind = text(message.get("type"))
        if kind not in _ANSWERS and not kind.startswith(_CHATTER):
            return None
        verify(request, settings)
    except (MalformedError, NotAuthenticError):
        return None  # As a delivery it is refused with the reason.
    told = _ANSWERS.get(kind, _nothing)(message)
    return Reply(200, orjson.dumps(told), "application/json; charset=utf-8")


def _tool_results(message: Mapping[str, Any]) -> dict[str, Any]:
    calls = message.get("toolCallList")
    ids = [text(mapping(each).get("id")) for each in (calls if isinstance(calls, list) else [])[:_MOST_TOOLS]]
    return {"results": [{"toolCallId": each, "error": _NOT_HERE} for each in ids if each]}


def _spoken(_message: Mapping[str, Any]) -> dict[str, Any]:
    # Vapi speaks this text to whoever phoned.
    return {"error": "Sorry, we cannot take your call at the moment. Please try again later."}


def _refused(_message: Mapping[str, Any]) -> dict[str, Any]:
    return {"error": _NOT_HERE}


def _nothing(_message: Mapping[str, Any]) -> dict[str, Any]:
    return {}


_ANSWERS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "tool-calls": _tool_results,
    "function-call": _refused,
    "assistant-request": _spoken,
    "transfer-destination-request": _refused,
    "handoff-destination-request": _refused,
    "knowledge-base-request": lambda _message: {"documents": []},
    "call.endpointing.request": _nothing,
    "voice-request": _nothing,
}
# What is told many times within one call, and is in its report at the end.
_CHATTER = (
    "assistant.", "conversation-update", "language-change", "model-output", "speech-update", "transcript",
    "user-interrupted", "voice-input",
)  # fmt: skip


def delivery_key(request: RawRequest, _settings: VapiSource) -> str:
    """Return the call's id with the report's name; empty for anything else, which may come many times."""
    try:
        message = _message(request)
    except MalformedError:
        return ""
    return _key(message) if text(message.get("type")) == REPORT else ""


def _key(message: Mapping[str, Any]) -> str:
    call = text(mapping(message.get("call")).get("id"))[:100]
    return f"{call}:{text(message.get('type'))[:60]}" if call else ""


def parse(request: RawRequest, _settings: VapiSource) -> Sequence[Event]:
    """Give one ``call.ended`` of the person who was phoned, or who phoned; other messages are named as unsupported.

    Its data: a CallState's fields, ``direction`` (``inbound`` or ``outbound``), ``to`` or ``from`` (the person's
    number) and ``agent`` (the assistant's id).
    """
    message = _message(request)
    kind, at = text(message.get("type")), _sent_at(message)
    key = _key(message)
    if kind != REPORT:
        return [Event("unsupported", key=key, time=at, reason=f"message {kind[:60] or 'without a type'}")]
    call = as_object(message.get("call"), "message.call")
    state = state_of(call, message)
    if not state.id:
        raise MalformedError("message.call has no id: this is no report of a call")
    person, inbound = person_of(call, message), is_inbound(call)
    return [
        call_event(
            "call.ended",
            state,
            key=key,
            person=person,
            at=moment(text(message.get("endedAt"))) or at,
            direction="inbound" if inbound else "outbound",
            agent=text(call.get("assistantId")),
            **{"from" if inbound else "to": person},
        )
    ]


def _sent_at(message: Mapping[str, Any]) -> datetime | None:
    number = number_of(message.get("timestamp"))
    try:
        return datetime.fromtimestamp(number / 1000, UTC) if number else None
    except (ValueError, OverflowError, OSError):
        return None
