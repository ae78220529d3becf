"""Meta's ``leadgen`` webhook: it names leads by id; ``graph.fetch`` reads them.

Source: developers.facebook.com: Graph API webhooks; webhooks for leadgen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mainstay.connectors.facebook_lead_ads.settings import FacebookLeadAdsSettings
from mainstay.kit import Event, MalformedError, NotAuthenticError, RawRequest, Reply
from mainstay.kit.payload import as_list, as_object, kind_of, moment, read_object, text
from mainstay.kit.secrets import plain
from mainstay.kit.signature import equal, hmac_hex, require_header, sha256_hex

MAX_CHANGES = 1_000
_MAX_KEY = 200
_MAX_CHALLENGE = 200


def challenge(request: RawRequest, settings: FacebookLeadAdsSettings) -> Reply | None:
    """Answer the handshake by which Meta checks a webhook's address."""
    if request.method != "GET":
        return None
    query = request.query
    if query.get("hub.mode") != "subscribe":
        return Reply(400, b"this address takes Meta's webhooks")
    if not equal(query.get("hub.verify_token", ""), settings.verify_token.get_secret_value()):
        return Reply(403, b"the verify token is not the one in stack.toml")
    return Reply(200, query.get("hub.challenge", "")[:_MAX_CHALLENGE].encode())


def verify(request: RawRequest, settings: FacebookLeadAdsSettings) -> str:
    """Check ``X-Hub-Signature-256``: ``sha256=`` and the hex HMAC-SHA256 of the raw body."""
    given = require_header(request.headers.get("x-hub-signature-256"), "X-Hub-Signature-256")
    if not any(equal(given, f"sha256={hmac_hex(secret, request.body)}") for secret in plain(settings.app_secret)):
        raise NotAuthenticError("X-Hub-Signature-256 does not fit: another app secret, or a changed body")
    return "signature ok"


def delivery_key(request: RawRequest, settings: FacebookLeadAdsSettings) -> str:
    """Return the ids of the announced leads, joined; many as a hash; empty when there are none."""
    try:
        events = parse(request, settings)
    except MalformedError:
        return ""
    key = ",".join(event.key for event in events if event.key)
    return key if len(key) <= _MAX_KEY else sha256_hex(key.encode())


def parse(request: RawRequest, _settings: FacebookLeadAdsSettings) -> Sequence[Event]:
    """Give one event per announced lead, its submission still to be fetched; other changes as unsupported."""
    body = read_object(request.body)
    kind = text(body.get("object"))
    if kind != "page":
        return [Event(type="unsupported", reason=f"object {kind or 'is missing'}")]
    events: dict[str, Event] = {}
    others: dict[str, Event] = {}
    count = 0
    for number, item in enumerate(as_list(body.get("entry"), "entry")):
        entry = as_object(item, f"entry[{number}]")
        changes = as_list(entry.get("changes") or [], f"entry[{number}].changes")
        count += len(changes)
        if count > MAX_CHANGES:
            raise MalformedError(f"there are more than {MAX_CHANGES} changes in one delivery")
        for position, one in enumerate(changes):
            where = f"entry[{number}].changes[{position}]"
            change = as_object(one, where)
            field = text(change.get("field"))
            if field != "leadgen":
                reason = f"field {field or 'is missing'}"
                others[reason] = Event(type="unsupported", reason=reason)
                continue
            event = _announced(as_object(change.get("value"), f"{where}.value"), where)
            events[event.key] = event
        if not changes:
            reason = "an entry without changes"
            others[reason] = Event(type="unsupported", reason=reason)
    return [*events.values(), *others.values()]


def _announced(value: dict[str, Any], where: str) -> Event:
    lead = _identifier(value.get("leadgen_id"))
    if not lead:
        raise MalformedError(
            f"{where}.value.leadgen_id should be a lead's number, but is {kind_of(value.get('leadgen_id'))}"
        )
    others = {key: _identifier(value.get(key)) for key in ("form_id", "page_id", "ad_id", "adgroup_id")}
    data = {"leadgen_id": lead} | {key: found for key, found in others.items() if found.strip("0")}
    return Event(type="contact.submitted", key=lead, time=moment(value.get("created_time")), data=data)


def _identifier(value: Any) -> str:
    """An id as text: ids pass 2**53, so a number that was read as a float is no longer the id."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return ""
    digits = str(value).strip()
    return digits if digits.isascii() and digits.isdigit() and len(digits) <= 40 else ""
