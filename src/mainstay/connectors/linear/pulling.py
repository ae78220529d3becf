"""What changed in Linear since a cursor: its issues by ``updatedAt``. Contract: linear.graphql.

They come in the order in which they were made, which a change does not alter. What is in the trash comes as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from mainstay.connectors.linear.account import ask_whole, strange
from mainstay.connectors.linear.records import DONE, issue_record
from mainstay.kit import Event, Http, PulledRecord, PulledRecords, Response, TaskState
from mainstay.kit.payload import moment, text
from mainstay.kit.pulling import utc
from mainstay.kit.recording import task_gone
from mainstay.kit.walking import Walk, read_page

BATCH = 50
LAG = timedelta(minutes=2)
CHANGED = """query Changed($issues: IssueFilter, $after: String, $first: Int) {
  issues(filter: $issues, includeArchived: true, orderBy: createdAt, first: $first, after: $after) {
    nodes {
      id identifier title dueDate url trashed createdAt updatedAt
      assignee { email } state { type name } team { id name }
    }
    pageInfo { hasNextPage endCursor }
  }
}"""


async def pull(http: Http, team: str, cursor: str) -> PulledRecords:
    """Read one page of the issues that changed: of a team, by its key, name or id, or of all that may be seen."""

    async def read(place: Walk) -> tuple[Mapping[str, Any], Response]:
        issues: dict[str, Any] = {"updatedAt": {"gte": utc(place.since)}}
        if team:
            same: list[dict[str, Any]] = [{"key": {"eqIgnoreCase": team}}, {"name": {"eqIgnoreCase": team}}]
            issues["team"] = {"or": same}
        return await ask_whole(http, CHANGED, {"issues": issues, "after": place.token or None, "first": BATCH})

    start, (data, response) = await read_page(Walk.read(cursor), read)
    found = _object(data.get("issues"))
    nodes, info = found.get("nodes"), _object(found.get("pageInfo"))
    if not isinstance(nodes, list) or not all(isinstance(node, dict) for node in nodes):
        raise strange("issues")
    token = text(info.get("endCursor")) if info.get("hasNextPage") is True else ""
    end = start.after(token, response, LAG)
    records = sorted(map(_pulled, nodes), key=lambda each: each.event.time or start.since)
    return PulledRecords(tuple(records), end.write(), bool(end.token))


def _pulled(issue: Mapping[str, Any]) -> PulledRecord:
    at, task_id, state = moment(issue.get("updatedAt")), text(issue.get("id")), _object(issue.get("state"))
    if at is None or not task_id:
        raise strange("updatedAt")
    told = TaskState(
        id=task_id,
        title=text(issue.get("title")),
        is_done=text(state.get("type")) == DONE,
        due=text(issue.get("dueDate")),
        assignee=text(_object(issue.get("assignee")).get("email")),
        url=text(issue.get("url")),
    )
    data = {
        "task": told.id,
        "title": told.title,
        "is_done": told.is_done,
        "state": text(state.get("name")),
        "due": told.due,
        "assignee": told.assignee,
        "url": told.url,
        "number": text(issue.get("identifier")),
        "changed": [],
    }
    record = task_gone(task_id, at) if issue.get("trashed") is True else issue_record(told, issue, at=at)
    return PulledRecord(Event("", time=at, data=data, record=record), moment(issue.get("createdAt")))


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
