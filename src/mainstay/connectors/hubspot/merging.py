"""Merging two contacts in HubSpot, which cannot be undone there.

The merged contact gets an id of its own; the ids of both go on leading to it.
"""

from __future__ import annotations

from mainstay.connectors.hubspot.contact import CONTACTS, path, record_in
from mainstay.kit import Http, PermanentError


async def merge(http: Http, survivor_id: str, merged_id: str) -> str:
    """Merge one contact into another and return the id that stands. A repeat finds it done.

    Raises:
        PermanentError: one of them is not there (any more), or HubSpot refuses.
    """
    path(survivor_id), path(merged_id)
    response = await http.request(
        "POST",
        f"{CONTACTS}/merge",
        json={"primaryObjectId": survivor_id, "objectIdToMerge": merged_id},
        accept=(400, 404, 409),
    )
    if response.status < 300:
        return str(record_in(response)["id"])
    standing = {await _standing(http, contact_id) for contact_id in (survivor_id, merged_id)}
    if len(standing) == 1 and "" not in standing:
        return standing.pop()
    raise PermanentError(
        f"HubSpot did not merge contact {merged_id} into {survivor_id} ({response.status}): both stay",
        status=response.status,
    )


async def _standing(http: Http, contact_id: str) -> str:
    """Return the id of the record that an id leads to; empty when it leads nowhere."""
    response = await http.request("GET", path(contact_id), accept=(404,))
    return "" if response.status == 404 else str(record_in(response)["id"])
