"""A simulator of Asana's tasks, tags, projects, users and stories."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from mainstay.kit.payload import moment
from mainstay.sandbox.state import Configurable, Effects, Ids, token_is_good
from mainstay.sandbox.wire import Json, Reply, Request, SettingError, answer, now_iso

WORKSPACE = "1200000000000001"
_BASE = "/api/1.0"
_PAGE, _MOST_EVENTS = 20, 100
_TASK_KEYS = {"name", "notes", "due_on", "assignee", "projects", "tags", "external", "completed", "workspace"}
_COMPACT = {"gid", "resource_type", "name", "resource_subtype"}


@dataclass(frozen=True)
class Settings:
    """``PUT /_control/config/asana``.

    ``tokens`` lists the good tokens (None: any). ``list_lag_ms`` is how far the list of tasks stays behind. ``apps``
    lists the tokens of OAuth apps, for which alone an id of their own is kept (None: for each). ``forgets_events``
    makes every sync token one that is too old.
    """

    tokens: list[str] | None = None
    list_lag_ms: int = 0
    apps: list[str] | None = None
    forgets_events: bool = False


class _RefusalError(Exception):
    def __init__(self, status: int, said: str) -> None:
        self.status = status
        super().__init__(said)


class Asana(Configurable):
    """Asana's API, as far as tasks go."""

    name = "asana"

    def __init__(self) -> None:
        """Start with a workspace of two projects."""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.settings = Settings()
        self._ids = Ids(self.name)
        self._effects = Effects()
        self._records: dict[str, list[dict[str, Json]]] = {
            kind: [] for kind in ("tasks", "tags", "projects", "users", "stories")
        }
        self._made_at: dict[str, float] = {}
        self._events: list[dict[str, Json]] = []
        self._workspace = {"gid": WORKSPACE, "resource_type": "workspace", "name": "Sandbox"}
        for name in ("Leads", "Sales"):
            self._add("projects", name=name)
        self._add("users", name="Mainstay", email="bot@example.com")

    def state(self) -> dict[str, Json]:
        """Return every record, oldest first, and the effects."""
        return {**self._records, "effects": self._effects.listing()}

    def seed(self, kind: str, records: list[dict[str, Json]]) -> int:
        """Put in ``users`` (``email``, ``name``), ``projects`` and ``tags`` (``name``), or ``tasks``.

        Of a task of the first project any field, with its ``gid`` to change one that is there.
        """
        if kind not in {"users", "projects", "tags", "tasks"}:
            raise SettingError(f"asana has no {kind} to seed; there are users, projects, tags and tasks")
        for record in records:
            if kind != "tasks":
                self._add(kind, **record)
            elif "gid" in record:
                self._task(record["gid"]).update(record)
            else:
                self._add_task({"projects": [self._records["projects"][0]["gid"]], **record})
        return len(records)

    def _add(self, kind: str, **values: Json) -> dict[str, Json]:
        number = self._ids.number("gid")
        singular = "story" if kind == "stories" else kind[:-1]
        record = {"gid": str(1200000000001000 + number), "resource_type": singular, **values}
        self._records[kind].append(record)
        self._made_at[record["gid"]] = time.monotonic()
        return record

    def handle(self, request: Request) -> Reply:
        """Answer one request."""
        if not request.bearer or not token_is_good(request.bearer, self.settings.tokens):
            return _error(401, "Not Authorized")
        try:
            return self._answer(request)
        except _RefusalError as refusal:
            return _error(refusal.status, str(refusal))

    def failure(self, request: Request, status: int, retry_after: float | None) -> Reply:  # noqa: ARG002
        """Return Asana's error shape."""
        headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
        return _error(status, "The request was refused.", headers)

    def _answer(self, request: Request) -> Reply:  # noqa: C901, PLR0911, PLR0912 one line for each route
        parts = request.path.removeprefix(_BASE).strip("/").split("/")
        query = dict(request.query)
        parts = [part.replace("%40", "@").replace("%3A", ":") for part in parts]
        match request.method, *parts:
            case "GET", "tasks":
                return self._page(self._listed(query), query)
            case "POST", "tasks":
                return self._create(request, query)
            case "GET", "tasks", gid:
                return answer(200, {"data": self._shown(self._task(gid), query)})
            case "PUT", "tasks", gid:
                return self._update(self._task(gid), request, query)
            case "DELETE", "tasks", gid:
                self._records["tasks"].remove(task := self._task(gid))
                self._happened("deleted", task)
                self._effects.add("task.deleted", task["gid"], request)
                return answer(200, {"data": {}})
            case "GET", "tasks", gid, "stories":
                task = self._task(gid)["gid"]
                return self._page([each for each in self._records["stories"] if each["target"] == task], query)
            case "POST", "tasks", gid, "stories":
                return self._comment(self._task(gid), request, query)
            case "GET", "events":
                return self._told(query)
            case "GET", "projects":
                return self._page(self._records["projects"], query)
            case "GET", "workspaces", gid, "tags" if gid == WORKSPACE:
                return self._page(self._records["tags"], query)
            case "POST", "workspaces", gid, "tags" if gid == WORKSPACE:
                tag = self._add("tags", name=str(_data(request).get("name") or ""))
                self._effects.add("label.created", tag["gid"], request)
                return answer(201, {"data": self._shown(tag, query)})
            case "GET", "users", who:
                return answer(200, {"data": self._shown(self._user(who), query)})
            case _:
                raise _RefusalError(404, f"No matching route for request: {request.path}")

    def _task(self, gid: str) -> dict[str, Json]:
        named = gid.removeprefix("external:") if gid.startswith("external:") else None
        for task in self._records["tasks"]:
            if task["gid"] == gid or (named and (task["external"] or {}).get("gid") == named):
                return task
        raise _RefusalError(404, f"task: Unknown object: {gid}")

    def _user(self, who: Json) -> dict[str, Json]:
        users = self._records["users"]
        if who == "me":
            return users[0] | {"workspaces": [self._workspace]}
        for user in users:
            if who == user["gid"] or str(who).casefold() == user["email"].casefold():
                return user
        raise _RefusalError(404, f"user: Unknown object: {who}")

    def _create(self, request: Request, query: Mapping[str, str]) -> Reply:
        given = _data(request)
        if unknown := set(given) - _TASK_KEYS:
            raise _RefusalError(400, f"Unrecognized field {min(unknown)}")
        if not given.get("projects") and not given.get("workspace"):
            raise _RefusalError(400, "You should specify one of workspace, parent, projects")
        _require_date(given.get("due_on"))
        external = given.get("external")
        if external and self.settings.apps is not None and request.bearer not in self.settings.apps:
            external = None
        task = self._add_task(given | {"external": external})
        self._effects.add("task.created", task["gid"], request)
        return answer(201, {"data": self._shown(task, query)})

    def _add_task(self, given: Mapping[str, Json]) -> dict[str, Json]:
        now = now_iso()
        made = {
            "created_at": now,
            "modified_at": now,
            "completed": False,
            "due_on": None,
            "external": None,
            "notes": "",
        }
        links: dict[str, Json] = {
            "assignee": self._user(given["assignee"]) if given.get("assignee") else None,
            "projects": [self._named("projects", gid) for gid in given.get("projects", ())],
            "tags": [self._named("tags", gid) for gid in given.get("tags", ())],
        }
        task = self._add("tasks", **{**made, **given, **links})
        task["permalink_url"] = f"https://app.asana.com/1/{WORKSPACE}/task/{task['gid']}"
        self._happened("added", task)
        return task

    def _happened(self, action: str, task: Mapping[str, Json]) -> None:
        about = {"resource": _compact(task), "created_at": now_iso()}
        projects = [each["gid"] for each in task["projects"]]
        self._events.append({"of": projects, "told": {**about, "type": "task", "action": action}})

    def _told(self, query: Mapping[str, str]) -> Reply:
        """Return what happened in a project since a sync token; a fresh token where that is none, or too old."""
        self._named("projects", query.get("resource"))
        known = re.fullmatch(r"sync(\d+)", query.get("sync", ""))
        if known is None or self.settings.forgets_events:
            told = [{"message": "Sync token invalid or too old."}]
            return answer(412, {"sync": f"sync{len(self._events)}", "errors": told})
        start = int(known[1])
        end = min(len(self._events), start + _MOST_EVENTS)
        shown = [each["told"] for each in self._events[start:end] if query["resource"] in each["of"]]
        return answer(200, {"data": shown, "sync": f"sync{end}", "has_more": end < len(self._events)})

    def _named(self, kind: str, gid: Json) -> dict[str, Json]:
        for record in self._records[kind]:
            if record["gid"] == gid:
                return record
        raise _RefusalError(400, f"{kind}: [0]: Not a recognized ID: {gid}")

    def _update(self, task: dict[str, Json], request: Request, query: Mapping[str, str]) -> Reply:
        given = _data(request)
        if not isinstance(given.get("completed"), bool) or set(given) != {"completed"}:
            raise _RefusalError(400, "the sandbox changes nothing but completed")
        if task["completed"] != given["completed"]:
            task |= {"completed": given["completed"], "modified_at": now_iso()}
            self._effects.add("task.updated", task["gid"], request)
        return answer(200, {"data": self._shown(task, query)})

    def _comment(self, task: dict[str, Json], request: Request, query: Mapping[str, str]) -> Reply:
        said = _data(request).get("text")
        if not isinstance(said, str) or not said:
            raise _RefusalError(400, "text: Missing input")
        words = {"text": said, "created_at": now_iso(), "target": task["gid"]}
        story = self._add("stories", resource_subtype="comment_added", type="comment", **words)
        self._effects.add("comment.created", story["gid"], request)
        return answer(201, {"data": self._shown(story, query)})

    def _listed(self, query: Mapping[str, str]) -> list[dict[str, Json]]:
        """Return a project's tasks, but for those too young for the list."""
        project, since = query.get("project"), moment(query.get("modified_since"))
        if not project:
            raise _RefusalError(400, "You should specify one of project, tag, section, assignee and workspace")
        self._named("projects", project)
        horizon = time.monotonic() - self.settings.list_lag_ms / 1000
        return [
            task
            for task in self._records["tasks"]
            if any(each["gid"] == project for each in task["projects"])
            and self._made_at[task["gid"]] <= horizon
            and (since is None or (moment(task["modified_at"]) or since) >= since)
        ]

    def _page(self, records: list[dict[str, Json]], query: Mapping[str, str]) -> Reply:
        limit, offset = query.get("limit", str(_PAGE)), query.get("offset", "o0")
        if not limit.isdigit() or not 1 <= int(limit) <= 100 or not re.fullmatch(r"o\d+", offset):
            raise _RefusalError(400, "limit: Must be between 1 and 100; offset: Your pagination token is invalid")
        start, end = int(offset[1:]), int(offset[1:]) + int(limit)
        following = None
        if len(records) > end:
            path = f"/tasks?limit={limit}&offset=o{end}"
            following = {"offset": f"o{end}", "path": path, "uri": f"https://app.asana.com{_BASE}{path}"}
        return answer(200, {"data": [self._shown(each, query) for each in records[start:end]], "next_page": following})

    @staticmethod
    def _shown(record: Mapping[str, Json], query: Mapping[str, str]) -> dict[str, Json]:
        """Return of a record the fields that are asked for; of records in it their compact form."""
        asked = {name.partition(".")[0] for name in query.get("opt_fields", "").split(",") if name}
        wanted = asked | {"gid"} if asked else set(record) & _COMPACT
        shown = {name: _compact(value) for name, value in record.items() if name in wanted and name != "target"}
        # Asana answers null where nobody is to do it; by its own contract that is no answer.
        return {name: value for name, value in shown.items() if name != "assignee" or value is not None}


def _compact(value: Json) -> Json:
    if isinstance(value, list):
        return [_compact(each) for each in value]
    if isinstance(value, dict) and "resource_type" in value:
        return {name: value[name] for name in value if name in {"gid", "resource_type", "name"}}
    return value


def _data(request: Request) -> Any:
    try:
        data = request.json()["data"]
    except (ValueError, KeyError, TypeError):
        data = None
    if not isinstance(data, dict):
        raise _RefusalError(400, "Could not parse request data, invalid JSON")
    return data


def _require_date(value: Json) -> None:
    try:
        if value is not None:
            date.fromisoformat(value)
    except (ValueError, TypeError):
        raise _RefusalError(400, f"due_on: Value is not a date: {value}") from None


def _error(status: int, said: str, headers: Mapping[str, str] | None = None) -> Reply:
    told = {"message": said, "help": "For more information on API status codes and how to handle them, read the docs"}
    if status >= 500:
        told = {"message": "Server Error", "phrase": "6 sad squid snuggle softly"}
    return answer(status, {"errors": [told]}, headers)


SIMULATOR = Asana
