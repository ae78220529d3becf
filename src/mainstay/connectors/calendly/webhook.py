"""Calendly's webhooks of invitees: booked, cancelled, did not show.

Source: developer.calendly.com: webhook payload, webhook signatures.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field

from mainstay.kit import Event, MalformedError, NotAuthenticError, RawRequest, RecordState
from mainstay.kit.mapping import MappedSettings
from mainstay.kit.payload import as_object, moment, object_in, read_object, text
from mainstay.kit.recording import as_record
from mainstay.kit.secrets import Secrets, plain
from mainstay.kit.signature import equal, from_epoch, hmac_hex, require_fresh, require_header, sha256_hex
from mainstay.kit.spelling import guess

TOLERANCE = timedelta(minutes=3)
_MAX_KEY = 200
_PHONE_QUESTION = re.compile(r"\b(phone|mobile|cell|telephone|tel|whatsapp|number to (?:call|reach))\b", re.IGNORECASE)
_PHONE_ANSWER = re.compile(r"^[+(]?\d[\d\s().+/x-]{5,24}$", re.IGNORECASE)
_BOOKED, _CANCELLED, _NO_SHOW = "invitee.created", "invitee.canceled", "invitee_no_show."
_HANDLED = {
    _BOOKED: "contact.submitted",
    _CANCELLED: "appointment.cancelled",
    "invitee_no_show.created": "appointment.no_show",
    "invitee_no_show.deleted": "appointment.updated",
}
_STATUS = {
    _BOOKED: "booked",
    _CANCELLED: "cancelled",
    "invitee_no_show.created": "no_show",
    "invitee_no_show.deleted": "booked",
}
_INVITEE = {"email": "email", "name": "name", "first_name": "first_name", "last_name": "last_name"}


class CalendlySettings(MappedSettings):
    """One Calendly webhook subscription. ``map`` takes invitee fields, ``event_*`` keys and questions."""

    signing_key: Secrets = Field(description="The signing_key given when the webhook subscription was created.")


def verify(request: RawRequest, settings: CalendlySettings) -> str:
    """Check ``Calendly-Webhook-Signature``: ``t=<seconds>,v1=<hex>`` over ``t.body``, at most three minutes old."""
    header = require_header(request.headers.get("calendly-webhook-signature"), "Calendly-Webhook-Signature")
    parts = [part.strip().partition("=") for part in header.split(",")]
    timestamp = next((value for name, _, value in parts if name == "t"), "")
    given = [value for name, _, value in parts if name == "v1"]
    if not timestamp or not given:
        raise NotAuthenticError("Calendly-Webhook-Signature lacks t= or v1=")
    message = timestamp.encode() + b"." + request.body
    expected = [hmac_hex(key, message) for key in plain(settings.signing_key)]
    if not any(equal(one, other) for one in given for other in expected):
        raise NotAuthenticError("Calendly-Webhook-Signature does not fit: another signing key, or a changed body")
    require_fresh(from_epoch(timestamp), request.received_at, TOLERANCE)
    return "signature ok"


def delivery_key(request: RawRequest, _settings: CalendlySettings) -> str:
    """Return the event's name and the invitee's URI; empty when there is no URI."""
    return _key(object_in(request.body))


def _key(body: dict[str, Any]) -> str:
    payload = body.get("payload")
    uri = text(payload.get("uri")) if isinstance(payload, dict) else ""
    key = f"{text(body.get('event'))}:{uri}" if uri else ""
    return key if len(key) <= _MAX_KEY else sha256_hex(key.encode())


def parse(request: RawRequest, settings: CalendlySettings) -> Sequence[Event]:
    """Give the invitee of a booking as ``contact.submitted``, and what becomes of it later.

    That is ``appointment.cancelled``, ``appointment.rescheduled``, ``appointment.no_show`` and, where that was taken
    back, ``appointment.updated``. Their data: ``invitee`` and ``scheduled_event`` (addresses at Calendly),
    ``start_time``, ``rescheduled_from``; of what comes later also ``rescheduled_to`` and ``reason``. A reschedule is
    one appointment cancelled and another booked.
    """
    body = read_object(request.body)
    key, kind = _key(body), text(body.get("event"))
    sent_at = moment(body.get("created_at"))
    if kind not in _HANDLED:
        return [Event(type="unsupported", key=key, time=sent_at, reason=f"event {kind or 'is missing'}"[:100])]
    invitee = as_object(body.get("payload"), "payload")
    if kind.startswith(_NO_SHOW):
        # It names the invitee alone; what was booked is known.
        invitee = {"uri": text(invitee.get("invitee")) or text(invitee.get("uri"))}
    booking = _object(invitee.get("scheduled_event"))
    data = {
        "invitee": text(invitee.get("uri")),
        "scheduled_event": text(booking.get("uri")) or text(invitee.get("event")),
        "start_time": text(booking.get("start_time")),
        "rescheduled_from": text(invitee.get("old_invitee")),
    }
    record = _appointment(kind, invitee, data, sent_at)
    if kind == _BOOKED:
        flat, hints = _flatten(invitee)
        submission = settings.mapping.apply(flat, hints=hints, occurred_at=sent_at)
        return [Event("contact.submitted", key=key, time=sent_at, submission=submission, data=data, record=record)]
    if not data["invitee"]:
        raise MalformedError("the payload has no uri of an invitee: it is no event of Calendly's")
    is_moved = invitee.get("rescheduled") is True or bool(text(invitee.get("new_invitee")))
    happened = "appointment.rescheduled" if kind == _CANCELLED and is_moved else _HANDLED[kind]
    data |= {
        "rescheduled_to": text(invitee.get("new_invitee")),
        "reason": text(_object(invitee.get("cancellation")).get("reason")),
    }
    return [Event(happened, key=key, time=sent_at, data=data, record=record)]


def _appointment(
    kind: str, invitee: Mapping[str, Any], told: Mapping[str, str], at: datetime | None
) -> RecordState | None:
    """Return how an invitee's appointment stands: each of several in one event comes, or cancels, alone."""
    booking = _object(invitee.get("scheduled_event"))
    hosts = booking.get("event_memberships")
    host = _object(hosts[0]) if isinstance(hosts, list) and hosts else {}
    location = _object(booking.get("location"))
    fields = {"status": _STATUS[kind]}
    if booking:
        fields |= {
            "title": text(booking.get("name")),
            "starts_at": text(booking.get("start_time")),
            "ends_at": text(booking.get("end_time")),
            "location": text(location.get("location")) or text(location.get("join_url")) or text(location.get("type")),
            "host": text(host.get("user_email")),
            "url": text(invitee.get("reschedule_url")),
        }
    custom = {
        "scheduled_event": told["scheduled_event"],
        "rescheduled_from": told["rescheduled_from"],
        "rescheduled_to": text(invitee.get("new_invitee")),
        "cancellation_reason": text(_object(invitee.get("cancellation")).get("reason")),
    }
    return as_record("appointment", told["invitee"], fields, custom=custom, at=at)


def _flatten(invitee: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Put the invitee, the booking and the answers into one payload, and say which key is which field."""
    flat: dict[str, Any] = {key: invitee.get(key) for key in (*_INVITEE, "text_reminder_number", "timezone")}
    hints: dict[str, str] = {key: target for key, target in _INVITEE.items() if text(flat[key])}
    if "first_name" in hints or "last_name" in hints:
        hints.pop("name", None)
        flat.pop("name")
    if text(flat["text_reminder_number"]):
        hints["text_reminder_number"] = "phone"
    booking = _object(invitee.get("scheduled_event"))
    for key in ("name", "start_time", "end_time"):
        flat[f"event_{key.removesuffix('_time')}"] = booking.get(key)
    location = _object(booking.get("location"))
    # Of the kinds of place only an outbound call holds the invitee's own number; an inbound one holds the host's.
    if text(location.get("type")) == "outbound_call" and text(location.get("location")):
        flat["event_phone"] = location.get("location")
        hints["event_phone"] = "phone"
    for question, answer in _answers(invitee.get("questions_and_answers")):
        if question in flat:
            continue
        flat[question] = answer
        known = guess(question)
        if known is not None and known[0] == "company":
            hints[question] = "company"
        elif _PHONE_ANSWER.match(answer) and (_PHONE_QUESTION.search(question) or (known and known[0] == "phone")):
            hints[question] = "phone"
    for key, value in _object(invitee.get("tracking")).items():
        flat.setdefault(key, value)
    return flat, hints


def _answers(entries: Any) -> Iterator[tuple[str, str]]:
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and text(entry.get("question")) and text(entry.get("answer")):
            yield text(entry.get("question")), text(entry.get("answer"))


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
