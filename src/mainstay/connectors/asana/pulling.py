"""What changed in a project of Asana's since a cursor: its list, by ``modified_since``. Contract: asana.json.

The list is in the project's own order, which a change does not alter; it knows nothing of what was deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from mainstay.connectors.asana.account import PAGE, strange
from mainstay.connectors.asana.reading import FIELDS, address_of, state_of
from mainstay.kit import Event, Http, PulledRecord, PulledRecords, Response
from mainstay.kit.payload import moment
from mainstay.kit.recording import task_record
from mainstay.kit.walking import Walk

BATCH = int(PAGE)
LAG = timedelta(minutes=2)
_GONE = 400
"""The answer to a page's token that has lapsed: the list is read from its beginning."""


async def pull(http: Http, project: str, start: Walk) -> PulledRecords:
    """Read one page of a project's tasks that changed."""
    asked = {"project": project, "limit": PAGE, "opt_fields": FIELDS, "modified_since": start.since.isoformat()}
    response = await http.request(
        "GET", "/tasks", params=asked | ({"offset": start.token} if start.token else {}), accept=_accepted(start)
    )
    if response.status == _GONE:
        start = Walk(start.since)
        response = await http.request("GET", "/tasks", params=asked)
    tasks = _tasks(response)
    people: dict[str, str] = {}
    for task in tasks:
        gid = _assignee(task)
        if gid and gid not in people:
            people[gid] = await address_of(http, gid)
    page = response.data.get("next_page")
    token = page.get("offset") if isinstance(page, dict) else None
    end = start.after(token if isinstance(token, str) else "", response, LAG)
    return PulledRecords(tuple(_pulled(task, people) for task in tasks), end.write(), bool(end.token))


def _accepted(start: Walk) -> tuple[int, ...]:
    return (_GONE,) if start.token else ()


def _tasks(response: Response) -> list[Mapping[str, Any]]:
    """Return the tasks of an answer, the oldest change first."""
    tasks = response.data.get("data") if isinstance(response.data, dict) else None
    if not isinstance(tasks, list) or not all(isinstance(each, dict) for each in tasks):
        raise strange("list")
    return sorted(tasks, key=_changed_at)


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
