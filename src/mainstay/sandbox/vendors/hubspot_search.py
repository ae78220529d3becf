"""HubSpot's search: filters, sorting, paging, and an index that lags behind the writes."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from mainstay.sandbox.wire import Json

REQUIRED = {"after": str, "filterGroups": list, "limit": int, "properties": list, "sorts": list}
MOST_RESULTS = 10_000
MOST_A_PAGE = 200
_QUERIED = ("firstname", "lastname", "email", "phone", "company")


class SearchError(ValueError):
    """The search was not understood; the text is HubSpot's message."""


class Seen:
    """What search saw of each record, and when: it stays behind the writes."""

    def __init__(self) -> None:
        """Start empty."""
        # Of each id its versions, the oldest first: (when, record).
        self._versions: dict[str, list[tuple[float, dict[str, Json]]]] = {}

    def remember(self, record: dict[str, Json], lag_ms: int) -> None:
        """Note a record as it is now; what no search can show any more is forgotten."""
        versions = self._versions.setdefault(record["id"], [])
        versions.append((time.monotonic(), dict(record)))
        horizon = time.monotonic() - lag_ms / 1000
        while len(versions) > 1 and versions[1][0] <= horizon:
            del versions[0]

    def forget(self, record_id: str) -> None:
        """Forget a record."""
        self._versions.pop(record_id, None)

    def visible(self, lag_ms: int) -> Iterator[dict[str, Json]]:
        """Yield the records as they were ``lag_ms`` ago."""
        horizon = time.monotonic() - lag_ms / 1000
        for versions in self._versions.values():
            known = [record for at, record in versions if at <= horizon]
            yield from known[-1:]


def check(body: Json) -> None:
    """Raise ``SearchError`` unless the body has the five fields that the contract requires, well formed."""
    if not isinstance(body, Mapping):
        raise SearchError("Invalid input JSON: an object is required")
    for name, kind in REQUIRED.items():
        if not isinstance(body.get(name), kind):
            raise SearchError(f"Invalid input JSON: some required fields were not set: [{name}]")
    if not 0 < body["limit"] <= MOST_A_PAGE:
        raise SearchError(f"The limit is from 1 to {MOST_A_PAGE}")
    if body["after"] and not body["after"].isdigit():
        raise SearchError("after is not a number")
    if int(body["after"] or 0) + body["limit"] > MOST_RESULTS:
        raise SearchError(f"Paging past {MOST_RESULTS} results is not possible")
    for group in body["filterGroups"]:
        for item in group.get("filters", ()):
            if item.get("operator") not in _OPERATORS or not isinstance(item.get("propertyName"), str):
                raise SearchError(f"There was a problem with the request: filter {item!r} is invalid")


def run(candidates: Iterable[dict[str, Json]], body: Mapping[str, Json]) -> list[dict[str, Json]]:
    """Return the records that match, sorted. Each is ``{"id", "properties", ...}``."""
    groups = [group.get("filters", ()) for group in body["filterGroups"]]
    query = str(body.get("query") or "").lower()
    found = [
        record
        for record in candidates
        if (not groups or any(all(_holds(record["properties"], item) for item in group) for group in groups))
        and (not query or any(query in record["properties"].get(name, "").lower() for name in _QUERIED))
    ]
    for sort in reversed(body["sorts"]):
        name, descending = _sort(sort)
        found.sort(key=lambda record, name=name: _rank(record["properties"].get(name, "")), reverse=descending)  # type: ignore[misc]
    return found


def indexed_values(body: Mapping[str, Json], name: str) -> list[str] | None:
    """Return the values that one property must have in every group (EQ or IN), or None when it is not so bound."""
    values: list[str] = []
    for group in body["filterGroups"]:
        bound = [item for item in group.get("filters", ()) if item["propertyName"] == name]
        bound = [item for item in bound if item["operator"] in {"EQ", "IN"}]
        if not bound:
            return None
        values += _values(bound[0])
    return values or None


def _sort(sort: Json) -> tuple[str, bool]:
    if isinstance(sort, Mapping):
        return str(sort.get("propertyName")), sort.get("direction") == "DESCENDING"
    return str(sort).lstrip("-"), str(sort).startswith("-")


def _rank(value: str) -> tuple[int, float, str]:
    number = _number(value)
    return (0, number, "") if number is not None else (1, 0.0, value.lower())


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return _milliseconds(value)


def _milliseconds(value: str) -> float | None:
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", value):
        return None
    return datetime.fromisoformat(value).timestamp() * 1000


def _values(item: Mapping[str, Json]) -> list[str]:
    given = item.get("values") if item["operator"] in {"IN", "NOT_IN"} else [item.get("value")]
    return [str(value).lower() for value in given or () if value is not None]


def _compared(test: Callable[[Any, Any], bool]) -> Callable[[str, Mapping[str, Json]], bool]:
    return lambda value, item: bool(value) and test(_rank(value), _rank(str(item.get("value", ""))))


def _has_token(value: str, item: Mapping[str, Json]) -> bool:
    wanted = str(item.get("value", "")).lower()
    pattern = re.compile(".*".join(re.escape(part) for part in wanted.split("*")))
    tokens = [value.lower(), *re.split(r"[\s@.,;_+-]+", value.lower())]
    return any(pattern.fullmatch(token) for token in tokens if token)


def _between(value: str, item: Mapping[str, Json]) -> bool:
    low, high = _rank(str(item.get("value", ""))), _rank(str(item.get("highValue", "")))
    return bool(value) and low <= _rank(value) <= high


_OPERATORS: dict[str, Callable[[str, Mapping[str, Json]], bool]] = {
    "EQ": lambda value, item: value.lower() in _values(item),
    "NEQ": lambda value, item: value.lower() not in _values(item),
    "IN": lambda value, item: value.lower() in _values(item),
    "NOT_IN": lambda value, item: value.lower() not in _values(item),
    "HAS_PROPERTY": lambda value, _: bool(value),
    "NOT_HAS_PROPERTY": lambda value, _: not value,
    "CONTAINS_TOKEN": _has_token,
    "NOT_CONTAINS_TOKEN": lambda value, item: not _has_token(value, item),
    "LT": _compared(lambda a, b: a < b),
    "LTE": _compared(lambda a, b: a <= b),
    "GT": _compared(lambda a, b: a > b),
    "GTE": _compared(lambda a, b: a >= b),
    "BETWEEN": _between,
}


def _holds(properties: Mapping[str, str], item: Mapping[str, Json]) -> bool:
    return _OPERATORS[item["operator"]](properties.get(item["propertyName"], ""), item)
