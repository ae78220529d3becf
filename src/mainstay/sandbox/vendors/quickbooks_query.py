"""QuickBooks' query language, as far as records are found by it: ``select * from Customer where A = 'x'``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from mainstay.sandbox.wire import Json

CHANGED = "MetaData.LastUpdatedTime"
FILTERABLE = {
    "Customer": ("Id", "DisplayName", "GivenName", "FamilyName", "CompanyName", "PrimaryEmailAddr", "Active"),
    "Invoice": ("Id", "DocNumber", "CustomerRef", "TxnDate", "DueDate", "Balance", "TotalAmt", CHANGED),
    "Payment": ("Id", "CustomerRef", "TxnDate", "TotalAmt", CHANGED),
    "Item": ("Id", "Name", "Sku", "Active"),
    "TaxCode": ("Id", "Name", "Active"),
    "CompanyInfo": ("Id",),
}
MOST = 1000
_SELECT = re.compile(
    r"\s*select\s+\*\s+from\s+(?P<entity>\w+)(?:\s+where\s+(?P<where>.+?))?(?:\s+orderby\s+(?P<order>[\w.]+))?"
    r"(?:\s+startposition\s+(?P<start>\d+))?(?:\s+maxresults\s+(?P<most>\d+))?\s*",
    re.IGNORECASE | re.DOTALL,
)
_TEXT = r"'(?:[^'\\]|\\.)*'"
_CONDITION = re.compile(
    rf"\s*(?P<field>[\w.]+)\s*(?:=\s*(?P<one>{_TEXT}|true|false)|>=\s*(?P<least>{_TEXT})|IN\s*\((?P<many>\s*{_TEXT}(?:\s*,\s*{_TEXT})*\s*)\))"
    r"(?P<and>\s+and\s+|\s*$)",
    re.IGNORECASE | re.DOTALL,
)


class QueryError(Exception):
    """A query that QuickBooks refuses."""


@dataclass(frozen=True)
class Query:
    """A query as it is understood; each condition holds. ``since`` is of the last change, by which ``order`` may go."""

    entity: str
    conditions: Mapping[str, tuple[str, ...]]
    start: int
    most: int
    since: datetime | None = None
    order: str = ""


def read(text: str) -> Query:
    """Read a query; ``QueryError`` where QuickBooks would refuse it."""
    found = _SELECT.fullmatch(text)
    if found is None or found["entity"] not in FILTERABLE:
        raise QueryError(f"Encountered an error in parsing: {text[:100]}")
    conditions: dict[str, tuple[str, ...]] = {}
    where, at, since = found["where"] or "", 0, None
    while at < len(where):
        one = _CONDITION.match(where, at)
        if one is None:
            raise QueryError(f"Encountered an error in parsing: {where[at : at + 100]}")
        if one["field"] not in FILTERABLE[found["entity"]]:
            raise QueryError(f"property {one['field']!r} of {found['entity']} is not queryable")
        if one["least"] and one["field"] != CHANGED:
            raise QueryError(f"the sandbox compares times of the last change alone, not {one['field']}")
        if one["least"]:
            since = _time(_plain(one["least"]))
            at = one.end()
            continue
        given = [one["one"]] if one["one"] else re.findall(_TEXT, one["many"], re.DOTALL)
        conditions[one["field"]] = tuple(map(_plain, given))
        at = one.end()
        if at == len(where) and one["and"].strip():
            raise QueryError("Encountered the end of the query")
    most = int(found["most"] or 100)
    if most > MOST:
        raise QueryError(f"maxresults is {MOST} at most")
    order = found["order"] or ""
    if order not in {"", CHANGED}:
        raise QueryError(f"the sandbox orders by the time of the last change alone, not by {order}")
    return Query(found["entity"], conditions, int(found["start"] or 1), most, since, order)


def is_meant(record: Mapping[str, Json], query: Query, *, exact_case: bool) -> bool:
    """Tell whether a record is one of those asked for; what is not active is found only when it is asked for."""
    if "Active" not in query.conditions and record.get("Active") is False:
        return False
    if query.since is not None and changed_at(record) < query.since:
        return False
    for field, values in query.conditions.items():
        held = record.get(field, "")
        if isinstance(held, dict):
            held = held.get("value", held.get("Address", ""))
        said = ("true" if held else "false") if isinstance(held, bool) else str(held)
        if said not in values and (exact_case or said.casefold() not in [value.casefold() for value in values]):
            return False
    return True


def changed_at(record: Mapping[str, Json]) -> datetime:
    """Return the time of a record's last change."""
    return datetime.fromisoformat(record["MetaData"]["LastUpdatedTime"])


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise QueryError(f"{text[:40]} is no time") from None
    if time.tzinfo is None:
        raise QueryError(f"{text[:40]} has no offset")
    return time


def _plain(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted[1:-1], flags=re.DOTALL) if quoted.startswith("'") else quoted.lower()
