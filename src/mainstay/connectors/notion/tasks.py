"""The role ``tasks`` on Notion: a task is a page of a database. Contract: notion.json."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from mainstay.connectors.notion.account import listed, strange
from mainstay.connectors.notion.cells import plain_text, rich
from mainstay.connectors.notion.database import Database, as_uuid, changed_at, database_of, find_database, value_of
from mainstay.connectors.notion.pulling import pull
from mainstay.connectors.notion.settings import NotionConnection
from mainstay.kit import (
    Http,
    Made,
    PermanentError,
    PulledRecords,
    RecordStore,
    RecordType,
    Response,
    Sent,
    Task,
    TaskState,
)
from mainstay.kit.lookup import is_of_this_try, same_text
from mainstay.kit.payload import moment
from mainstay.kit.walking import Walk

# How far our clock may be from Notion's where only what is newer is asked for.
CLOCKS_APART = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)


def make_tasks(settings: NotionConnection, http: Http, _store: RecordStore | None = None) -> NotionTasks:
    """Build the role for one attempt."""
    return NotionTasks(settings, http)


class NotionTasks:
    """Tasks as pages."""

    def __init__(self, settings: NotionConnection, http: Http) -> None:
        self._settings = settings
        self._http = http

    async def create_task(self, task: Task) -> Made:
        """Create a page, its notes in it."""
        if not task.title.strip():
            raise PermanentError("a task needs a title")
        database = await find_database(self._http, self._settings, task.project)
        properties: dict[str, Any] = {database.title: {"title": rich(task.title.strip())}}
        if task.due:
            properties[database.require("due")] = {"date": {"start": task.due.isoformat()}}
        if task.labels:
            name = database.require("labels")
            properties[name] = {"multi_select": database.labels(name, task.labels)}
        if task.assignee:
            name = database.require("assignee")
            properties[name] = {"people": [{"object": "user", "id": await self._person(task.assignee)}]}
        if key := database.find("key"):
            properties[key] = {"rich_text": rich(self._our_id())}
        given: dict[str, Any] = {
            "parent": {"type": "data_source_id", "data_source_id": database.id},
            "properties": properties,
        }
        if task.notes.strip():
            paragraph = {"rich_text": rich(task.notes.strip())}
            given["children"] = [{"type": "paragraph", "paragraph": paragraph}]
        return _made((await self._http.request("POST", "/v1/pages", json=given)).data)

    async def find_create_task(self, task: Task) -> Made | None:
        """Look for the page by our id of it, where a property keeps one; else by its title, day and age."""
        database = await find_database(self._http, self._settings, task.project)
        path = f"/v1/data_sources/{database.id}/query"
        if key := database.find("key"):
            wanted: Any = {"property": key, "rich_text": {"equals": self._our_id()}}
            async for page, _ in listed(self._http, "POST", path, {"filter": wanted}):
                return _made(page)
            return None
        since = datetime.now(UTC) - timedelta(seconds=self._http.tried_ago) - CLOCKS_APART
        young = {"timestamp": "created_time", "created_time": {"on_or_after": since.isoformat(timespec="seconds")}}
        titled = {"property": database.title, "title": {"equals": task.title.strip()}}
        due = task.due.isoformat() if task.due else ""
        async for page, answer in listed(self._http, "POST", path, {"filter": {"and": [young, titled]}}):
            is_same = same_text(_title(page, database), task.title) and _due(page, database) == due
            if is_same and _is_of_this_try(page.get("created_time"), answer, self._http):
                return _made(page)
        return None

    async def complete_task(self, task_id: str) -> None:
        """Give a page the status of what is done."""
        page = await self._page_of(task_id)
        database = await self._database_of(page)
        if database.is_done(page):
            return
        name, value = database.done()
        await self._http.request("PATCH", f"/v1/pages/{as_uuid(task_id)}", json={"properties": {name: value}})

    async def add_comment(self, task_id: str, text: str) -> Sent:
        """Comment on a page."""
        _require_id(task_id)
        if not text.strip():
            raise PermanentError("the comment is empty")
        given = {"parent": {"page_id": as_uuid(task_id)}, "rich_text": rich(text.strip())}
        answer = await self._http.request("POST", "/v1/comments", json=given, accept=(404,))
        if answer.status == 404:
            raise _gone(task_id)
        return Sent(_text(answer.data, "id"))

    async def find_add_comment(self, task_id: str, text: str) -> Sent | None:
        """Look for a comment of this text that is no older than this step's first try."""
        _require_id(task_id)
        asked = {"block_id": as_uuid(task_id)}
        async for comment, answer in listed(self._http, "GET", "/v1/comments", asked, accept=(404,)):
            is_same = same_text(plain_text(comment.get("rich_text")), text)
            if is_same and _is_of_this_try(comment.get("created_time"), answer, self._http):
                return Sent(_text(comment, "id"))
        return None

    async def fetch_task(self, task_id: str) -> TaskState | None:
        """Read a page; None where it is in the trash, or not shared with the integration."""
        found = await self.read(task_id)
        return found[0] if found else None

    async def read(self, task_id: str) -> tuple[TaskState, datetime | None] | None:
        """Read a page, and when it came to stand so."""
        _require_id(task_id)
        page = await self._page(task_id)
        if page is None:
            return None
        return await self._state_of(page, await self._database_of(page)), changed_at(page)

    async def pull_records(self, _kind: RecordType, cursor: str) -> PulledRecords:
        """Read a page of the tasks of the connection's database that changed."""
        start = Walk.read(cursor)
        return await pull(self._http, self._state_of, await find_database(self._http, self._settings, ""), start)

    async def _state_of(self, page: Mapping[str, Any], database: Database) -> TaskState:
        """Return the task that a page of a database is."""
        return TaskState(
            id=_text(page, "id"),
            title=_title(page, database),
            is_done=database.is_done(page),
            due=_due(page, database),
            assignee=await self._address(page, database),
            url=str(page.get("url") or ""),
        )

    def _our_id(self) -> str:
        return "mainstay-" + hashlib.sha256(self._http.idempotency_key.encode()).hexdigest()[:32]

    async def _page(self, task_id: str) -> Mapping[str, Any] | None:
        answer = await self._http.request("GET", f"/v1/pages/{as_uuid(task_id)}", accept=(404,))
        page: Mapping[str, Any] = answer.data
        return None if answer.status == 404 or page.get("in_trash") or page.get("archived") else page

    async def _page_of(self, task_id: str) -> Mapping[str, Any]:
        _require_id(task_id)
        page = await self._page(task_id)
        if page is None:
            raise _gone(task_id)
        return page

    async def _database_of(self, page: Mapping[str, Any]) -> Database:
        database = await database_of(self._http, self._settings, page)
        if database is None:
            raise PermanentError(f"the Notion page {page.get('id')} is in no database, so it is no task")
        return database

    async def _person(self, address: str) -> str:
        async for user, _ in listed(self._http, "GET", "/v1/users", {}):
            if _address(user).casefold() == address.strip().casefold():
                return _text(user, "id")
        raise PermanentError(f"nobody in this Notion workspace has the e-mail {address}: invite them first")

    async def _address(self, page: Mapping[str, Any], database: Database) -> str:
        people = value_of(page, database.find("assignee")).get("people")
        first = people[0] if isinstance(people, list) and people else None
        if not isinstance(first, dict):
            return ""
        person = as_uuid(str(first.get("id")))
        if _address(first) or not person:
            return _address(first)
        # The integration may not be allowed to read addresses, and somebody who has left cannot be read; the task can.
        answer = await self._http.request("GET", f"/v1/users/{person}", accept=(403, 404))
        return _address(answer.data) if answer.status not in {403, 404} else ""


def _address(user: Mapping[str, Any]) -> str:
    person = user.get("person")
    return str(person.get("email") or "") if isinstance(person, dict) else ""


def _is_of_this_try(created: Any, answer: Response, http: Http) -> bool:
    """Tell whether a record can come of this step; where Notion cut its time to the minute, it is some younger."""
    made = moment(created)
    if made is None:
        return False
    return is_of_this_try((made if made.second or made.microsecond else made + _MINUTE).isoformat(), answer, http)


def _title(page: Mapping[str, Any], database: Database) -> str:
    return plain_text(value_of(page, database.title).get("title"))


def _due(page: Mapping[str, Any], database: Database) -> str:
    day = value_of(page, database.find("due")).get("date")
    return str(day.get("start") or "")[:10] if isinstance(day, dict) else ""


def _require_id(task_id: str) -> None:
    if not as_uuid(task_id):
        raise PermanentError(f"{task_id[:60]!r} is not the id of a task: Notion's are UUIDs, as create gives back")


def _gone(task_id: str) -> PermanentError:
    return PermanentError(f"Notion has no such task (any more), or it is not shared with the integration: {task_id}")


def _made(page: Mapping[str, Any]) -> Made:
    return Made(_text(page, "id"), str(page.get("url") or ""))


def _text(record: Mapping[str, Any], key: str) -> str:
    found = record.get(key)
    if not isinstance(found, str) or not found:
        raise strange(key)
    return found
