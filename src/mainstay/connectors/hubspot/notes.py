"""Notes on a HubSpot contact's timeline."""

from __future__ import annotations

import html
from datetime import UTC, datetime

from mainstay.connectors.hubspot.contact import path, require_json, value_of
from mainstay.kit import Http, Sent, TransientError
from mainstay.kit.lookup import is_of_this_try, same_text

NOTES = "/crm/v3/objects/notes"
NOTE_TO_CONTACT = 202
_LOOKED_THROUGH = 100


async def add(http: Http, contact_id: str, text: str) -> None:
    """Add a note."""
    path(contact_id)
    kind = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": NOTE_TO_CONTACT}
    response = await http.request(
        "POST",
        NOTES,
        json={
            "properties": {
                "hs_timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "hs_note_body": _body(text),
            },
            "associations": [{"to": {"id": contact_id}, "types": [kind]}],
        },
    )
    require_json(response)


async def find(http: Http, contact_id: str, text: str) -> Sent | None:
    """Look for a note of this text, no older than this step's first try, among the contact's newest.

    HubSpot's search lags behind its writes, so that only a later look that finds nothing means something.
    """
    path(contact_id)
    response = await http.request(
        "POST",
        f"{NOTES}/search",
        json={
            "filterGroups": [
                {"filters": [{"propertyName": "associations.contact", "operator": "EQ", "value": contact_id}]}
            ],
            "properties": ["hs_note_body"],
            "sorts": ["-hs_timestamp"],
            "limit": _LOOKED_THROUGH,
            "after": "0",
        },
    )
    results = response.data.get("results") if isinstance(response.data, dict) else None
    if not isinstance(results, list):
        raise TransientError(f"{response.status}: the answer has no results in it", status=response.status)
    for record in results:
        is_it = same_text(value_of(record, "hs_note_body"), _body(text))
        if is_it and is_of_this_try(record.get("createdAt"), response, http):
            return Sent(str(record["id"]))
    return None


def _body(text: str) -> str:
    return html.escape(text, quote=False).replace("\n", "<br>")
