"""What SendGrid reports of mails. Source: twilio.com/docs/sendgrid, Event Webhook Reference and its security."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256

from mainstay.connectors.sendgrid.settings import SendgridSource, read_key
from mainstay.kit import Event, MalformedError, NotAuthenticError, RawRequest
from mainstay.kit.mail_events import Outcome
from mainstay.kit.payload import as_list, as_object, moment, read_json, text
from mainstay.kit.signature import from_epoch, require_fresh, require_header

SIGNATURE = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP = "X-Twilio-Email-Event-Webhook-Timestamp"
MAX_EVENTS = 1_000
_OUTCOMES: dict[str, Outcome] = {
    "bounce": "bounced",
    "dropped": "dropped",
    "spamreport": "complained",
    "unsubscribe": "unsubscribed",
    # Of one list only; to stop where somebody asked for less is better than to go on where they asked for more.
    "group_unsubscribe": "unsubscribed",
    "delivered": "delivered",
    "open": "opened",
    "click": "clicked",
}


def verify(request: RawRequest, settings: SendgridSource) -> str:
    """Check the ECDSA signature over timestamp and raw body."""
    given = require_header(request.headers.get(SIGNATURE.lower()), SIGNATURE)
    timestamp = require_header(request.headers.get(TIMESTAMP.lower()), TIMESTAMP)
    signed = timestamp.encode(errors="surrogatepass") + request.body
    try:
        signature = base64.b64decode(given, validate=True)
        read_key(settings.public_key).verify(signature, signed, ECDSA(SHA256()))
    except (InvalidSignature, binascii.Error, ValueError):
        raise NotAuthenticError(
            f"{SIGNATURE} does not fit: compare public_key with the webhook's Verification Key"
        ) from None
    require_fresh(from_epoch(timestamp), request.received_at, settings.tolerance)
    return "signature ok"


def delivery_key(request: RawRequest, _settings: SendgridSource) -> str:
    """Return a digest of the events' ids, as a batch has none of its own; empty where an event has no id."""
    try:
        told = read_json(request.body)
    except MalformedError:
        return ""
    ids = [text(each.get("sg_event_id")) if isinstance(each, dict) else "" for each in told] if _is_batch(told) else []
    if not ids or not all(ids):
        return ""
    return ids[0] if len(ids) == 1 else hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()


def parse(request: RawRequest, settings: SendgridSource) -> Sequence[Event]:
    """Give an event of each report; its data: ``message``, ``kind``, ``reason`` and, of our own mails, ``step``."""
    told = as_list(read_json(request.body), "the body")
    if not told or len(told) > MAX_EVENTS:
        raise MalformedError(f"the body has {len(told)} events; 1 to {MAX_EVENTS} are taken at once")
    return [_event(as_object(each, f"event {number + 1}"), settings) for number, each in enumerate(told)]


def _event(told: Mapping[str, Any], settings: SendgridSource) -> Event:
    kind, key, address = text(told.get("event")), text(told.get("sg_event_id")), text(told.get("email"))
    outcome = _OUTCOMES.get(kind)
    if outcome is None:
        return Event("unsupported", key=key, reason=f"event {kind[:60] or 'is missing'}")
    if not address:
        raise MalformedError(f"the event {kind} has no email")
    data = {
        "message": text(told.get("sg_message_id")),
        "kind": text(told.get("type")),
        "reason": text(told.get("reason")) or text(told.get("response")),
        "step": text(told.get("mainstay_key")),
    }
    known = {name: value for name, value in data.items() if value}
    # Up to the first dot it is the id that sending answered; the rest is of SendGrid's inside.
    message = data["message"].partition(".")[0]
    at = moment(told.get("timestamp"))
    return settings.event(outcome, address, key=key, time=at, data=known, message=message)


def _is_batch(told: Any) -> bool:
    return isinstance(told, list) and len(told) <= MAX_EVENTS
