"""What Bland tells when a call ended: the whole call.

Source: docs.bland.ai/tutorials/webhook-signing. Bland's sample signs the JSON as JavaScript writes it anew, so that
form is tried beside the bytes that came. It signs no time: a replay is known by the call's id alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from mainstay.connectors.bland.call import ended_at, is_inbound, person_of, state_of
from mainstay.connectors.bland.settings import BlandSource
from mainstay.kit import Event, MalformedError, NotAuthenticError, RawRequest
from mainstay.kit.calling import call_event
from mainstay.kit.payload import object_in, read_object, text
from mainstay.kit.secrets import plain
from mainstay.kit.signature import equal, hmac_hex, require_header


def verify(request: RawRequest, settings: BlandSource) -> str:
    """Check ``X-Webhook-Signature``: the hex HMAC-SHA256 of the body, as it came or as compact JSON."""
    given = require_header(request.headers.get("x-webhook-signature"), "X-Webhook-Signature").strip().lower()
    for body in _forms(request.body):
        if any(equal(given, hmac_hex(secret, body)) for secret in plain(settings.secret)):
            return "signature ok"
    raise NotAuthenticError("X-Webhook-Signature does not fit: another signing secret, or a changed body")


def _forms(body: bytes) -> Iterator[bytes]:
    yield body
    try:
        compact = orjson.dumps(read_object(body))
    except (MalformedError, orjson.JSONEncodeError):
        return
    if compact != body:
        yield compact


def delivery_key(request: RawRequest, _settings: BlandSource) -> str:
    """Return the id of a call that ended; empty for what may come several times in one call."""
    call = object_in(request.body)
    return _key(call) if state_of(call).status == "ended" else ""


def _key(call: Mapping[str, Any]) -> str:
    return state_of(call).id[:100]


def parse(request: RawRequest, _settings: BlandSource) -> Sequence[Event]:
    """Give one ``call.ended`` of the person who was phoned, or who phoned.

    Its data: a CallState's fields, ``direction`` (``inbound`` or ``outbound``), ``to`` or ``from`` (the person's
    number) and ``agent`` (the pathway's id).
    """
    call = read_object(request.body)
    state, key = state_of(call), _key(call)
    if state.status != "ended":
        kind = text(call.get("category")) or text(call.get("event")) or text(call.get("status"))
        return [Event("unsupported", key=key, reason=f"news of a call under way {kind[:60]}".strip())]
    if not state.id:
        raise MalformedError("the body has no call_id: this is no report of a call")
    person, inbound = person_of(call), is_inbound(call)
    return [
        call_event(
            "call.ended",
            state,
            key=key,
            person=person,
            at=ended_at(call, state.seconds, request.received_at),
            direction="inbound" if inbound else "outbound",
            agent=text(call.get("pathway_id")),
            **{"from" if inbound else "to": person},
        )
    ]
