"""What Retell tells of a call: that it ended, and later what its analysis made of it.

Source: docs.retellai.com/features/webhook; the signature as in
github.com/RetellAI/retell-python-sdk, src/retell/lib/webhook_auth.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from mainstay.connectors.retell.call import ended_at, is_inbound, person_of, state_of
from mainstay.connectors.retell.settings import RetellSource
from mainstay.kit import Event, MalformedError, NotAuthenticError, RawRequest
from mainstay.kit.calling import call_event, mapping
from mainstay.kit.payload import as_object, object_in, read_object, text
from mainstay.kit.secrets import plain
from mainstay.kit.signature import equal, from_epoch, hmac_hex, require_fresh, require_header

TOLERANCE = timedelta(minutes=5)
_HEADER = re.compile(r"v=(\d{1,17}),d=([0-9a-fA-F]+)")
_EVENTS = {"call_ended": "call.ended", "call_analyzed": "call.analyzed"}


def verify(request: RawRequest, settings: RetellSource) -> str:
    """Check ``X-Retell-Signature``: ``v=<ms>,d=<hex>`` over the body and the time, at most five minutes old."""
    header = require_header(request.headers.get("x-retell-signature"), "X-Retell-Signature")
    parts = _HEADER.fullmatch(header.strip())
    if parts is None:
        raise NotAuthenticError("X-Retell-Signature has not the form v=...,d=...")
    stamp, given = parts[1], parts[2].lower()
    if not any(equal(given, hmac_hex(key, request.body + stamp.encode())) for key in plain(settings.api_key)):
        raise NotAuthenticError(
            "X-Retell-Signature does not fit: take the API key that has the webhook badge, or the body was changed"
        )
    require_fresh(from_epoch(stamp, milliseconds=True), request.received_at, TOLERANCE)
    return "signature ok"


def delivery_key(request: RawRequest, _settings: RetellSource) -> str:
    """Return the event's name and the call's id; empty for what may come several times in one call."""
    body = object_in(request.body)
    return _key(body) if text(body.get("event")) in _EVENTS else ""


def _key(body: Mapping[str, Any]) -> str:
    call = text(mapping(body.get("call")).get("call_id"))[:100]
    return f"{call}:{text(body.get('event'))[:60]}" if call else ""


def parse(request: RawRequest, _settings: RetellSource) -> Sequence[Event]:
    """Give one ``call.ended`` of the person who was phoned, or who phoned; and later one ``call.analyzed``.

    Their data: a CallState's fields (the summary, and whether a machine listened, in the later one), ``direction``
    (``inbound`` or ``outbound``), ``to`` or ``from`` (the person's number) and ``agent`` (the agent's id).
    """
    body = read_object(request.body)
    kind, key = text(body.get("event")), _key(body)
    if kind not in _EVENTS:
        return [Event("unsupported", key=key, reason=f"event {kind[:60] or 'without a name'}")]
    call = as_object(body.get("call"), "call")
    state = state_of(call, has_ended=True)
    if not state.id:
        raise MalformedError("call has no call_id: this is no report of a call")
    person, inbound = person_of(call), is_inbound(call)
    return [
        call_event(
            _EVENTS[kind],
            state,
            key=key,
            person=person,
            at=ended_at(call),
            direction="inbound" if inbound else "outbound",
            agent=text(call.get("agent_id")),
            **{"from" if inbound else "to": person},
        )
    ]
