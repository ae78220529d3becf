"""What Resend reports of mails, signed by Svix. Source: its contract's webhooks, and docs.svix.com."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mainstay.connectors.resend.settings import ResendSource
from mainstay.kit import Event, MalformedError, RawRequest, standard_webhooks
from mainstay.kit.mail_events import Outcome
from mainstay.kit.payload import as_object, moment, read_object, text
from mainstay.kit.secrets import plain

MAX_RECIPIENTS = 50
_OUTCOMES: dict[str, Outcome] = {
    "email.bounced": "bounced",
    "email.failed": "dropped",
    "email.suppressed": "dropped",
    "email.complained": "complained",
    "email.delivered": "delivered",
    "email.opened": "opened",
    "email.clicked": "clicked",
}


def verify(request: RawRequest, settings: ResendSource) -> str:
    """Check ``svix-signature``."""
    standard_webhooks.verify(request, plain(settings.secret), "svix")
    return "signature ok"


def delivery_key(request: RawRequest, _settings: ResendSource) -> str:
    """Return ``svix-id``, the same over re-sends."""
    return standard_webhooks.message_id(request, "svix")


def parse(request: RawRequest, settings: ResendSource) -> Sequence[Event]:
    """Give an event of each recipient; its data: ``message`` (Resend's id), ``subject``, ``kind`` and ``reason``."""
    body = read_object(request.body)
    kind, key = text(body.get("type")), delivery_key(request, settings)
    outcome = _OUTCOMES.get(kind)
    if outcome is None:
        return [Event("unsupported", key=key, reason=f"type {kind[:60] or 'is missing'}")]
    told = as_object(body.get("data"), "data")
    to = told.get("to")
    people = [address for each in (to if isinstance(to, list) else [to]) if (address := text(each))]
    if not people or len(people) > MAX_RECIPIENTS:
        raise MalformedError(f"data.to should be a list of 1 to {MAX_RECIPIENTS} addresses")
    data = {"message": text(told.get("email_id")), "subject": text(told.get("subject")), **_why(told)}
    return [
        settings.event(
            outcome,
            address,
            key=f"{key}:{number}" if key and len(people) > 1 else key,
            time=moment(body.get("created_at")),
            data=data,
            # One mail to several people is a message to each.
            message=f"{data['message']} {address}" if data["message"] and len(people) > 1 else "",
        )
        for number, address in enumerate(people)
    ]


def _why(told: dict[str, Any]) -> dict[str, str]:
    """Return why a mail did not arrive, as far as said: ``kind`` (``Permanent``, ``Transient``) and ``reason``."""
    for name in ("bounce", "suppressed", "failed"):
        said = told.get(name)
        if isinstance(said, dict):
            why = {"kind": text(said.get("type")), "reason": text(said.get("message")) or text(said.get("reason"))}
            return {key: value for key, value in why.items() if value}
    return {}
