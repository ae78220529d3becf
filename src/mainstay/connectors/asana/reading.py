"""A task as Asana answers it. Contract: asana.json."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from mainstay.connectors.asana.account import strange
from mainstay.kit import Http, PermanentError, TaskState

FIELDS = "name,completed,due_on,permalink_url,assignee,created_at,modified_at"
"""What is read of a task."""
_GID = re.compile(r"\d{1,30}")


class ReadTask:
    """A task as Asana answers it, and its state in our words."""

    def __init__(self, record: Mapping[str, Any], state: TaskState) -> None:
        self.created_at = record.get("created_at")
        self.modified_at = record.get("modified_at")
        self.state = state


async def read_task(http: Http, task_id: str) -> ReadTask | None:
    """Read a task, and the address of who is to do it; None where it is gone."""
    require_id(task_id)
    answer = await http.request("GET", f"/tasks/{task_id}", params={"opt_fields": FIELDS}, accept=(404,))
    if answer.status == 404:
        return None
    record = record_in(answer.data)
    assignee = record.get("assignee")
    address = await address_of(http, text_in(assignee, "gid")) if isinstance(assignee, dict) else ""
    return ReadTask(record, state_of(record, address))


async def address_of(http: Http, gid: str) -> str:
    """Return somebody's address; of somebody who has left, and cannot be read any more, none."""
    path = f"/users/{quote(gid, safe='')}"
    person = await http.request("GET", path, params={"opt_fields": "email"}, accept=(403, 404))
    return str(record_in(person.data).get("email") or "") if person.status == 200 else ""


def state_of(record: Mapping[str, Any], address: str) -> TaskState:
    """Return a task as Asana shows it; ``address`` is that of who is to do it."""
    return TaskState(
        id=text_in(record, "gid"),
        title=text_in(record, "name"),
        is_done=record.get("completed") is True,
        due=str(record.get("due_on") or ""),
        assignee=address,
        url=str(record.get("permalink_url") or ""),
    )


def is_task_id(text: str) -> bool:
    """Tell whether a text can be Asana's id of a task."""
    return _GID.fullmatch(text) is not None


def require_id(task_id: str) -> None:
    """Raise PermanentError for what is no id of a task."""
    if not is_task_id(task_id):
        raise PermanentError(f"{task_id[:60]!r} is not the id of a task: Asana's are numbers, as create gives back")


def record_in(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the record of an answer."""
    record = answer.get("data")
    if not isinstance(record, dict):
        raise strange("record")
    return record


def text_in(record: Mapping[str, Any], key: str) -> str:
    """Return a text that must be there."""
    found = record.get(key)
    if not isinstance(found, str) or not found:
        raise strange(key)
    return found
