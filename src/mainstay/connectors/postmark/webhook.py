"""What Postmark reports of mails: bounces, complaints, people who opted out of a stream.

Postmark signs nothing: who sends is known by what the webhook's address or headers carry. Source:
postmarkapp.com/developer/webhooks; what bounces are called: postmarkapp.com/developer/api/bounce-api.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from mainstay.kit import Event, MalformedError, NotAuthenticError, RawRequest
from mainstay.kit.mail_events import MailEventsSettings, Outcome
from mainstay.kit.payload import moment, object_in, read_object, text
from mainstay.kit.proving import require_proof
from mainstay.kit.secrets import Secrets, is_one_of
from mainstay.kit.signature import sha256_hex

# Each with the key of who it is about and that of when.
_REPORTS: Mapping[str, tuple[Outcome, str, str]] = {
    "Bounce": ("bounced", "Email", "BouncedAt"),
    "SpamComplaint": ("complained", "Email", "BouncedAt"),
    "SubscriptionChange": ("unsubscribed", "Recipient", "ChangedAt"),
    "Delivery": ("delivered", "Recipient", "DeliveredAt"),
    "Open": ("opened", "Recipient", "ReceivedAt"),
    "Click": ("clicked", "Recipient", "ReceivedAt"),
}
_OF_A_BOUNCE: Mapping[str, Outcome] = {"SpamComplaint": "complained", "Unsubscribe": "unsubscribed"}
# What Postmark calls a bounce and is a mail that arrived.
_ANSWERS = frozenset({"AddressChange", "AutoResponder", "ChallengeVerification", "OpenRelayTest", "Subscribe"})
_BY_THE_PERSON = "ManualSuppression"


class PostmarkSource(MailEventsSettings):
    """``[sources.NAME]`` with ``kind = "postmark"``: what became of the mails that were sent."""

    secret: Secrets = Field(
        description="What the webhook carries: its password of HTTP Basic, or a header of yours; one or a list.",
        min_length=1,
    )


def verify(request: RawRequest, settings: PostmarkSource) -> str:
    """Check the password of HTTP Basic, whatever the user's name, else the secret in a header or the address."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return require_proof(request, settings.secret)
    try:
        _, _, password = base64.b64decode(given.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        password = ""
    if not password or not is_one_of(password, settings.secret):
        raise NotAuthenticError("the password of HTTP Basic is not this source's secret: compare the webhook's address")
    return "shared secret ok"


def delivery_key(request: RawRequest, _settings: PostmarkSource) -> str:
    """Return a digest of what a report says and when; empty where it cannot be read. Postmark gives it no id."""
    return _key(object_in(request.body))


def _key(body: Mapping[str, Any]) -> str:
    kind = text(body.get("RecordType"))
    _, who, when = _REPORTS.get(kind, ("", "", ""))
    told = (text(body.get(name)) for name in ("RecordType", "ID", "MessageID", "OriginalLink", who, when))
    return sha256_hex("|".join(told).encode(errors="surrogatepass")) if who else ""


def parse(request: RawRequest, settings: PostmarkSource) -> Sequence[Event]:
    """Give the event of one report; its data: ``message`` (Postmark's id), ``subject``, ``kind``, ``reason``, ``step``.

    ``kind`` is Postmark's name of a bounce; ``step`` is ours, of our own mails.
    """
    body = read_object(request.body)
    kind, key = text(body.get("RecordType")), _key(body)
    if kind not in _REPORTS:
        return [Event("unsupported", key=key, reason=f"RecordType {kind[:60] or 'is missing'}")]
    outcome, who, when = _REPORTS[kind]
    if reason := _is_no_news(kind, body):
        return [Event("unsupported", key=key, reason=reason)]
    address, of = text(body.get(who)), text(body.get("Type"))
    if not address:
        raise MalformedError(f"the {kind} has no {who}")
    metadata = body.get("Metadata")
    data = {
        "message": text(body.get("MessageID")),
        "subject": text(body.get("Subject")),
        "kind": of if kind == "Bounce" else "",
        "reason": text(body.get("Details")) or text(body.get("Description")) if kind == "Bounce" else "",
        "step": text(metadata.get("mainstay_key")) if isinstance(metadata, dict) else "",
    }
    known = {name: value for name, value in data.items() if value}
    if kind == "Bounce":
        outcome = _OF_A_BOUNCE.get(of, outcome)
    return [settings.event(outcome, address, key=key, time=moment(body.get(when)), data=known)]


def _is_no_news(kind: str, body: Mapping[str, Any]) -> str:
    """Return why a report changes nothing; empty where it does."""
    if kind == "Bounce" and text(body.get("Type")) in _ANSWERS:
        return f"an answer, not a bounce: {text(body.get('Type'))}"
    if kind != "SubscriptionChange":
        return ""
    if body.get("SuppressSending") is not True:
        return "sending is allowed again, which is no consent"
    reason = text(body.get("SuppressionReason"))
    if reason != _BY_THE_PERSON:
        return f"suppressed for {reason[:60] or 'no reason'}, which is reported by itself"
    if text(body.get("Origin")) != "Recipient":
        return "suppressed by the sender, not by the person"
    return ""
