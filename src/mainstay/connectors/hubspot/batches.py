"""Many contacts in few calls: HubSpot's batches, a hundred at a time.

What a batch leaves unanswered is pushed singly: how it words the refusal of one of its parts, or whether it then
refuses the whole, is not documented. A repeat leaves the same, so nothing is lost by that but the call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mainstay.connectors.hubspot.contact import CONTACTS, ID, split_tags, value_of
from mainstay.kit import Contact, Http, Pushed, Response, TransientError

MOST = 100
_REFUSED = (400, 404, 409)
Record = Mapping[str, Any]


async def read_tags(http: Http, keys: Sequence[str], tag_property: str, *, by_email: bool) -> dict[str, list[str]]:
    """Return the tags of contacts by their ids or e-mails; of one that is not there, none."""
    if not keys:
        return {}
    names = [tag_property, *(["email"] if by_email else [])]
    asked: dict[str, Any] = {"inputs": [{"id": key} for key in keys], "properties": names, "propertiesWithHistory": []}
    if by_email:
        asked["idProperty"] = "email"
    response = await http.request("POST", f"{CONTACTS}/batch/read", json=asked)
    return {
        value_of(record, "email").lower() if by_email else str(record["id"]): split_tags(value_of(record, tag_property))
        for record in _records(response)
    }


async def update(http: Http, changes: Mapping[str, Mapping[str, str]]) -> dict[str, Pushed]:
    """Update contacts by their ids; returns those that were."""
    inputs = [{"id": key, "properties": properties} for key, properties in changes.items()]
    return {str(record["id"]): Pushed(str(record["id"])) for record in await _written(http, "update", inputs)}


async def upsert(http: Http, changes: Mapping[str, Mapping[str, str]]) -> dict[str, Pushed]:
    """Find contacts by their e-mails and update them, else make them; returns those that were."""
    inputs = [{"id": key, "idProperty": "email", "properties": properties} for key, properties in changes.items()]
    return {
        value_of(record, "email").lower(): Pushed(str(record["id"]), created=record.get("new") is True)
        for record in await _written(http, "upsert", inputs)
    }


def parts(contacts: Sequence[tuple[Contact, str]], *, by_phone: bool) -> tuple[dict[str, Contact], dict[str, Contact]]:
    """Return whom an update by id and whom an upsert by e-mail can write; others, and repeats, are left out."""
    by_id: dict[str, Contact] = {}
    by_email: dict[str, Contact] = {}
    for contact, external_id in contacts:
        if external_id:
            if ID.fullmatch(external_id):
                by_id.setdefault(external_id, contact)
        elif contact.email and not (by_phone and contact.own_phone):
            by_email.setdefault(contact.email.lower(), contact)
    return by_id, by_email


async def _written(http: Http, verb: str, inputs: Sequence[Mapping[str, Any]]) -> list[Record]:
    if not inputs:
        return []
    response = await http.request("POST", f"{CONTACTS}/batch/{verb}", json={"inputs": list(inputs)}, accept=_REFUSED)
    return _records(response) if response.status < 300 else []


def _records(response: Response) -> list[Record]:
    results = response.data.get("results") if isinstance(response.data, dict) else None
    if not isinstance(results, list):
        raise TransientError(f"{response.status}: the answer has no results", status=response.status, unsure=True)
    return [
        record
        for record in results
        if isinstance(record, dict) and isinstance(record.get("id"), str) and isinstance(record.get("properties"), dict)
    ]
