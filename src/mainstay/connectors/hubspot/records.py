"""HubSpot's deals and companies: which notices are of them, how one is read, and how it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from mainstay.connectors.hubspot.contact import record_in, value_of
from mainstay.kit import Http, RecordState, RecordType
from mainstay.kit.money import from_number
from mainstay.kit.payload import moment, text
from mainstay.kit.recording import as_record

CHANGED = "hs_lastmodifieddate"


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of object of HubSpot's that is a type of record here: where it is read, and by which properties."""

    type: RecordType
    object_type: str
    path: str
    properties: tuple[str, ...]


DEALS = Kind(
    "deal",
    "0-3",
    "/crm/v3/objects/0-3",
    (
        *("dealname", "amount", "dealstage", "pipeline", "closedate", "deal_currency_code", "hubspot_owner_id"),
        *("hs_is_closed", "hs_is_closed_won", "createdate", CHANGED),
    ),
)
COMPANIES = Kind(
    "company",
    "0-2",
    "/crm/v3/objects/companies",
    ("name", "domain", "phone", "address", "city", "zip", "country", "createdate", CHANGED),
)
KINDS: Mapping[str, Kind] = MappingProxyType({kind.type: kind for kind in (DEALS, COMPANIES)})
# Whom a deal is about may change without a change of the deal's own: its time of change then stays as it was.
ASSOCIATED = "associationChange"
_VERBS = {
    "creation": "created",
    "propertyChange": "updated",
    "deletion": "deleted",
    "restore": "updated",
    ASSOCIATED: "updated",
}


def event_of(subscription: str, object_type: str) -> str:
    """Return the event of a notice, ``deal.updated`` say; empty of what is no deal and no company."""
    noun, _, verb = subscription.partition(".")
    kind = next((each for each in KINDS.values() if each.object_type == object_type), None)
    named = KINDS.get(noun) if noun != "object" else kind
    return f"{named.type}.{_VERBS[verb]}" if named and verb in _VERBS else ""


async def read_object(http: Http, kind: Kind, object_id: str) -> Mapping[str, Any] | None:
    """Read one object with the contacts that it is about; None where it does not exist (any more)."""
    asked = {"properties": ",".join(kind.properties), "associations": "contacts"}
    response = await http.request("GET", f"{kind.path}/{object_id}", params=asked, accept=(404,))
    return None if response.status == 404 else record_in(response)


async def read_contacts_of(http: Http, kind: Kind, object_ids: Sequence[str]) -> Mapping[str, list[str]]:
    """Return the ids of the contacts that objects are associated with, by the object's id; not of those without."""
    path = f"/crm/v4/associations/{kind.object_type}/0-1/batch/read"
    response = await http.request("POST", path, json={"inputs": [{"id": each} for each in object_ids]})
    results = response.data.get("results") if isinstance(response.data, dict) else None
    found: dict[str, list[str]] = {}
    for each in results if isinstance(results, list) else ():
        one, others = (each.get("from"), each.get("to")) if isinstance(each, dict) else (None, None)
        if isinstance(one, dict) and isinstance(others, list):
            ids = (text(other.get("toObjectId")) for other in others if isinstance(other, dict))
            found.setdefault(text(one.get("id")), []).extend(filter(None, ids))
    return found


def record_of(kind: Kind, found: Mapping[str, Any]) -> RecordState | None:
    """Return how an object stands."""
    fields = _deal(found) if kind is DEALS else _company(found)
    return as_record(kind.type, str(found["id"]), fields, contact=contact_of(found), at=changed_at(found))


def changed_at(found: Mapping[str, Any]) -> datetime | None:
    """Return when an object came to stand as it does."""
    return moment(value_of(found, CHANGED)) or moment(found.get("updatedAt"))


def created_at(found: Mapping[str, Any]) -> datetime | None:
    """Return when an object was made."""
    return moment(value_of(found, "createdate")) or moment(found.get("createdAt"))


def contact_of(found: Mapping[str, Any]) -> str:
    """Return the id of the first contact that an object is associated with; empty where it was not asked for."""
    value: Any = found
    for key in ("associations", "contacts", "results"):
        value = value.get(key) if isinstance(value, dict) else None
    first = value[0] if isinstance(value, list) and value else None
    return text(first.get("id")) if isinstance(first, dict) else ""


def _deal(found: Mapping[str, Any]) -> dict[str, str]:
    amount = from_number(value_of(found, "amount"))
    is_won, is_closed = (value_of(found, name) == "true" for name in ("hs_is_closed_won", "hs_is_closed"))
    return {
        "title": value_of(found, "dealname"),
        "status": "won" if is_won else "lost" if is_closed else "open",
        "stage": value_of(found, "dealstage"),
        "pipeline": value_of(found, "pipeline"),
        "amount": "" if amount is None else f"{amount:f}",
        "currency": value_of(found, "deal_currency_code"),
        "closes_on": value_of(found, "closedate"),
        "owner": value_of(found, "hubspot_owner_id"),
    }


def _company(found: Mapping[str, Any]) -> dict[str, str]:
    place = [value_of(found, name) for name in ("address", "zip", "city", "country")]
    fields = {name: value_of(found, name) for name in ("name", "domain", "phone")}
    return fields | {"address": ", ".join(filter(None, place))}
