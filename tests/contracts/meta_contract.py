"""Meta's Lead Ads contract, which is not OpenAPI: per node its readable fields and its edges."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

_PATH = re.compile(r"/v\d+\.\d+/(?P<node>\w+)(?:/(?P<edge>\w+))?")
_COMMON_QUERY = {"fields", "access_token", "appsecret_proof", "limit", "after", "before", "filtering"}
_EDGES = {"leads": "LeadgenForm", "test_leads": "LeadgenForm", "subscribed_apps": "Page", "leadgen_forms": "Page"}
_ERROR_KEYS = {
    "message",
    "type",
    "code",
    "error_subcode",
    "is_transient",
    "fbtrace_id",
    "error_user_title",
    "error_user_msg",
}


def check_request(spec: Mapping[str, Any], method: str, path: str, query: Sequence[tuple[str, str]]) -> None:
    """Raise ``AssertionError`` unless the call reads a lead, or uses an edge that the contract names."""
    found = _PATH.fullmatch(path)
    if found is None:
        raise AssertionError(f"meta: {path}: a Graph path is /v<number>.<number>/<node>[/<edge>]")
    edge = found["edge"]
    declared: set[str] = set()
    if edge is not None:
        node = _EDGES.get(edge)
        apis = [] if node is None else [a for a in spec[node]["apis"] if a.get("endpoint") == edge]
        matching = [api for api in apis if api["method"].lower() == method]
        if not matching:
            raise AssertionError(f"meta: {method.upper()} {path}: the contract has no such edge")
        declared = {parameter["name"] for api in matching for parameter in api["params"]}
    elif method != "get":
        raise AssertionError(f"meta: {method.upper()} {path}: a lead is only read")
    unknown = {name for name, _ in query} - _COMMON_QUERY - declared
    if unknown:
        raise AssertionError(f"meta: {path}: query {sorted(unknown)} not in the contract")
    if edge in {None, "leads", "test_leads"}:
        readable = {item["name"] for item in spec["Lead"]["fields"]}
        asked = {name for key, value in query if key == "fields" for name in value.split(",") if name}
        if asked - readable:
            raise AssertionError(f"meta: {path}: fields {sorted(asked - readable)} are not readable on a Lead")


def check_response(spec: Mapping[str, Any], path: str, status: int, value: Any) -> None:
    """Raise ``AssertionError`` unless the answer is a Lead, a page of Leads, or Meta's error object."""
    if not isinstance(value, Mapping):
        raise AssertionError(f"meta: {path}: an answer is an object, not {value!r}")
    if status >= 400:
        _check_error(path, value.get("error"))
        return
    found = _PATH.fullmatch(path)
    if found is not None and found["edge"] in {"leads", "test_leads"}:
        leads = value.get("data")
        if not isinstance(leads, list) or set(value) - {"data", "paging"}:
            raise AssertionError(f"meta: {path}: a page is {{data: [...], paging}}, not {value!r}")
    else:
        leads = [value]
    types = {item["name"]: item["type"] for item in spec["Lead"]["fields"]}
    for lead in leads:
        for name, content in lead.items():
            _check_field(path, name, types.get(name), content)


def _check_error(path: str, error: Any) -> None:
    if not isinstance(error, Mapping) or not {"message", "type", "code"} <= set(error):
        raise AssertionError(f"meta: {path}: an error is {{error: {{message, type, code, ...}}}}, not {error!r}")
    if set(error) - _ERROR_KEYS:
        raise AssertionError(f"meta: {path}: error keys {sorted(set(error) - _ERROR_KEYS)} are not Meta's")


def _check_field(path: str, name: str, kind: str | None, content: Any) -> None:
    good: dict[str, Callable[[], object]] = {
        "string": lambda: isinstance(content, str),
        "bool": lambda: isinstance(content, bool),
        "datetime": lambda: isinstance(content, str) and datetime.strptime(content, "%Y-%m-%dT%H:%M:%S%z"),
        "list<UserLeadGenFieldData>": lambda: isinstance(content, list) and all(map(_is_field_data, content)),
    }
    if kind is None:
        raise AssertionError(f"meta: {path}: {name} is no field of a Lead")
    if kind in good and not good[kind]():
        raise AssertionError(f"meta: {path}: {name} is a {kind}, not {content!r}")


def _is_field_data(item: Any) -> bool:
    if not isinstance(item, Mapping) or set(item) != {"name", "values"}:
        return False
    return isinstance(item["name"], str) and all(isinstance(value, str) for value in item["values"])
