"""What Xero announces: ids of contacts and invoices that changed; ``fetch`` reads them.

Before Xero sends anything it tries the address with good and bad signatures over an empty list ("intent to receive"):
200 to the good, 401 to the bad, and no body, within five seconds. The signature carries no time. Source:
developer.xero.com: webhooks, configuring your server; Xero's OpenAPI file of webhooks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mainstay.connectors.xero.api import Api, inner, is_id, read_time, text_of
from mainstay.connectors.xero.records import invoice_data, invoice_record, submission_of
from mainstay.connectors.xero.settings import XeroSource
from mainstay.kit import Event, Http, MalformedError, NotAuthenticError, RawRequest, Reply
from mainstay.kit.payload import as_list, as_object, read_object, text
from mainstay.kit.recording import as_record
from mainstay.kit.secrets import plain
from mainstay.kit.signature import equal, hmac_base64, require_header, sha256_hex

RECEIPT = Reply(200)
REFUSAL = Reply(401)
MAX_EVENTS = 1_000
HANDLED = {"CONTACT": ("customer", "Contacts"), "INVOICE": ("invoice", "Invoices")}
_VERBS = {"CREATE": "created", "UPDATE": "updated"}


def challenge(request: RawRequest, settings: XeroSource) -> Reply | None:
    """Answer the intent to receive; None for a delivery."""
    if request.method != "POST":
        return None
    try:
        events = read_object(request.body).get("events")
    except MalformedError:
        return None
    if events != []:
        return None
    try:
        verify(request, settings)
    except NotAuthenticError:
        return REFUSAL
    return RECEIPT


def verify(request: RawRequest, settings: XeroSource) -> str:
    """Check ``x-xero-signature``: base64 of the HMAC-SHA256 of the raw body."""
    given = require_header(request.headers.get("x-xero-signature"), "x-xero-signature")
    if not any(equal(given, hmac_base64(key, request.body)) for key in plain(settings.signing_key)):
        raise NotAuthenticError("x-xero-signature does not fit: compare signing_key with the app's Webhooks key")
    return "signature ok"


def delivery_key(request: RawRequest, _settings: XeroSource) -> str:
    """Return a digest of the announced changes, in whatever order: a re-send differs in its entropy."""
    try:
        events = _events(request.body)
        keys = sorted("|".join((_word(each, "tenantId"), _name(each), _key(each))) for each in events)
    except MalformedError:
        return ""
    return sha256_hex("\n".join(keys).encode()) if keys else ""


def parse(request: RawRequest, settings: XeroSource) -> Sequence[Event]:
    """Give one event for each record, as last announced: ``customer.created``, ``invoice.updated``.

    Their data: ``id``, ``tenant_id``, ``at`` (when it was changed).
    """
    events: dict[str, Event] = {}
    for each in sorted(_events(request.body), key=lambda event: _word(event, "eventDateUtc")):
        tenant, category, record = _word(each, "tenantId"), _word(each, "eventCategory"), _word(each, "resourceId")
        noun, _ = HANDLED.get(category, ("", ""))
        verb = _VERBS.get(_word(each, "eventType"), "")
        if tenant.lower() != settings.tenant_id.lower():
            events[f"other {tenant}"] = Event("unsupported", reason=f"organisation {tenant} is not tenant_id")
        elif not noun or not verb:
            events[f"not {_name(each)}"] = Event("unsupported", key=_key(each), reason=f"{_name(each)} is not handled")
        elif not is_id(record):
            raise MalformedError("resourceId of an event is no UUID")
        else:
            at = _word(each, "eventDateUtc")
            data = {"id": record, "tenant_id": tenant, "at": at}
            events.pop(f"{noun} {record}", None)
            events[f"{noun} {record}"] = Event(f"{noun}.{verb}", key=_key(each), time=read_time(at), data=data)
    return list(events.values())


def _events(body: bytes) -> list[Mapping[str, Any]]:
    given = as_list(read_object(body).get("events"), "events")
    if len(given) > MAX_EVENTS:
        raise MalformedError(f"there are more than {MAX_EVENTS} events in one delivery")
    return [as_object(each, f"events[{number}]") for number, each in enumerate(given)]


def _word(event: Mapping[str, Any], key: str) -> str:
    value = event.get(key)
    if isinstance(value, list | dict | float):
        raise MalformedError(f"{key} of an event should be a text")
    return text(value)[:200]


def _name(event: Mapping[str, Any]) -> str:
    return f"{_word(event, 'eventCategory')[:60]} {_word(event, 'eventType')[:60]}"


def _key(event: Mapping[str, Any]) -> str:
    return f"{_word(event, 'resourceId')[:100]}@{_word(event, 'eventDateUtc')[:60]}"


async def fetch(event: Event, settings: XeroSource, http: Http) -> Event:
    """Read what was announced, and whose it is; suppliers and their bills are left alone.

    Raises:
        VendorError: by ``classify_answer``.
    """
    noun = event.type.partition(".")[0]
    kind = "Contacts" if noun == "customer" else "Invoices"
    record_id = str(event.data.get("id"))
    record = await Api(http, settings.tenant_id).read(kind, record_id)
    if record is None:
        gone = as_record("invoice", record_id, {}, at=event.time, is_gone=True) if noun == "invoice" else None
        reason = f"{noun} {record_id} does not exist any more"
        return replace(event, type="unsupported", reason=reason, record=gone)
    data = dict(event.data)
    if noun == "invoice":
        if text_of(record, "Type") != "ACCREC":
            return replace(event, type="unsupported", reason="a bill from a supplier")
        data |= invoice_data(record)
        submission = submission_of(inner(record, "Contact"))
        return replace(event, data=data, submission=submission, record=invoice_record(record))
    if record.get("IsSupplier") is True and record.get("IsCustomer") is not True:
        return replace(event, type="unsupported", reason="a supplier")
    return replace(event, data=data, submission=submission_of(record))
