"""What changed in a project of Asana's since a cursor: its list, by ``modified_since``. Contract: asana.json.

The list is in the project's own order, which a change does not alter. It knows nothing of what was deleted: that is
among the project's events since a sync token, which Asana keeps for a day or so; of what was deleted before, webhooks
alone tell.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mainstay.connectors.asana.account import PAGE, strange
from mainstay.connectors.asana.reading import FIELDS, address_of, state_of
from mainstay.kit import Event, Http, PulledRecord, PulledRecords, Response
from mainstay.kit.payload import moment
from mainstay.kit.recording import task_gone, task_record
from mainstay.kit.walking import Walk, read_page

BATCH = int(PAGE)
LAG = timedelta(minutes=2)
MOST_EVENTS = 20
"""Pages of events, of 100 each, that one pull reads; the next goes on."""
_NO_TOKEN = 412
_WRITTEN = re.compile(r"(.*?)(?:#([!-~]{1,500}))?")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pull goes on: in the list, and by Asana's sync token in the events."""

    walk: Walk
    sync: str = ""

    @classmethod
    def read(cls, written: str) -> Place:
        """Read what :meth:`write` gave. Raises PermanentError for what is no cursor."""
        found = _WRITTEN.fullmatch(written)
        return cls(Walk.read(found[1] if found else written), (found[2] if found else "") or "")

    def write(self) -> str:
        """Return it as text."""
        return self.walk.write() + (f"#{self.sync}" if self.sync else "")


async def pull(http: Http, project: str, place: Place) -> PulledRecords:
    """Read one page of a project's tasks that changed; with the last one what was deleted."""
    found, end = await _changed(http, project, place.walk)
    gone: list[PulledRecord] = []
    sync = place.sync
    if not end.token:
        gone, sync = await _deleted(http, project, place.sync)
    records = sorted([*found, *gone], key=lambda each: each.event.time or end.since)
    return PulledRecords(tuple(records), Place(end, sync).write(), bool(end.token))


async def _deleted(http: Http, project: str, sync: str) -> tuple[list[PulledRecord], str]:
    """Return the tasks that were deleted since a sync token, and the next; without a good one none."""
    gone: dict[str, datetime | None] = {}
    for _ in range(MOST_EVENTS):
        asked = {"resource": project, "opt_fields": "action,created_at,resource"} | ({"sync": sync} if sync else {})
        response = await http.request("GET", "/events", params=asked, accept=(_NO_TOKEN,))
        told = response.data.get("sync") if isinstance(response.data, dict) else None
        if not isinstance(told, str):
            raise strange("sync")
        sync = told
        if response.status == _NO_TOKEN:
            return [], sync
        for event in response.data.get("data") or ():
            resource = event.get("resource") if isinstance(event, dict) else None
            gid = str(resource.get("gid") or "") if isinstance(resource, dict) else ""
            if gid and isinstance(resource, dict) and resource.get("resource_type") == "task":
                if event.get("action") == "deleted":
                    gone[gid] = moment(event.get("created_at"))
                elif event.get("action") == "undeleted":
                    gone.pop(gid, None)
        if response.data.get("has_more") is not True:
            break
    return [_gone(gid, at) for gid, at in gone.items()], sync


def _gone(gid: str, at: datetime | None) -> PulledRecord:
    data = {"task": gid, "is_done": False, "changed": []}
    return PulledRecord(Event("", time=at, data=data, record=task_gone(gid, at)))


async def _changed(http: Http, project: str, start: Walk) -> tuple[list[PulledRecord], Walk]:
    async def read(place: Walk) -> Response:
        since = place.since.isoformat()
        asked = {"project": project, "limit": PAGE, "opt_fields": FIELDS, "modified_since": since}
        offset = {"offset": place.token} if place.token else {}
        return await http.request("GET", "/tasks", params=asked | offset)

    start, response = await read_page(start, read)
    tasks = _tasks(response)
    people: dict[str, str] = {}
    for task in tasks:
        gid = _assignee(task)
        if gid and gid not in people:
            people[gid] = await address_of(http, gid)
    page = response.data.get("next_page")
    token = page.get("offset") if isinstance(page, dict) else None
    end = start.after(token if isinstance(token, str) else "", response, LAG)
    return [_pulled(task, people) for task in tasks], end


def _tasks(response: Response) -> list[Mapping[str, Any]]:
    """Return the tasks of an answer."""
    tasks = response.data.get("data") if isinstance(response.data, dict) else None
    if not isinstance(tasks, list) or not all(isinstance(each, dict) for each in tasks):
        raise strange("list")
    return tasks


def _changed_at(task: Mapping[str, Any]) -> datetime:
    at = moment(task.get("modified_at"))
    if at is None:
        raise strange("modified_at")
    return at


def _assignee(task: Mapping[str, Any]) -> str:
    assignee = task.get("assignee")
    return str(assignee.get("gid") or "") if isinstance(assignee, dict) else ""


def _pulled(task: Mapping[str, Any], people: Mapping[str, str]) -> PulledRecord:
    state, at = state_of(task, people.get(_assignee(task), "")), _changed_at(task)
    data = {"task": state.id, "title": state.title, "is_done": state.is_done, "due": state.due}
    data |= {"assignee": state.assignee, "url": state.url, "changed": []}
    event = Event("", time=at, data=data, record=task_record(state, at=at))
    return PulledRecord(event, moment(task.get("created_at")))
