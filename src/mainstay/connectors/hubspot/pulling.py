"""What changed in HubSpot since a cursor: its search, by ``lastmodifieddate``.

Pages by number would skip a contact whenever one that was read changes and moves to the end, and end at 10,000. So each
batch asks anew from the last time seen; and where more changed in one instant than a page holds, by id within it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from mainstay.connectors.hubspot.contact import CONTACTS, ID, asked_properties, to_submission
from mainstay.kit import Http, PermanentError, Pulled, Response, TransientError
from mainstay.kit.payload import moment
from mainstay.kit.pulling import Cursor

BATCH = 200
# The search is behind the writes: by seconds, mostly.
LAG = timedelta(minutes=2)
_MODIFIED, _ID = "lastmodifieddate", "hs_object_id"
_INSTANT = timedelta(milliseconds=1)


async def pull(http: Http, cursor: str, *, properties: Mapping[str, str], tag_property: str) -> Pulled:
    """Read one batch. ``removed`` is always empty: the search knows nothing of what is gone."""
    start = Cursor.read(cursor)
    names = [*asked_properties(properties, tag_property), _MODIFIED]
    response = await http.request("POST", f"{CONTACTS}/search", json=_search(start, names))
    records = _records(response)
    has_more = len(records) >= BATCH
    if start.after:
        # Within one instant, by id; after its last page, from the next instant on.
        end = Cursor(start.since, records[-1][0]["id"]) if has_more else Cursor(start.since + _INSTANT)
        given: Sequence[tuple[Mapping[str, Any], datetime]] = records
        has_more = True
    elif not has_more:
        end, given = Cursor.caught_up(response, LAG), records
    else:
        last = records[-1][1]
        # Of the last instant there may be more than this page has.
        given = [each for each in records if each[1] < last]
        end = Cursor(last) if given else Cursor(last, "0")
    return Pulled(
        contacts=tuple(
            replace(to_submission(record, properties=properties, tag_property=tag_property), occurred_at=changed)
            for record, changed in given
        ),
        removed=(),
        cursor=end.write(),
        has_more=has_more,
        created={record["id"]: created for record, _ in given if (created := moment(record.get("createdAt")))},
    )


def _search(start: Cursor, names: list[str]) -> dict[str, Any]:
    since = str(int(start.since.timestamp() * 1000))
    filters = [{"propertyName": _MODIFIED, "operator": "GTE", "value": since}]
    if start.after:
        if not ID.fullmatch(start.after):
            raise PermanentError(f"{start.write()[:80]!r} is no cursor of a pull from HubSpot: begin anew")
        filters.append({"propertyName": _MODIFIED, "operator": "LTE", "value": since})
        filters.append({"propertyName": _ID, "operator": "GT", "value": start.after})
    return {
        "filterGroups": [{"filters": filters}],
        "properties": names,
        "sorts": [_ID if start.after else _MODIFIED],
        "limit": BATCH,
        "after": "0",
    }


def _records(response: Response) -> list[tuple[Mapping[str, Any], datetime]]:
    """Return the records of an answer, each with the time of its last change."""
    results = response.data.get("results") if isinstance(response.data, dict) else None
    if not isinstance(results, list):
        raise TransientError(f"{response.status}: the answer has no results in it", status=response.status)
    found = []
    for record in results:
        is_record = isinstance(record, dict) and isinstance(record.get("properties"), dict)
        changed = moment(record["properties"].get(_MODIFIED)) if is_record else None
        if changed is None or not isinstance(record.get("id"), str) or not ID.fullmatch(record["id"]):
            raise TransientError(f"{response.status}: a result has no id or no {_MODIFIED}", status=response.status)
        # Its own times are to the millisecond; a part of one would lie behind the cursor.
        found.append((record, changed.replace(microsecond=changed.microsecond // 1000 * 1000)))
    return found
