"""A simulator of Notion's databases, pages, comments and users."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import date
from typing import Any

from mainstay.sandbox.state import Configurable, Effects, Ids, RateWindow
from mainstay.sandbox.vendors import notion_values as values
from mainstay.sandbox.vendors.notion_account import BOT, SHARED_PAGE, Settings, oauth_server
from mainstay.sandbox.vendors.notion_values import RefusalError
from mainstay.sandbox.wire import Json, Reply, Request, SettingError, answer, now_iso

_UUID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}")
_LONGEST_OPTION, _PAGE = 100, 100
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
        self._oauth = oauth_server()
        self._calls = RateWindow(30, 10)
        self._pages: list[dict[str, Json]] = []
        self._comments: list[dict[str, Json]] = []
        self._users: list[dict[str, Json]] = []
        self._sources: list[dict[str, Json]] = []
        self._made_at: dict[str, float] = {}
        for title, status in (("Tasks", "status"), ("Sales", "checkbox")):
            self._tasks(title, status)

    def state(self) -> dict[str, Json]:
        """Return every record, oldest first, and the effects."""
        return {
            "pages": self._pages,
            "comments": self._comments,
            "users": self._users,
            "data_sources": self._sources,
            "token_calls": self._oauth.state(),
            "effects": self._effects.listing(),
        }

    def seed(self, kind: str, records: list[dict[str, Json]]) -> int:
        """Put in ``users`` (``email``, ``name``) or ``databases``, or add ``properties`` (``name``, ``type``) to each.

        A database has a ``title``, and ``rows`` of texts; the first names the columns, of which the first is the title.
        ``pages`` go to the first database: a ``title``, and any field, with its ``id`` to change one that is there.
        """
        for record in records:
            if kind == "users":
                person = {"email": record["email"]}
                user = {"object": "user", "id": self._ids.uuid("user"), "type": "person", "person": person}
                self._users.append(user | {"name": record.get("name", ""), "avatar_url": None})
            elif kind == "databases":
                self._seed_database(record["title"], record["rows"])
            elif kind == "properties":
                for source in self._sources:
                    source["properties"][record["name"]] = values.property_of(record["name"], record["type"], {})
            elif kind == "pages":
                self._seed_page(dict(record))
            else:
                raise SettingError(f"notion has no {kind} to seed; there are users, databases, properties and pages")
        return len(records)

    def _seed_page(self, record: dict[str, Json]) -> None:
        source, title = self._sources[0], {"Name": {"title": [{"text": {"content": record.pop("title")}}]}}
        if "id" in record:
            page = self._one(self._pages, record["id"])
            self._set(page, source, title)
        else:
            page = self._add_page(source, title, ())
        page |= record

    def _seed_database(self, title: str, rows: list[list[str]]) -> None:
        header, *rest = rows
        kinds = {name: "rich_text" if number else "title" for number, name in enumerate(header)}
        source = self._database(title, {name: values.property_of(name, kind, {}) for name, kind in kinds.items()})
        for row in rest:
            cells = zip(kinds.items(), row, strict=True)
            told = {name: {kind: [{"text": {"content": cell}}] if cell else []} for (name, kind), cell in cells}
            self._add_page(source, told, ())

    def _tasks(self, title: str, status: str) -> None:
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
            "Name": values.property_of("Name", "title", {}),
            "State": values.property_of("State", status, told),
            "Due": values.property_of("Due", "date", {}),
            "Owner": values.property_of("Owner", "people", {}),
            "Tags": values.property_of("Tags", "multi_select", {"options": []}),
        }
        self._database(title, properties)

    def _database(self, title: str, properties: dict[str, Json]) -> dict[str, Json]:
        source: dict[str, Json] = {
            "object": "data_source",
            "id": self._ids.uuid("data_source"),
            "title": values.rich(title),
            "parent": {"type": "database_id", "database_id": self._ids.uuid("database")},
            "properties": properties,
            "in_trash": False,
        }
        self._sources.append(source)
        return source

    def handle(self, request: Request) -> Reply:
        """Answer one request."""
        if reply := self._oauth.handle(request, self.settings):
            return reply
        if not self._oauth.lets_in(request.bearer, self.settings, self.settings.tokens):
            return self.failure(request, 401, None)
        if not request.headers.get("Notion-Version"):
            return _error(400, "Notion-Version header failed validation: should be defined, instead was undefined.")
        if not self._calls.take() and self.settings.rate_limit:
            return self.failure(request, 429, self._calls.seconds_left)
        try:
            return self._answer(request)
        except RefusalError as refusal:
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
                return answer(200, {"object": "user", "id": "1", "name": "Mainstay", "type": "bot", "bot": BOT})
            case "GET", "users":
                return self._listed([self._shown_user(each) for each in self._users], query)
            case "GET", "users", user:
                return answer(200, self._shown_user(self._one(self._users, user)))
            case "POST", "search":
                asked = request.json()
                words = asked["query"].casefold()
                found = [each for each in self._sources if words in values.plain(each["title"]).casefold()]
                return self._listed(found, asked)
            case "POST", "databases":
                return self._create_database(request)
            case "GET", "databases", database:
                held = [each for each in self._sources if values.same(each["parent"]["database_id"], database)]
                first = self._one(held, held[0]["id"] if held else database)
                return answer(200, _shown_database(first))
            case "GET", "data_sources", source:
                return answer(200, self._one(self._sources, source))
            case "PATCH", "data_sources", source:
                return self._add_properties(self._one(self._sources, source), request)
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
                raise RefusalError(400, "Invalid request URL.")

    def _create_database(self, request: Request) -> Reply:
        given = request.json()
        if not values.same(SHARED_PAGE, given["parent"]["page_id"]):
            raise RefusalError(404, f"Could not find page with ID: {given['parent']['page_id']}.")
        asked = given["initial_data_source"]["properties"]
        if sum("title" in each for each in asked.values()) != 1:
            raise RefusalError(400, "Title is not provided")
        properties = {name: values.property_of(name, next(iter(each)), {}) for name, each in asked.items()}
        source = self._database("".join(part["text"]["content"] for part in given["title"]), properties)
        self._effects.add("database.created", source["id"], request)
        return answer(200, _shown_database(source))

    def _add_properties(self, source: dict[str, Json], request: Request) -> Reply:
        asked = request.json()["properties"]
        if any("title" in each for each in asked.values()):
            raise RefusalError(400, "Cannot create new title property.")
        added = {name: values.property_of(name, next(iter(each)), {}) for name, each in asked.items()}
        source["properties"] |= {name: each for name, each in added.items() if name not in source["properties"]}
        for page in self._pages:
            if page["parent"]["data_source_id"] == source["id"]:
                page["properties"] = {name: values.empty(each) for name, each in added.items()} | page["properties"]
        self._effects.add("database.updated", source["id"], request)
        return answer(200, source)

    def _create(self, request: Request) -> Reply:
        given = request.json()
        source = self._one(self._sources, given["parent"]["data_source_id"])
        page = self._add_page(source, given["properties"], given.get("children", ()))
        self._effects.add("task.created", page["id"], request)
        return answer(200, self._shown(page))

    def _add_page(self, source: dict[str, Json], given: Mapping[str, Json], children: Any) -> dict[str, Json]:
        now = self._now()
        page: dict[str, Json] = {
            "object": "page",
            "id": self._ids.uuid("page"),
            "created_time": now,
            "last_edited_time": now,
            "in_trash": False,
            "archived": False,
            "parent": {"type": "data_source_id", "data_source_id": source["id"], **source["parent"]},
            "properties": {name: values.empty(each) for name, each in source["properties"].items()},
            "children": [values.blocks(block) for block in children],
        }
        page["parent"]["type"] = "data_source_id"
        page["url"] = f"https://www.notion.so/{page['id'].replace('-', '')}"
        self._set(page, source, given)
        self._pages.append(page)
        self._made_at[page["id"]] = time.monotonic()
        return page

    def _update(self, page: dict[str, Json], request: Request) -> Reply:
        given = request.json()
        if page["in_trash"] and given.get("in_trash") is not False:
            raise RefusalError(400, "Can't edit block that is archived. You must unarchive the block before editing.")
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
            "rich_text": values.parts(given["rich_text"]),
        }
        self._comments.append(comment)
        self._effects.add("comment.created", comment["id"], request)
        return answer(200, comment)

    def _set(self, page: dict[str, Json], source: dict[str, Json], given: Mapping[str, Json]) -> None:
        """Put values into a page's properties, as Notion reads and shows them."""
        for name, value in given.items():
            told = source["properties"].get(name)
            if told is None:
                raise RefusalError(400, f"{name} is not a property that exists.")
            kind = told["type"]
            if kind not in value:
                raise RefusalError(400, f"{name} is expected to be {kind}.")
            page["properties"][name] = {"id": told["id"], "type": kind, kind: self._value(told, kind, value[kind])}

    def _value(self, told: dict[str, Json], kind: str, value: Any) -> Json:
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
                raise RefusalError(400, f'Status option "{value["name"]}" does not exist')
            return found
        return values.simple(kind, value)

    def _option(self, told: dict[str, Json], name: str) -> dict[str, Json]:
        if "," in name or not name or len(name) > _LONGEST_OPTION:
            raise RefusalError(400, "Invalid multi_select value")
        options = told["multi_select"]["options"]
        for option in options:
            if option["name"].casefold() == name.casefold():
                return dict(option)
        options.append({"id": self._ids.word("option", 4), "name": name, "color": "default"})
        return dict(options[-1])

    def _query(self, source: dict[str, Json], asked: Mapping[str, Json]) -> Reply:
        horizon = time.monotonic() - self.settings.query_lag_ms / 1000
        found = [
            self._shown(page)
            for page in self._pages
            if page["parent"]["data_source_id"] == source["id"]
            and not page["in_trash"]
            and self._made_at[page["id"]] <= horizon
            and values.matches(page, asked.get("filter") or {"and": []})
        ]
        for order in asked.get("sorts", ()):
            found.sort(key=lambda page: str(page[order["timestamp"]]), reverse=order["direction"] == "descending")
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
            raise RefusalError(400, "path failed validation: id should be a valid uuid")
        for record in records:
            if values.same(record["id"], wanted):
                return record
        raise RefusalError(status, f"Could not find object with ID: {wanted}. Is it shared with the integration?")

    @staticmethod
    def _listed(records: list[dict[str, Json]], asked: Mapping[str, Json]) -> Reply:
        size, start = int(asked.get("page_size", _PAGE)), int(asked.get("start_cursor", "0"))
        if not 1 <= size <= _PAGE:
            raise RefusalError(400, "page_size should be from 1 to 100")
        more = len(records) > start + size
        page = {"object": "list", "results": records[start : start + size], "has_more": more}
        return answer(200, page | {"next_cursor": str(start + size) if more else None})


def _shown_database(source: Mapping[str, Json]) -> dict[str, Json]:
    listed = [{"id": source["id"], "name": values.plain(source["title"])}]
    return {"object": "database", "id": source["parent"]["database_id"], "data_sources": listed}


def _error(status: int, said: str, headers: Mapping[str, str] | None = None) -> Reply:
    told: dict[str, Json] = {"object": "error", "status": status, "code": _CODES.get(status, "validation_error")}
    return answer(status, told | {"message": said, "request_id": "1"}, headers)


SIMULATOR = Notion
