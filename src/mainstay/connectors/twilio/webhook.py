"""Messages that people send to a number at Twilio.

Source: twilio.com/docs/messaging/guides/webhook-request; the signature as in github.com/twilio/twilio-python,
twilio/request_validator.py. Twilio signs no time: a replay is known by its MessageSid alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

from mainstay.connectors.twilio.settings import TwilioSource
from mainstay.kit import Event, MalformedError, NotAuthenticError, RawRequest, RecordState, Reply, Submission
from mainstay.kit.opting import texted_wish
from mainstay.kit.recording import message_record
from mainstay.kit.secrets import plain
from mainstay.kit.signature import equal, hmac_base64, require_header, sha256_hex

RECEIPT = Reply(200, b"<Response/>", "text/xml; charset=utf-8")
"""TwiML that says nothing: Twilio sends a plain text back to the person, and logs a warning for JSON."""
MAX_FIELDS = 500
_NUMBER = re.compile(r"\+[1-9]\d{6,14}")
_PLACE = re.compile(r"[^/?#]*")
_DIGEST = re.compile(r"[?&]bodySHA256=([0-9a-fA-F]{64})(?:&|$)")
_PORT = re.compile(r":\d+$")
_MAX_MEDIA = 10
_DEFAULT_PORTS = {"https": 443, "http": 80}
_NOT_DELIVERED = frozenset({"undelivered", "failed"})
_OPTED_OUT = "21610"
# Source: twilio.com/docs/api/errors. These come by a report alone: the message was taken before.
_WHY = {
    "30003": "the phone is off or out of reach",
    "30004": "the carrier or the person blocks it",
    "30005": "the number is unknown or gone",
    "30006": "a landline, or a carrier that cannot be reached",
    "30007": "the carrier filtered it as spam",
    "30008": "the carrier gives no reason",
    _OPTED_OUT: "they texted STOP",
}


def verify(request: RawRequest, settings: TwilioSource) -> str:
    """Check ``X-Twilio-Signature``: HMAC-SHA1 over the public address and the form's sorted fields.

    Of a body that is no form the address has the digest, and is signed alone.
    """
    given = require_header(request.headers.get("x-twilio-signature"), "X-Twilio-Signature")
    found = _DIGEST.search(request.url)
    digest = found[1] if found else ""
    if digest and not equal(digest, sha256_hex(request.body)):
        raise NotAuthenticError("the body is not the one whose bodySHA256 the address has")
    fields = "" if digest else "".join(name + value for name, value in sorted(set(_pairs(request))))
    if not any(
        equal(given, hmac_base64(token, (url + fields).encode(errors="surrogatepass"), "sha1"))
        for token in plain(settings.auth_token)
        for url in _signed_addresses(request.url)
    ):
        raise NotAuthenticError(
            "X-Twilio-Signature does not fit: compare auth_token (an API key's secret does not do), and the public "
            f"address ({request.url.partition('?')[0]}) with the one in the number's settings"
        )
    return "signature ok"


def _pairs(request: RawRequest) -> list[tuple[str, str]]:
    try:
        return parse_qsl(request.body.decode(errors="replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise NotAuthenticError(f"the form has more than {MAX_FIELDS} fields") from error


def _signed_addresses(url: str) -> list[str]:
    """Return the address with and without its port: which of the two Twilio signs differs."""
    scheme, _, rest = url.partition("://")
    place = _PLACE.match(rest)
    host = place[0] if place else ""
    bare = _PORT.sub("", host)
    other = bare if bare != host else f"{host}:{_DEFAULT_PORTS.get(scheme, 443)}"
    return [url, f"{scheme}://{other}{rest[len(host) :]}"]


def delivery_key(request: RawRequest, _settings: TwilioSource) -> str:
    """Return the message's SID, with its state in a report of a state; empty where there is none."""
    try:
        fields = dict(_pairs(request))
    except NotAuthenticError:
        return ""
    return _key(fields)


def parse(request: RawRequest, _settings: TwilioSource) -> Sequence[Event]:
    """Give one ``message.received`` of who wrote; STOP is an opt-out and START lifts one.

    Its data: ``text``, ``from``, ``to``, ``message`` (Twilio's SID) and ``media`` (addresses of pictures). Of a message
    of ours that did not arrive, ``message.bounced``: ``channel``, ``address``, ``message``, ``kind`` (Twilio's code),
    ``reason``.
    """
    fields = dict(_pairs(request))
    key, sender = _key(fields), fields.get("From", "").strip()
    if not key or not sender:
        raise MalformedError(
            "the form has no MessageSid and From: it is no message. Enter this address at the number under "
            "Messaging, A message comes in, HTTP POST."
        )
    state, to = _state(fields), fields.get("To", "")
    sid = _sid(fields)
    if state:
        said = {"sender": sender, "recipient": to, "status": state}
        sent = message_record("sms", sid, said, custom={"error": fields.get("ErrorCode", "")})
        if state in _NOT_DELIVERED and _NUMBER.fullmatch(to):
            return [_bounced(fields, key=key, record=sent)]
        return [Event("unsupported", key=key, reason=f"a message's state: {state}"[:100], record=sent)]
    if not _NUMBER.fullmatch(sender):
        # A short code, a company's name, or another channel (whatsapp:+1...): nobody who can be texted back.
        return [Event("unsupported", key=key, reason="a message that does not come from a phone number")]
    text = fields.get("Body", "")
    wish = fields.get("OptOutType", "").strip().lower() or texted_wish(text)
    submission = Submission(
        phone=sender,
        do_not_contact=wish == "stop",
        consent=f"SMS {text.strip()[:40]} ({key})" if wish == "start" else "",
    )
    media = [fields[name] for number in range(_MAX_MEDIA) if (name := f"MediaUrl{number}") in fields]
    data = {"text": text, "from": sender, "to": to, "message": key, "media": media}
    said = {"sender": sender, "recipient": to, "status": "received"}
    record = message_record("sms", sid, said, is_inbound=True, custom={"text": text})
    return [Event("message.received", key=key, submission=submission, data=data, record=record)]


def _bounced(fields: Mapping[str, str], *, key: str, record: RecordState | None) -> Event:
    code, to = fields.get("ErrorCode", "").strip()[:10], fields["To"]
    reason = _WHY.get(code, fields.get("ErrorMessage", "").strip()[:200])
    data = {"channel": "sms", "address": to, "message": _sid(fields), "kind": code, "reason": reason}
    submission = Submission(phone=to, do_not_contact=code == _OPTED_OUT)
    known = {name: value for name, value in data.items() if value}
    return Event("message.bounced", key=key, submission=submission, data=known, record=record)


def _sid(fields: Mapping[str, str]) -> str:
    return (fields.get("MessageSid") or fields.get("SmsSid") or "")[:100]


def _key(fields: Mapping[str, str]) -> str:
    sid, state = _sid(fields), _state(fields)
    return f"{sid}:{state}" if sid and state else sid


def _state(fields: Mapping[str, str]) -> str:
    """Return the state that a callback reports of a message of ours; empty for a message that came in."""
    state = fields.get("MessageStatus", "").strip()[:40]
    return "" if state in {"received", "receiving"} else state
