"""The role ``tasks`` on Asana. Contract: asana.json."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from mainstay.connectors.asana.account import listed
from mainstay.connectors.asana.pulling import Place, pull
from mainstay.connectors.asana.reading import is_task_id, read_task, record_in, require_id, text_in
from mainstay.connectors.asana.settings import AsanaConnection
from mainstay.kit import Http, Made, PermanentError, PulledRecords, RecordStore, RecordType, Sent, Task, TaskState
from mainstay.kit.lookup import is_of_this_try, same_text

# How far our clock may be from Asana's where only what is newer is asked for.
CLOCKS_APART = timedelta(hours=1)
_ADDRESS = re.compile(r"[^\s/?#@]+@[^\s/?#@]+")
_UNKNOWN = (400, 404)


def make_tasks(settings: AsanaConnection, http: Http, _store: RecordStore | None = None) -> AsanaTasks:
    """Build the role for one attempt."""
    return AsanaTasks(settings, http)


class AsanaTasks:
    """Tasks of a project."""

    def __init__(self, settings: AsanaConnection, http: Http) -> None:
        self._workspace = settings.workspace
        self._project = settings.project
        # Asana keeps an id of ours for apps alone, not for a personal token.
        self._keeps_our_id = bool(settings.client_id)
        self._http = http

    async def create_task(self, task: Task) -> Made:
        """Create a task in a project."""
        if not task.title.strip():
            raise PermanentError("a task needs a title")
        given: dict[str, Any] = {"name": task.title.strip()}
        if task.assignee:
            given["assignee"] = await self._person(task.assignee)
        given["projects"] = [await self._project_of(task.project)]
        if task.notes.strip():
            given["notes"] = task.notes.strip()
        if task.due:
            given["due_on"] = task.due.isoformat()
        if task.labels:
            given["tags"] = await self._tags(task.labels)
        if self._keeps_our_id:
            given["external"] = {"gid": self._our_id()}
        return _made(await self._one("POST", "/tasks", "permalink_url", given))

    async def find_create_task(self, task: Task) -> Made | None:
        """Look for the task by our id of it; else by its words, its day and its age among what changed of late."""
        if self._keeps_our_id:
            path = f"/tasks/external:{self._our_id()}"
            answer = await self._http.request("GET", path, params={"opt_fields": "permalink_url"}, accept=_UNKNOWN)
            if answer.status not in _UNKNOWN:
                return _made(record_in(answer.data))
        project = await self._project_of(task.project)
        since = datetime.now(UTC) - timedelta(seconds=self._http.tried_ago) - CLOCKS_APART
        fields = "name,notes,due_on,created_at,permalink_url"
        query = {"project": project, "modified_since": since.isoformat(timespec="seconds")}
        due = task.due.isoformat() if task.due else None
        async for record, answer in listed(self._http, "/tasks", fields, **query):
            is_same = same_text(record.get("name"), task.title) and same_text(record.get("notes") or "", task.notes)
            if is_same and record.get("due_on") == due and is_of_this_try(record.get("created_at"), answer, self._http):
                return _made(record)
        return None

    async def complete_task(self, task_id: str) -> None:
        """Mark a task as complete; complete already, Asana changes nothing."""
        require_id(task_id)
        await self._one("PUT", f"/tasks/{task_id}", "completed", {"completed": True}, task_id=task_id)

    async def add_comment(self, task_id: str, text: str) -> Sent:
        """Comment on a task."""
        require_id(task_id)
        if not text.strip():
            raise PermanentError("the comment is empty")
        path = f"/tasks/{task_id}/stories"
        return Sent(
            text_in(await self._one("POST", path, "created_at", {"text": text.strip()}, task_id=task_id), "gid")
        )

    async def find_add_comment(self, task_id: str, text: str) -> Sent | None:
        """Look for a comment of this text that is no older than this step's first try."""
        require_id(task_id)
        fields = "text,created_at,resource_subtype"
        async for story, answer in listed(self._http, f"/tasks/{task_id}/stories", fields):
            is_comment = story.get("resource_subtype") == "comment_added" and same_text(story.get("text"), text)
            if is_comment and is_of_this_try(story.get("created_at"), answer, self._http):
                return Sent(text_in(story, "gid"))
        return None

    async def fetch_task(self, task_id: str) -> TaskState | None:
        """Read a task; who is to do it is read beside it."""
        task = await read_task(self._http, task_id)
        return task.state if task else None

    async def pull_records(self, _kind: RecordType, cursor: str) -> PulledRecords:
        """Read a page of the tasks of the connection's project that changed."""
        place = Place.read(cursor)
        return await pull(self._http, await self._project_of(""), place)

    async def _one(
        self, method: str, path: str, fields: str, given: Mapping[str, Any], *, task_id: str = ""
    ) -> Mapping[str, Any]:
        """Write, and return the record that is answered; 404 is of ``task_id`` where one is named."""
        accept = (404,) if task_id else ()
        query = {"opt_fields": fields}
        answer = await self._http.request(method, path, params=query, json={"data": given}, accept=accept)
        if answer.status == 404:
            raise PermanentError(f"Asana has no such task (any more): {task_id}", status=404)
        return record_in(answer.data)

    def _our_id(self) -> str:
        return "mainstay-" + hashlib.sha256(self._http.idempotency_key.encode()).hexdigest()[:32]

    async def _person(self, address: str) -> str:
        wanted = address.strip()
        if _ADDRESS.fullmatch(wanted):
            path = f"/users/{quote(wanted, safe='@')}"
            query = {"opt_fields": "email", "workspace": self._workspace}
            answer = await self._http.request("GET", path, params=query, accept=_UNKNOWN)
            if answer.status not in _UNKNOWN:
                return text_in(record_in(answer.data), "gid")
        raise PermanentError(f"nobody in this Asana workspace has the e-mail {address}: invite them first")

    async def _project_of(self, name: str) -> str:
        wanted = (name or self._project).strip()
        if not wanted:
            raise PermanentError("no project: name one in the call (project=), or in the connection (project)")
        if is_task_id(wanted):
            return wanted
        query = {"workspace": self._workspace, "archived": "false"}
        async for project, _ in listed(self._http, "/projects", "name", **query):
            if str(project.get("name")).strip().casefold() == wanted.casefold():
                return text_in(project, "gid")
        raise PermanentError(f"Asana has no project {wanted!r} that this connection may see: name it, or its number")

    async def _tags(self, labels: tuple[str, ...]) -> list[str]:
        """Return the tags of these names; what the workspace lacks is made."""
        wanted: dict[str, str] = {}
        for label in filter(None, map(str.strip, labels)):
            wanted.setdefault(label.casefold(), label)
        known: dict[str, str] = {}
        path = f"/workspaces/{self._workspace}/tags"
        async for tag, _ in listed(self._http, path, "name"):
            known.setdefault(str(tag.get("name")).strip().casefold(), text_in(tag, "gid"))
            if known.keys() >= wanted.keys():
                break
        for folded, label in wanted.items():
            if folded not in known:
                known[folded] = text_in(await self._one("POST", path, "name", {"name": label}), "gid")
        return [known[folded] for folded in wanted]


def _made(record: Mapping[str, Any]) -> Made:
    return Made(text_in(record, "gid"), str(record.get("permalink_url") or ""))
