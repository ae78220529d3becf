"""A simulator of Notion's databases, pages, comments and users."""

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

_UUID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}")
_LONGEST, _MOST_PARTS, _PAGE = 2000, 100, 100
_CODES = {
    400: "validation_error",
    401: "unauthorized",
    403: "restricted_resource",
    404: "object_not_found",
    409: "conflict_error",
    429: "rate_limited",
    500: "internal_server_error",
    502: "bad_gateway",
    503: "service_unavailable",
    504: "gateway_timeout",
    529: "service_overload",
}
_STATUSES = (("Not started", "To-do"), ("In progress", "In progress"), ("Done", "Complete"), ("Dropped", "Complete"))


@dataclass(frozen=True)
class Settings:
    """``PUT /_control/config/notion``.

    ``tokens`` lists the good tokens (None: any). ``query_lag_ms`` is how far queries stay behind. ``exact_times`` gives
    times in full; Notion is known to cut them to the minute. ``hides_people`` keeps e-mails from the integration.
    """

    tokens: list[str] | None = None
    query_lag_ms: int = 0
    exact_times: bool = False
    hides_people: bool = False


class _RefusalError(Exception):
    def __init__(self, status: int, said: str) -> None:
        self.status = status
        super().__init__(said)


class Notion(Configurable):
    """Notion's API, as far as tasks go."""

    name = "notion"

    def __init__(self) -> None:
        """Start with two databases of one data source each."""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.settings = Settings()
        self._ids = Ids(self.name)
        self._effects = Effects()
        self._pages: list[dict[str, Json]] = []
        self._comments: list[dict[str, Json]] = []
        self._users: list[dict[str, Json]] = []
        self._sources: list[dict[str, Json]] = []
        self._made_at: dict[str, float] = {}
        for title, status in (("Tasks", "status"), ("Sales", "checkbox")):
            self._source(title, status)

    def state(self) -> dict[str, Json]:
        """Return every record, oldest first, and the effects."""
        return {
            "pages": self._pages,
            "comments": self._comments,
            "users": self._users,
            "data_sources": self._sources,
            "effects": self._effects.listing(),
        }

    def seed(self, kind: str, records: list[dict[str, Json]]) -> int:
        """Put in ``users`` (``email``, ``name``), or add ``properties`` (``name``, ``type``) to each database."""
        for record in records:
            if kind == "users":
                person = {"email": record["email"]}
                user = {"object": "user", "id": self._ids.uuid("user"), "type": "person", "person": person}
                self._users.append(user | {"name": record.get("name", ""), "avatar_url": None})
            elif kind == "properties":
                for source in self._sources:
                    source["properties"][record["name"]] = _property(record["name"], record["type"], {})
            else:
                raise SettingError(f"notion has no {kind} to seed; there are users and properties")
        return len(records)

    def _source(self, title: str, status: str) -> None:
        options = [{"id": self._ids.uuid("option"), "name": name, "color": "default"} for name, _ in _STATUSES]
        groups = [
            {
                "id": self._ids.uuid("group"),
                "name": group,
                "color": "default",
                "option_ids": [options[at]["id"] for at, (_, its) in enumerate(_STATUSES) if its == group],
            }
            for group in dict.fromkeys(group for _, group in _STATUSES)
        ]
        told = {"options": options, "groups": groups} if status == "status" else {}
        properties = {
            "Name": _property("Name", "title", {}),
            "State": _property("State", status, told),
            "Due": _property("Due", "date", {}),
            "Owner": _property("Owner", "people", {}),
            "Tags": _property("Tags", "multi_select", {"options": []}),
        }
        self._sources.append(
            {
                "object": "data_source",
                "id": self._ids.uuid("data_source"),
                "title": _rich(title),
                "parent": {"type": "database_id", "database_id": self._ids.uuid("database")},
                "properties": properties,
                "in_trash": False,
            }
        )

    def handle(self, request: Request) -> Reply:
        """Answer one request."""
        if not request.bearer or not token_is_good(request.bearer, self.settings.tokens):
            return self.failure(request, 401, None)
        if not request.headers.get("Notion-Version"):
            return _error(400, "Notion-Version header failed validation: should be defined, instead was undefined.")
        try:
            return self._answer(request)
        except _RefusalError as refusal:
            return _error(refusal.status, str(refusal))
        except (ValueError, KeyError, TypeError, AttributeError):
            return _error(400, "body failed validation.")

    def failure(self, request: Request, status: int, retry_after: float | None) -> Reply:  # noqa: ARG002
        """Return Notion's error shape."""
        headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
        return _error(status, "The request was refused.", headers)

    def _answer(self, request: Request) -> Reply:  # noqa: C901, PLR0911, PLR0912 one line for each route
        parts = request.parts[1:]
        query = dict(request.query)
        match request.method, *parts:
            case "GET", "users", "me":
                bot = {"owner": {"type": "workspace", "workspace": True}, "workspace_name": "Sandbox"}
                return answer(200, {"object": "user", "id": "1", "name": "Mainstay", "type": "bot", "bot": bot})
            case "GET", "users":
                return self._listed([self._shown_user(each) for each in self._users], query)
            case "GET", "users", user:
                return answer(200, self._shown_user(self._one(self._users, user)))
            case "POST", "search":
                asked = request.json()
                words = asked["query"].casefold()
                found = [each for each in self._sources if words in _plain(each["title"]).casefold()]
                return self._listed(found, asked)
            case "GET", "databases", database:
                held = [each for each in self._sources if _same(each["parent"]["database_id"], database)]
                first = self._one(held, held[0]["id"] if held else database)
                listed = [{"id": first["id"], "name": _plain(first["title"])}]
                return answer(200, {"object": "database", "id": database, "data_sources": listed})
            case "GET", "data_sources", source:
                return answer(200, self._one(self._sources, source))
            case "POST", "data_sources", source, "query":
                return self._query(self._one(self._sources, source), request.json())
            case "POST", "pages":
                return self._create(request)
            case "GET", "pages", page:
                return answer(200, self._shown(self._one(self._pages, page)))
            case "PATCH", "pages", page:
                return self._update(self._one(self._pages, page), request)
            case "POST", "comments":
                return self._comment(request)
            case "GET", "comments":
                owner = self._one(self._pages, query["block_id"])["id"]
                return self._listed([each for each in self._comments if each["parent"]["page_id"] == owner], query)
            case _:
                raise _RefusalError(400, "Invalid request URL.")

    def _create(self, request: Request) -> Reply:
        given = request.json()
        source = self._one(self._sources, given["parent"]["data_source_id"])
        now = self._now()
        page: dict[str, Json] = {
            "object": "page",
            "id": self._ids.uuid("page"),
            "created_time": now,
            "last_edited_time": now,
            "in_trash": False,
            "archived": False,
            "parent": {"type": "data_source_id", "data_source_id": source["id"], **source["parent"]},
            "properties": {name: self._empty(each) for name, each in source["properties"].items()},
            "children": [_blocks(block) for block in given.get("children", ())],
        }
        page["parent"]["type"] = "data_source_id"
        page["url"] = f"https://www.notion.so/{page['id'].replace('-', '')}"
        self._set(page, source, given["properties"])
        self._pages.append(page)
        self._made_at[page["id"]] = time.monotonic()
        self._effects.add("task.created", page["id"], request)
        return answer(200, self._shown(page))

    def _update(self, page: dict[str, Json], request: Request) -> Reply:
        given = request.json()
        if page["in_trash"] and given.get("in_trash") is not False:
            raise _RefusalError(400, "Can't edit block that is archived. You must unarchive the block before editing.")
        if "properties" in given:
            self._set(page, self._one(self._sources, page["parent"]["data_source_id"]), given["properties"])
        if "in_trash" in given:
            page |= {"in_trash": given["in_trash"], "archived": given["in_trash"]}
        page["last_edited_time"] = self._now()
        self._effects.add("task.updated", page["id"], request)
        return answer(200, self._shown(page))

    def _comment(self, request: Request) -> Reply:
        given = request.json()
        page = self._one(self._pages, given["parent"]["page_id"])
        comment: dict[str, Json] = {
            "object": "comment",
            "id": self._ids.uuid("comment"),
            "parent": {"type": "page_id", "page_id": page["id"]},
            "created_time": self._now(),
            "rich_text": _parts(given["rich_text"]),
        }
        self._comments.append(comment)
        self._effects.add("comment.created", comment["id"], request)
        return answer(200, comment)

    def _set(self, page: dict[str, Json], source: dict[str, Json], given: Mapping[str, Json]) -> None:
        """Put values into a page's properties, as Notion reads and shows them."""
        for name, value in given.items():
            told = source["properties"].get(name)
            if told is None:
                raise _RefusalError(400, f"{name} is not a property that exists.")
            kind = told["type"]
            if kind not in value:
                raise _RefusalError(400, f"{name} is expected to be {kind}.")
            page["properties"][name] = {"id": told["id"], "type": kind, kind: self._value(told, kind, value[kind])}

    def _value(self, told: dict[str, Json], kind: str, value: Any) -> Json:
        if kind in {"title", "rich_text"}:
            return _parts(value)
        if kind == "date":
            date.fromisoformat(value["start"])
            return {"start": value["start"], "end": None, "time_zone": None}
        if kind == "people":
            return [self._one(self._users, each["id"], 400) for each in value]
        if kind == "multi_select":
            return [self._option(told, each["name"]) for each in value]
        if kind == "status":
            found = next((each for each in told["status"]["options"] if each["name"] == value["name"]), None)
            if found is None:
                raise _RefusalError(400, f'Status option "{value["name"]}" does not exist')
            return found
        return bool(value)

    def _option(self, told: dict[str, Json], name: str) -> dict[str, Json]:
        if "," in name or not name or len(name) > _MOST_PARTS:
            raise _RefusalError(400, "Invalid multi_select value")
        options = told["multi_select"]["options"]
        for option in options:
            if option["name"].casefold() == name.casefold():
                return dict(option)
        options.append({"id": self._ids.word("option", 4), "name": name, "color": "default"})
        return dict(options[-1])

    @staticmethod
    def _empty(told: Mapping[str, Json]) -> dict[str, Json]:
        kind = told["type"]
        empty: Json = [] if kind in {"title", "rich_text", "people", "multi_select"} else None
        if kind == "status":
            empty = told["status"]["options"][0]
        if kind == "checkbox":
            empty = False
        return {"id": told["id"], "type": kind, kind: empty}

    def _query(self, source: dict[str, Json], asked: Mapping[str, Json]) -> Reply:
        horizon = time.monotonic() - self.settings.query_lag_ms / 1000
        found = [
            self._shown(page)
            for page in self._pages
            if page["parent"]["data_source_id"] == source["id"]
            and not page["in_trash"]
            and self._made_at[page["id"]] <= horizon
            and _matches(page, asked.get("filter") or {"and": []})
        ]
        return self._listed(found, asked)

    def _shown_user(self, user: dict[str, Json]) -> dict[str, Json]:
        return user | {"person": {}} if self.settings.hides_people else user

    def _shown(self, page: Mapping[str, Json]) -> dict[str, Json]:
        """Return a page without what is in it, and its people as the integration may see them."""
        properties = dict(page["properties"])
        for name, value in properties.items():
            if "people" in value:
                properties[name] = value | {"people": [self._shown_user(each) for each in value["people"]]}
        return {key: value for key, value in page.items() if key != "children"} | {"properties": properties}

    def _now(self) -> str:
        now = now_iso()
        return now if self.settings.exact_times else f"{now[:17]}00.000Z"

    @staticmethod
    def _one(records: list[dict[str, Json]], wanted: str, status: int = 404) -> dict[str, Json]:
        if not _UUID.fullmatch(wanted.lower()):
            raise _RefusalError(400, "path failed validation: id should be a valid uuid")
        for record in records:
            if _same(record["id"], wanted):
                return record
        raise _RefusalError(status, f"Could not find object with ID: {wanted}. Is it shared with the integration?")

    @staticmethod
    def _listed(records: list[dict[str, Json]], asked: Mapping[str, Json]) -> Reply:
        size, start = int(asked.get("page_size", _PAGE)), int(asked.get("start_cursor", "0"))
        if not 1 <= size <= _PAGE:
            raise _RefusalError(400, "page_size should be from 1 to 100")
        more = len(records) > start + size
        page = {"object": "list", "results": records[start : start + size], "has_more": more}
        return answer(200, page | {"next_cursor": str(start + size) if more else None})


def _property(name: str, kind: str, told: dict[str, Json]) -> dict[str, Json]:
    return {"id": name.lower()[:4], "name": name, "type": kind, kind: told}


def _same(one: str, other: str) -> bool:
    return one.replace("-", "") == other.lower().replace("-", "")


def _rich(content: str) -> list[dict[str, Json]]:
    return [{"type": "text", "text": {"content": content, "link": None}, "plain_text": content, "href": None}]


def _parts(given: Any) -> list[dict[str, Json]]:
    contents = [part["text"]["content"] for part in given]
    if len(contents) > _MOST_PARTS or any(len(content) > _LONGEST for content in contents):
        raise _RefusalError(400, f"body failed validation: length should be at most {_LONGEST}")
    return [part for content in contents for part in _rich(content)]


def _blocks(block: Any) -> dict[str, Json]:
    return {"type": "paragraph", "paragraph": {"rich_text": _parts(block["paragraph"]["rich_text"])}}


def _plain(parts: list[dict[str, Json]]) -> str:
    return "".join(part["plain_text"] for part in parts)


def _matches(page: Mapping[str, Json], wanted: Mapping[str, Json]) -> bool:
    if "and" in wanted:
        return all(_matches(page, each) for each in wanted["and"])
    if wanted.get("timestamp") == "created_time":
        made, since = moment(page["created_time"]), moment(wanted["created_time"]["on_or_after"])
        return made is not None and since is not None and made >= since
    kind = "title" if "title" in wanted else "rich_text"
    held = page["properties"].get(wanted["property"], {}).get(kind)
    if held is None:
        raise _RefusalError(400, f"Could not find property with name or id: {wanted['property']}")
    return _plain(held) == str(wanted[kind]["equals"])


def _error(status: int, said: str, headers: Mapping[str, str] | None = None) -> Reply:
    told: dict[str, Json] = {"object": "error", "status": status, "code": _CODES.get(status, "validation_error")}
    return answer(status, told | {"message": said, "request_id": "1"}, headers)


SIMULATOR = Notion
