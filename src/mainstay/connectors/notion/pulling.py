"""What changed in a database of Notion's since a cursor: a query by ``last_edited_time``. Contract: notion.json.

The pages come in the order in which they were made, which a change does not alter. What is in the trash is not found.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from mainstay.connectors.notion.account import strange
from mainstay.connectors.notion.database import changed_at
from mainstay.kit import Event, Http, PulledRecord, PulledRecords, Response, TaskState
from mainstay.kit.payload import moment
from mainstay.kit.recording import task_record
from mainstay.kit.walking import Walk, read_page

if TYPE_CHECKING:
    from mainstay.connectors.notion.database import Database

StateOf = Callable[[Mapping[str, Any], "Database"], Awaitable[TaskState]]
BATCH = 100
# Notion cuts the time of a change to the minute.
LAG = timedelta(minutes=3)


async def pull(http: Http, state_of: StateOf, database: Database, start: Walk) -> PulledRecords:
    """Read one page of a database's tasks that changed."""

    async def read(place: Walk) -> Response:
        since = place.since.replace(second=0, microsecond=0).isoformat(timespec="seconds")
        asked: dict[str, Any] = {
            "filter": {"timestamp": "last_edited_time", "last_edited_time": {"on_or_after": since}},
            "sorts": [{"timestamp": "created_time", "direction": "ascending"}],
            "page_size": BATCH,
        }
        if place.token:
            asked["start_cursor"] = place.token
        return await http.request("POST", f"/v1/data_sources/{database.id}/query", json=asked)

    start, response = await read_page(start, read)
    pages = response.data.get("results") if isinstance(response.data, dict) else None
    if not isinstance(pages, list) or not all(isinstance(page, dict) for page in pages):
        raise strange("list")
    following = response.data.get("next_cursor") if response.data.get("has_more") is True else ""
    end = start.after(following if isinstance(following, str) else "", response, LAG)
    records = [await _pulled(state_of, database, page) for page in pages]
    records.sort(key=lambda each: each.event.time or start.since)
    return PulledRecords(tuple(records), end.write(), bool(end.token))


async def _pulled(state_of: StateOf, database: Database, page: Mapping[str, Any]) -> PulledRecord:
    state, at = await state_of(page, database), changed_at(page)
    if at is None:
        raise strange("last_edited_time")
    data = {
        "task": state.id,
        "title": state.title,
        "is_done": state.is_done,
        "due": state.due,
        "assignee": state.assignee,
        "url": state.url,
        "changed": [],
    }
    event = Event("", time=at, data=data, record=task_record(state, at=at))
    return PulledRecord(event, moment(page.get("created_time")))
