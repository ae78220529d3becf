"""What changed in HubSpot since a cursor: its search, by the time of the last change.

Pages by number would skip a record whenever one that was read changes and moves to the end, and end at 10,000. So each
batch asks anew from the last time seen; and where more changed in one instant than a page holds, by id within it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from mainstay.connectors.hubspot.contact import CONTACTS, ID, asked_properties, to_submission
from mainstay.connectors.hubspot.records import (
    CHANGED,
    Kind,
    changed_at,
    contact_of,
    created_at,
    read_contacts_of,
    record_of,
)
from mainstay.kit import Event, Http, PermanentError, Pulled, PulledRecord, PulledRecords, Response, TransientError
from mainstay.kit.payload import moment
from mainstay.kit.pulling import Cursor

BATCH = 200
# The search is behind the writes: by seconds, mostly.
LAG = timedelta(minutes=2)
_MODIFIED, _ID = "lastmodifieddate", "hs_object_id"
_INSTANT = timedelta(milliseconds=1)


async def pull(http: Http, cursor: str, *, properties: Mapping[str, str], tag_property: str) -> Pulled:
    """Read one batch. ``removed`` is always empty: the search knows nothing of what is gone."""
    names = asked_properties(properties, tag_property)
    page = await _page(http, CONTACTS, [*names, _MODIFIED], _MODIFIED, Cursor.read(cursor))
    return Pulled(
        contacts=tuple(
            replace(to_submission(record, properties=properties, tag_property=tag_property), occurred_at=changed)
            for record, changed in page.records
        ),
        removed=(),
        cursor=page.cursor,
        has_more=page.has_more,
        created={record["id"]: created for record, _ in page.records if (created := moment(record.get("createdAt")))},
    )


async def pull_objects(http: Http, kind: Kind, cursor: str) -> PulledRecords:
    """Read one batch of deals or companies, and whom each is about; of what is deleted webhooks alone tell."""
    page = await _page(http, kind.path, [*kind.properties], CHANGED, Cursor.read(cursor))
    found = [dict(record) for record, _ in page.records]
    if found:
        people = await read_contacts_of(http, kind, [record["id"] for record in found])
        for record in found:
            record["associations"] = {"contacts": {"results": [{"id": each} for each in people.get(record["id"], ())]}}
    return PulledRecords(tuple(map(partial(_pulled, kind), found)), page.cursor, page.has_more)


def _pulled(kind: Kind, found: Mapping[str, Any]) -> PulledRecord:
    record = record_of(kind, found)
    data = {"id": found["id"], "contact": contact_of(found), **(record.fields if record else {})}
    return PulledRecord(Event("", time=changed_at(found), data=data, record=record), created_at(found))


@dataclass(frozen=True, slots=True)
class _Page:
    """Records, each with the time of its last change, and where it goes on."""

    records: Sequence[tuple[Mapping[str, Any], datetime]]
    cursor: str
    has_more: bool


async def _page(http: Http, path: str, names: list[str], modified: str, start: Cursor) -> _Page:
    response = await http.request("POST", f"{path}/search", json=_search(start, names, modified))
    records = _records(response, modified)
    has_more = len(records) >= BATCH
    if start.after:
        # Within one instant, by id; after its last page, from the next instant on.
        end = Cursor(start.since, records[-1][0]["id"]) if has_more else Cursor(start.since + _INSTANT)
        return _Page(records, end.write(), has_more=True)
    if not has_more:
        return _Page(records, Cursor.caught_up(response, LAG).write(), has_more=False)
    last = records[-1][1]
    # Of the last instant there may be more than this page has.
    given = [each for each in records if each[1] < last]
    end = Cursor(last) if given else Cursor(last, "0")
    return _Page(given, end.write(), has_more=True)


def _search(start: Cursor, names: list[str], modified: str) -> dict[str, Any]:
    since = str(int(start.since.timestamp() * 1000))
    filters = [{"propertyName": modified, "operator": "GTE", "value": since}]
    if start.after:
        if not ID.fullmatch(start.after):
            raise PermanentError(f"{start.write()[:80]!r} is no cursor of a pull from HubSpot: begin anew")
        filters.append({"propertyName": modified, "operator": "LTE", "value": since})
        filters.append({"propertyName": _ID, "operator": "GT", "value": start.after})
    return {
        "filterGroups": [{"filters": filters}],
        "properties": names,
        "sorts": [_ID if start.after else modified],
        "limit": BATCH,
        "after": "0",
    }


def _records(response: Response, modified: str) -> list[tuple[Mapping[str, Any], datetime]]:
    """Return the records of an answer, each with the time of its last change."""
    results = response.data.get("results") if isinstance(response.data, dict) else None
    if not isinstance(results, list):
        raise TransientError(f"{response.status}: the answer has no results in it", status=response.status)
    found = []
    for record in results:
        is_record = isinstance(record, dict) and isinstance(record.get("properties"), dict)
        changed = moment(record["properties"].get(modified)) if is_record else None
        if changed is None or not isinstance(record.get("id"), str) or not ID.fullmatch(record["id"]):
            raise TransientError(f"{response.status}: a result has no id or no {modified}", status=response.status)
        # Its own times are to the millisecond; a part of one would lie behind the cursor.
        found.append((record, changed.replace(microsecond=changed.microsecond // 1000 * 1000)))
    return found
