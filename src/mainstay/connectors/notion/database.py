"""A database of tasks: finding it, and what of it is the status, the day, the person and the labels.

Since 2025-09-03 a database has data sources, which hold the pages. People know the database by its name or address, so
each may be given: a name, the id of a data source, the id of a database.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from mainstay.connectors.notion.account import listed, strange
from mainstay.connectors.notion.cells import plain_text
from mainstay.connectors.notion.settings import NotionConnection
from mainstay.kit import Http, PermanentError
from mainstay.kit.payload import moment

COMPLETE = "complete"
_MINUTE, _LEAST = timedelta(minutes=1), timedelta(milliseconds=1)
_TYPES = {
    "status": ("status", "checkbox"),
    "due": ("date",),
    "assignee": ("people",),
    "labels": ("multi_select",),
    "key": ("rich_text",),
}


def as_uuid(text: str) -> str:
    """Return an id as Notion writes it, with its dashes; empty where the text is none."""
    try:
        return str(UUID(text)) if len(text) in {32, 36} else ""
    except ValueError:
        return ""


def changed_at(page: Mapping[str, Any]) -> datetime | None:
    """Return by when a page came to stand as it does: Notion cuts that time to the minute."""
    edited = moment(page.get("last_edited_time"))
    return edited + _MINUTE - _LEAST if edited and not (edited.second or edited.microsecond) else edited


class Database:
    """A data source and its properties."""

    def __init__(self, record: Mapping[str, Any], settings: NotionConnection) -> None:
        properties = record.get("properties")
        self.id = as_uuid(str(record.get("id")))
        if not self.id or not isinstance(properties, dict):
            raise strange("database")
        self._settings = settings
        self._properties: dict[str, Mapping[str, Any]] = {
            name: each for name, each in properties.items() if isinstance(each, dict)
        }

    @property
    def title(self) -> str:
        """The name of the property that is the title; each database has one."""
        found = next((name for name, each in self._properties.items() if each.get("type") == "title"), "")
        if not found:
            raise strange("title")
        return found

    def find(self, part: str) -> str:
        """Return the name of a task's part; empty where the database has none and the connection names none."""
        named: str = getattr(self._settings.properties, part)
        types = _TYPES[part]
        if named:
            if self._properties.get(named, {}).get("type") not in types:
                kinds = " or ".join(types)
                raise PermanentError(f"the Notion database has no {kinds} property {named!r}; see properties")
            return named
        if part == "key":
            return ""
        for wanted in types:
            for name, each in self._properties.items():
                if each.get("type") == wanted:
                    return name
        return ""

    def require(self, part: str) -> str:
        """Return the name of a task's part."""
        found = self.find(part)
        if not found:
            types = " or ".join(_TYPES[part])
            raise PermanentError(f"the Notion database has no {types} property for the task's {part}: add one to it")
        return found

    def done(self) -> tuple[str, Mapping[str, Any]]:
        """Return the property that says that a task is done, and the value that does."""
        name = self.require("status")
        if self._properties[name].get("type") == "checkbox":
            return name, {"checkbox": True}
        finished = self._finished(name)
        wanted = self._settings.done
        if wanted:
            option = next((each for each in self._options(name, "status") if each.casefold() == wanted.casefold()), "")
        else:
            option = finished[0] if finished else ""
        if not option:
            raise PermanentError(f"the property {name!r} in Notion has no status {wanted or 'in the group Complete'!r}")
        return name, {"status": {"name": option}}

    def is_done(self, page: Mapping[str, Any]) -> bool:
        """Tell whether a page is a task that is done."""
        name = self.find("status")
        value = value_of(page, name)
        if value.get("type") == "checkbox":
            return value.get("checkbox") is True
        status = value.get("status")
        current = str(status.get("name")) if isinstance(status, dict) else ""
        return bool(current) and current in {*self._finished(name), self._settings.done}

    def labels(self, name: str, wanted: tuple[str, ...]) -> list[dict[str, str]]:
        """Return options of a multi-select, spelt as they are there; new ones Notion makes. They hold no comma."""
        known = {option.casefold(): option for option in self._options(name, "multi_select")}
        chosen: dict[str, str] = {}
        for label in wanted:
            plain = " ".join(label.replace(",", " ").split())[:100]
            if plain:
                chosen.setdefault(plain.casefold(), known.get(plain.casefold(), plain))
        return [{"name": option} for option in chosen.values()]

    def _finished(self, name: str) -> list[str]:
        told = self._properties.get(name, {}).get("status")
        groups = told.get("groups") if isinstance(told, dict) else None
        ids: list[Any] = []
        for group in groups if isinstance(groups, list) else ():
            if isinstance(group, dict) and str(group.get("name")).casefold() == COMPLETE:
                found = group.get("option_ids")
                ids = found if isinstance(found, list) else []
        options = self._options(name, "status")
        return [option for option, its_id in options.items() if its_id in ids]

    def _options(self, name: str, kind: str) -> dict[str, str]:
        told = self._properties.get(name, {}).get(kind)
        options = told.get("options") if isinstance(told, dict) else None
        found = [each for each in options if isinstance(each, dict)] if isinstance(options, list) else []
        return {str(each["name"]): str(each.get("id")) for each in found if isinstance(each.get("name"), str)}


def value_of(page: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the value of a page's property; empty where it has none."""
    properties = page.get("properties")
    value = properties.get(name) if isinstance(properties, dict) else None
    return value if isinstance(value, dict) else {}


async def find_database(http: Http, settings: NotionConnection, named: str) -> Database:
    """Find a database by its name, its id or its data source's."""
    wanted = (named or settings.database).strip()
    if not wanted:
        raise PermanentError("no database: name one in the call (project=), or in the connection (database)")
    found = await look_up(http, wanted)
    if found is None:
        raise PermanentError(no_database(wanted))
    return Database(found, settings)


def no_database(wanted: str) -> str:
    """Return in words that there is none of this name, and what to do."""
    mend = "name it, and give the integration access to it (the database's ... > Connections)"
    return f"Notion has no database {wanted!r} that this connection may see; {mend}"


async def look_up(http: Http, wanted: str) -> Mapping[str, Any] | None:
    """Read the data source of a name or an id, or that of a database's id; None where there is none."""
    source = as_uuid(wanted) or await _by_name(http, wanted)
    found = await _source(http, source) if source else None
    if found is None and source:
        answer = await http.request("GET", f"/v1/databases/{source}", accept=(404,))
        source = first_source(answer.data) if answer.status != 404 else ""
        found = await _source(http, source) if source else None
    return found


def first_source(database: Mapping[str, Any]) -> str:
    """Return the id of a database's first data source; empty where it has none."""
    sources = database.get("data_sources")
    first = sources[0] if isinstance(sources, list) and sources and isinstance(sources[0], dict) else {}
    return as_uuid(str(first.get("id")))


async def database_of(http: Http, settings: NotionConnection, page: Mapping[str, Any]) -> Database | None:
    """Return the database of a page; None where it is in none."""
    parent = page.get("parent")
    source = as_uuid(str(parent.get("data_source_id"))) if isinstance(parent, dict) else ""
    if not source and isinstance(parent, dict) and as_uuid(str(parent.get("database_id"))):
        return await find_database(http, settings, str(parent["database_id"]))
    found = await _source(http, source) if source else None
    return Database(found, settings) if found else None


async def _source(http: Http, source: str) -> Mapping[str, Any] | None:
    answer = await http.request("GET", f"/v1/data_sources/{source}", accept=(404,))
    found: Mapping[str, Any] = answer.data
    return None if answer.status == 404 else found


async def _by_name(http: Http, name: str) -> str:
    asked = {"query": name, "filter": {"property": "object", "value": "data_source"}}
    async for found, _ in listed(http, "POST", "/v1/search", asked):
        if plain_text(found.get("title")).strip().casefold() == name.casefold():
            return as_uuid(str(found.get("id")))
    return ""
