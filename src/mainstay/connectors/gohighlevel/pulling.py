"""What changed in GoHighLevel since a cursor: its search, by ``dateUpdated``.

The search's body is in no contract: that it filters by a range, sorts, and goes on behind ``searchAfter`` is what the
vendor's help says. So the answer's order is checked, and ``pull_by_date_updated`` in stack.toml must allow it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from mainstay.connectors.gohighlevel.contact import to_submission
from mainstay.kit import Http, MalformedError, NeedsHumanError, PermanentError, Pulled, Response, TransientError
from mainstay.kit.payload import moment
from mainstay.kit.pulling import Cursor, utc

BATCH = 100
# How far the search is behind the writes, the vendor does not say.
LAG = timedelta(minutes=5)


async def pull(http: Http, cursor: str, *, location_id: str, custom_fields: Mapping[str, str]) -> Pulled:
    """Read one batch. ``removed`` is always empty: the search knows nothing of what is gone."""
    start = Cursor.read(cursor)
    since = int(start.since.timestamp() * 1000)
    body: dict[str, Any] = {
        "locationId": location_id,
        "pageLimit": BATCH,
        "filters": [{"field": "dateUpdated", "operator": "range", "value": {"gte": utc(start.since)}}],
        "sort": [{"field": "dateUpdated", "direction": "asc"}],
    }
    if start.after:
        body["searchAfter"] = [since, start.after]
    response = await http.request("POST", "/contacts/search", json=body)
    records = _records(response)
    times = [changed for _, changed in records]
    if times != sorted(times) or (times and times[0] < start.since - timedelta(milliseconds=1)):
        raise NeedsHumanError(
            "GoHighLevel did not keep to dateUpdated in its answer, so that a pull would miss changes: set "
            "pull_by_date_updated = false in stack.toml, and rely on webhooks"
        )
    has_more = len(records) >= BATCH
    return Pulled(
        contacts=tuple(_submission(record, changed, custom_fields) for record, changed in records),
        removed=(),
        cursor=(_behind(records[-1][0], start) if has_more else Cursor.caught_up(response, LAG)).write(),
        has_more=has_more,
        created={record["id"]: created for record, _ in records if (created := moment(record.get("dateAdded")))},
    )


def _behind(record: Mapping[str, Any], start: Cursor) -> Cursor:
    """Return the cursor behind a record: what the vendor says of it, else its time and id."""
    told = record.get("searchAfter")
    if not isinstance(told, list) or len(told) != 2 or not isinstance(told[0], int) or isinstance(told[0], bool):
        raise NeedsHumanError(
            "GoHighLevel's answer has no searchAfter, without which a pull of several pages would miss changes: set "
            "pull_by_date_updated = false in stack.toml, and rely on webhooks"
        )
    try:
        end = Cursor(datetime.fromtimestamp(told[0] / 1000, UTC), str(told[1]))
    except (OverflowError, ValueError, OSError):
        raise TransientError("a contact of the answer has an impossible searchAfter") from None
    if end == start:
        raise PermanentError("GoHighLevel gave the same page again: its search does not heed searchAfter")
    return end


def _records(response: Response) -> list[tuple[Mapping[str, Any], datetime]]:
    contacts = response.data.get("contacts") if isinstance(response.data, dict) else None
    if not isinstance(contacts, list):
        raise TransientError(f"{response.status}: the answer has no contacts in it", status=response.status)
    found = []
    for record in contacts:
        changed = moment(record.get("dateUpdated")) if isinstance(record, dict) else None
        if changed is None or not isinstance(record.get("id"), str):
            raise TransientError(f"{response.status}: a contact has no id or no dateUpdated", status=response.status)
        found.append((record, changed))
    return found


def _submission(record: Mapping[str, Any], changed: datetime, custom_fields: Mapping[str, str]) -> Any:
    try:
        submission = to_submission(record, connection="", custom_fields=custom_fields)
    except MalformedError as error:
        raise PermanentError(f"contact {record['id'][:80]}: {error}") from error
    return replace(submission, occurred_at=changed)
