"""What HubSpot sends: batches of notices, each naming a contact, deal or company, which ``fetch`` reads.

Vendor facts: developers.hubspot.com, validating requests; github.com/HubSpot/hubspot-api-python utils/signature.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import Field

from mainstay.connectors.hubspot.contact import ID, read_contact
from mainstay.connectors.hubspot.records import ASSOCIATED, KINDS, contact_of, event_of, read_object, record_of
from mainstay.kit import Event, Http, MalformedError, NotAuthenticError, RawRequest, SourceSettings
from mainstay.kit.payload import as_list, as_object, kind_of, read_json, text
from mainstay.kit.recording import as_record
from mainstay.kit.secrets import Secrets, plain
from mainstay.kit.signature import equal, from_epoch, hmac_base64, require_fresh, require_header, sha256_hex

TOLERANCE = timedelta(minutes=5)
HANDLED = ("contact.creation", "contact.propertyChange", "object.creation", "object.propertyChange")
CONTACT_TYPE = "0-1"
# The escapes that HubSpot documents as decoded before it signs an address; all others stay.
_DECODED = re.compile("%(3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)

Version = Literal["v3", "v2", "v1"]


class HubSpotSource(SourceSettings):
    """``[sources.NAME]`` with ``kind = "hubspot"``; ``connection`` names whose token reads the contacts."""

    connection: str = Field(description="The hubspot connection whose token reads the contacts.", min_length=1)
    client_secret: Secrets = Field(description="Client secret of the app that sends the webhooks.")
    signatures: tuple[Version, ...] = Field(
        ("v3",), description="Signatures to take; v2 and v1 carry no time and so admit replays."
    )
    properties: dict[str, str] = Field(
        default_factory=dict, description="Further properties to read: our key to their internal name."
    )
    tag_property: str = Field("mainstay_tags", description="Property that holds tags; empty for no tags.")


def verify(request: RawRequest, settings: HubSpotSource) -> str:
    """Check the v3 signature and its age; v2 or v1 only where there is no v3 and the source says so."""
    given = request.headers.get("x-hubspot-signature-v3", "")
    if given or set(settings.signatures) == {"v3"}:
        _verify_v3(request, settings, require_header(given, "X-HubSpot-Signature-v3"))
        return "signature ok"
    version = request.headers.get("x-hubspot-signature-version", "")
    given = require_header(request.headers.get("x-hubspot-signature"), "X-HubSpot-Signature")
    if version not in settings.signatures or version == "v3":
        raise NotAuthenticError(
            f"signature version {version[:10] or 'unnamed'} is not taken: this source takes "
            f"{', '.join(settings.signatures)}, see its setting signatures"
        )
    addresses = [b""] if version == "v1" else _signed_addresses(request)
    if not any(
        equal(given, sha256_hex(secret.encode() + address + request.body))
        for secret in plain(settings.client_secret)
        for address in addresses
    ):
        raise NotAuthenticError(f"X-HubSpot-Signature ({version}) does not match: compare client_secret")
    return f"signature ok ({version}, without time)"


def _verify_v3(request: RawRequest, settings: HubSpotSource, given: str) -> None:
    header = "X-HubSpot-Request-Timestamp"
    timestamp = require_header(request.headers.get(header.lower()), header)
    if not any(
        equal(given, hmac_base64(secret, address + request.body + timestamp.encode()))
        for secret in plain(settings.client_secret)
        for address in _signed_addresses(request)
    ):
        raise NotAuthenticError(
            "X-HubSpot-Signature-v3 does not match: compare client_secret, and the public address "
            f"({request.url.partition('?')[0]}) with the one in the app's webhook settings"
        )
    require_fresh(from_epoch(timestamp, milliseconds=True), request.received_at, TOLERANCE)


def _signed_addresses(request: RawRequest) -> list[bytes]:
    decoded = _DECODED.sub(lambda found: chr(int(found[1], 16)), request.url)
    return [(request.method + url).encode() for url in dict.fromkeys((decoded, request.url))]


def delivery_key(request: RawRequest, _settings: HubSpotSource) -> str:
    """Return a digest of what tells the batch's notices apart; a re-send differs in ``attemptNumber`` alone."""
    try:
        notices = _notices(request.body)
    except MalformedError:
        return ""
    keys = ("eventId", "subscriptionId", "objectId", "fromObjectId", "toObjectId", "occurredAt", "propertyName")
    parts = sorted("|".join(text(notice.get(key)) for key in keys) for notice in notices)
    return sha256_hex("\n".join(parts).encode()) if parts else ""


def parse(request: RawRequest, _settings: HubSpotSource) -> Sequence[Event]:
    """Return one event for each contact, deal and company of the batch, the last notice's time on it, oldest first."""
    found: dict[str, Event] = {}
    for notice in sorted(_notices(request.body), key=_occurred):
        kind = _text(notice, "subscriptionType")
        is_associated = kind.endswith(f".{ASSOCIATED}")
        object_id = _text(notice, "fromObjectId" if is_associated else "objectId")
        is_of_contacts = _text(notice, "associationType").endswith("_TO_CONTACT")
        if is_associated and not is_of_contacts:
            name = f"{kind} {_text(notice, 'associationType')}".strip()[:100]
            found.setdefault(f"{name} {object_id}", Event("unsupported", key=_key(notice), reason=name))
            continue
        if happened := event_of(kind, _text(notice, "objectTypeId")):
            if not ID.fullmatch(object_id):
                raise MalformedError(f"objectId is not the number of a {happened.partition('.')[0]}")
            where = f"{happened.partition('.')[0]} {object_id}"
            before = found.pop(where, None)
            if before is not None and before.type.endswith(".created") and happened.endswith(".updated"):
                happened = before.type
            data = {"id": object_id, "type": kind, "portal_id": _text(notice, "portalId")}
            found[where] = Event(happened, key=_key(notice), time=_time(notice), data=data)
            continue
        if kind not in HANDLED or (kind.startswith("object.") and notice.get("objectTypeId") != CONTACT_TYPE):
            name = f"{kind} {_text(notice, 'objectTypeId')}".strip()[:100]
            found.setdefault(f"{name} {object_id}", Event("unsupported", key=_key(notice), reason=name))
            continue
        if not ID.fullmatch(object_id):
            raise MalformedError("objectId is not the number of a HubSpot contact")
        # Put last again, so that the order is that of the newest notice of each.
        found.pop(object_id, None)
        found[object_id] = Event(
            "contact.submitted",
            key=_key(notice),
            time=_time(notice),
            data={"external_id": object_id, "type": kind, "portal_id": _text(notice, "portalId")},
        )
    return list(found.values())


async def fetch(event: Event, settings: HubSpotSource, http: Http) -> Event:
    """Read the contact, deal or company that the event names; one deleted meanwhile is said to be so.

    The data of a deal or company: ``id`` (HubSpot's), ``contact`` (that of whom it is about) and the record's fields.
    """
    if event.type.partition(".")[0] in KINDS:
        return await _fetch_record(event, http)
    external_id = str(event.data.get("external_id", ""))
    submission = await read_contact(
        http, external_id, properties=settings.properties, tag_property=settings.tag_property
    )
    if submission is None:
        return replace(event, type="unsupported", reason=f"contact {external_id} does not exist any more")
    return replace(event, submission=replace(submission, connection=settings.connection, occurred_at=event.time))


async def _fetch_record(event: Event, http: Http) -> Event:
    noun, _, verb = event.type.partition(".")
    kind, object_id = KINDS[noun], str(event.data["id"])
    found = None if verb == "deleted" else await read_object(http, kind, object_id)
    if found is None:
        gone = as_record(kind.type, object_id, {}, at=event.time, is_gone=True)
        return replace(event, type=f"{noun}.deleted", record=gone)
    record = record_of(kind, found)
    data = {**event.data, "contact": contact_of(found), **(record.fields if record else {})}
    return replace(event, data=data, record=record)


def _notices(body: bytes) -> list[Mapping[str, Any]]:
    return [as_object(notice, "a notice") for notice in as_list(read_json(body), "the body")]


def _text(notice: Mapping[str, Any], key: str) -> str:
    value = notice.get(key)
    if isinstance(value, list | dict | float):
        raise MalformedError(f"{key} of a notice is {kind_of(value)}, not a text or a whole number")
    return text(value)


def _key(notice: Mapping[str, Any]) -> str:
    return _text(notice, "eventId")


def _occurred(notice: Mapping[str, Any]) -> int:
    value = notice.get("occurredAt")
    return value if isinstance(value, int) else 0


def _time(notice: Mapping[str, Any]) -> datetime | None:
    try:
        return datetime.fromtimestamp(_occurred(notice) / 1000, UTC) if _occurred(notice) else None
    except (OverflowError, ValueError, OSError):
        return None
