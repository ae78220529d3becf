"""Properties of the simulated Notion's databases, and the values that pages have in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainstay.kit.payload import moment
from mainstay.sandbox.wire import Json

_LONGEST, _MOST_PARTS = 2000, 100
_PLAIN = {"email": 200, "phone_number": 200, "url": _LONGEST}


class RefusalError(Exception):
    """Notion refuses: a status, and what it says."""

    def __init__(self, status: int, said: str) -> None:
        """Say why."""
        self.status = status
        super().__init__(said)


def property_of(name: str, kind: str, told: dict[str, Json]) -> dict[str, Json]:
    """Return the schema of a property."""
    return {"id": name.lower()[:4], "name": name, "type": kind, kind: told}


def same(one: str, other: str) -> bool:
    """Tell whether two ids are one, with dashes or without."""
    return one.replace("-", "") == other.lower().replace("-", "")


def rich(content: str) -> list[dict[str, Json]]:
    """Return rich text of one part, as Notion shows it."""
    return [{"type": "text", "text": {"content": content, "link": None}, "plain_text": content, "href": None}]


def parts(given: Any) -> list[dict[str, Json]]:
    """Take rich text as a client gives it."""
    contents = [part["text"]["content"] for part in given]
    if len(contents) > _MOST_PARTS or any(len(content) > _LONGEST for content in contents):
        raise RefusalError(400, f"body failed validation: length should be at most {_LONGEST}")
    return [part for content in contents for part in rich(content)]


def blocks(block: Any) -> dict[str, Json]:
    """Take a paragraph as a client gives it."""
    return {"type": "paragraph", "paragraph": {"rich_text": parts(block["paragraph"]["rich_text"])}}


def plain(held: list[dict[str, Json]]) -> str:
    """Return the text of rich text."""
    return "".join(part["plain_text"] for part in held)


def matches(page: Mapping[str, Json], wanted: Mapping[str, Json]) -> bool:
    """Tell whether a page is what a filter asks for."""
    for word, needed in (("and", all), ("or", any)):
        if word in wanted:
            if len(wanted[word]) > _MOST_PARTS:
                raise RefusalError(400, f"body failed validation: body.filter.{word}.length should be ≤ `100`")
            return needed(matches(page, each) for each in wanted[word])
    if (name := wanted.get("timestamp")) in {"created_time", "last_edited_time"}:
        made, since = moment(page[name]), moment(wanted[name]["on_or_after"])
        return made is not None and since is not None and made >= since
    kind = "title" if "title" in wanted else "rich_text"
    held = page["properties"].get(wanted["property"], {}).get(kind)
    if held is None:
        raise RefusalError(400, f"Could not find property with name or id: {wanted['property']}")
    return plain(held) == str(wanted[kind]["equals"])


def simple(kind: str, value: Any) -> Json:
    """Take the value of a property that refers to nothing."""
    if kind in {"title", "rich_text"}:
        return parts(value)
    if kind in _PLAIN:
        if value is not None and not 0 < len(value) <= _PLAIN[kind]:
            raise RefusalError(400, f"body failed validation: {kind} should be a text of 1 to {_PLAIN[kind]}, or null")
        return value
    if kind == "number":
        return None if value is None else value + 0
    return bool(value)


def empty(told: Mapping[str, Json]) -> dict[str, Json]:
    """Return the value of a property that nobody has set."""
    kind = told["type"]
    nothing: Json = [] if kind in {"title", "rich_text", "people", "multi_select"} else None
    if kind == "status":
        nothing = told["status"]["options"][0]
    if kind == "checkbox":
        nothing = False
    return {"id": told["id"], "type": kind, kind: nothing}
