"""What QuickBooks announces: ids of customers, invoices and payments that changed; ``fetch`` reads them.

CloudEvents since May 2026, ``eventNotifications`` before; both are taken. The signature carries no time: a repeat is
known by its events. Source: developer.intuit.com: webhooks; github.com/intuit/QuickBooks-V3-Java-SDK, WebhooksService.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mainstay.connectors.quickbooks.api import Api, Record, is_id, text_of
from mainstay.connectors.quickbooks.records import data_of, gone, record_of, submission_of
from mainstay.connectors.quickbooks.settings import QuickBooksSource
from mainstay.kit import Event, Http, MalformedError, NotAuthenticError, RawRequest
from mainstay.kit.payload import as_list, as_object, moment, read_json, text
from mainstay.kit.secrets import plain
from mainstay.kit.signature import equal, hmac_base64, require_header, sha256_hex

MAX_EVENTS = 1_000
HANDLED = {"customer": "Customer", "invoice": "Invoice", "payment": "Payment"}
_TYPE = re.compile(r"qbo\.([a-z_]{1,40})\.([a-z_]{1,40})\.v\d{1,3}", re.ASCII)
_VERBS = {
    "create": "created",
    "update": "updated",
    "delete": "deleted",
    "merge": "merged",
    "void": "voided",
    "emailed": "emailed",
}
_GONE = frozenset({"deleted", "merged"})


@dataclass(frozen=True)
class _Notice:
    """One change as either form tells it."""

    realm: str
    noun: str
    verb: str
    id: str
    at: str
    key: str


def verify(request: RawRequest, settings: QuickBooksSource) -> str:
    """Check ``intuit-signature``: base64 of the HMAC-SHA256 of the raw body."""
    given = require_header(request.headers.get("intuit-signature"), "intuit-signature")
    if not any(equal(given, hmac_base64(token, request.body)) for token in plain(settings.verifier_token)):
        raise NotAuthenticError("intuit-signature does not fit: compare verifier_token with the app's, under Webhooks")
    return "signature ok"


def delivery_key(request: RawRequest, _settings: QuickBooksSource) -> str:
    """Return a digest of the announced changes, in whatever order; empty where there are none."""
    try:
        keys = sorted(notice.key for notice in _notices(request.body))
    except MalformedError:
        return ""
    return sha256_hex("\n".join(keys).encode()) if keys else ""


def parse(request: RawRequest, settings: QuickBooksSource) -> Sequence[Event]:
    """Give one event for each record, as last announced: ``customer.updated``, ``invoice.voided``, ``payment.created``.

    Their data: ``id``, ``realm_id``, ``at`` (when it was changed).
    """
    events: dict[str, Event] = {}
    for notice in sorted(_notices(request.body), key=lambda notice: (moment(notice.at) is not None, notice.at)):
        name = f"{notice.noun}.{notice.verb}"
        if notice.realm != settings.realm_id:
            events[f"other {notice.realm}"] = Event("unsupported", reason=f"company {notice.realm} is not realm_id")
        elif notice.noun not in HANDLED or notice.verb not in _VERBS.values():
            events[f"not {name}"] = Event("unsupported", key=notice.key, reason=f"{name} is not handled"[:200])
        elif not is_id(notice.id):
            raise MalformedError(f"the id of a changed {notice.noun} is no number")
        else:
            data = {"id": notice.id, "realm_id": notice.realm, "at": notice.at}
            where = f"{notice.noun} {notice.id}"
            events.pop(where, None)
            events[where] = Event(name, key=notice.key, time=moment(notice.at), data=data)
    return list(events.values())


def _notices(body: bytes) -> list[_Notice]:
    payload = read_json(body)
    found = list(_of_cloud_events(payload) if isinstance(payload, list) else _of_notifications(payload))
    if len(found) > MAX_EVENTS:
        raise MalformedError(f"there are more than {MAX_EVENTS} changes in one delivery")
    return found


def _of_cloud_events(payload: list[Any]) -> Iterator[_Notice]:
    for number, item in enumerate(payload):
        event = as_object(item, f"event {number}")
        kind = _word(event, "type")
        parts = _TYPE.fullmatch(kind)
        noun, verb = (parts[1], parts[2]) if parts else (kind[:100] or "an event without a type", "?")
        realm, record, at = (_word(event, key) for key in ("intuitaccountid", "intuitentityid", "time"))
        yield _Notice(realm, noun, verb, record, at, _word(event, "id") or f"{realm} {kind} {record} {at}")


def _of_notifications(payload: Any) -> Iterator[_Notice]:
    given = as_object(payload, "the body").get("eventNotifications")
    for number, item in enumerate(as_list(given, "eventNotifications")):
        notification = as_object(item, f"eventNotifications[{number}]")
        realm = _word(notification, "realmId")
        change = notification.get("dataChangeEvent")
        if change is None:
            continue
        for entity in as_list(as_object(change, "dataChangeEvent").get("entities"), "dataChangeEvent.entities"):
            one = as_object(entity, "an entity")
            name, operation = _word(one, "name").lower(), _word(one, "operation").lower()
            record, at = _word(one, "id"), _word(one, "lastUpdated")
            verb = _VERBS.get(operation, operation)
            yield _Notice(realm, name, verb, record, at, f"{realm} {name} {record} {operation} {at}")


def _word(value: Mapping[str, Any], key: str) -> str:
    found = value.get(key)
    if isinstance(found, list | dict | float):
        raise MalformedError(f"{key} should be a text")
    return text(found)[:200]


async def fetch(event: Event, settings: QuickBooksSource, http: Http) -> Event:
    """Read what was announced, and whose it is; what is gone meanwhile, or deleted, is told by its id alone.

    Raises:
        VendorError: by ``classify_answer``.
    """
    noun, _, verb = event.type.partition(".")
    record_id = str(event.data.get("id"))
    if verb in _GONE:
        return replace(event, record=gone(noun, record_id, event.time))
    api = Api(http)
    record = await api.read(HANDLED[noun], record_id)
    known = http.access.facts.get("realm_id")
    if known and known != settings.realm_id:
        return Event("unsupported", key=event.key, reason=f"the connection is of company {known}, not of realm_id")
    if record is None:
        reason = f"{noun} {record_id} does not exist any more"
        return replace(event, type="unsupported", reason=reason, record=gone(noun, record_id, event.time))
    customer: Record | None = record
    data = dict(event.data)
    if noun != "customer":
        data |= data_of(noun, record)
        customer_id = text_of(record, "CustomerRef", "value")
        customer = await api.read("Customer", customer_id) if is_id(customer_id) else None
    return replace(event, data=data, submission=submission_of(customer), record=record_of(noun, record))
