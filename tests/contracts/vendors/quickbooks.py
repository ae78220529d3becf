"""QuickBooks Online: Intuit publishes no OpenAPI. Bodies are held against its XSD, paths against a community's file.

The JSON Schema made of the XSD has no required fields and lets unknown ones pass, so both are asked for here.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from openapi_schema_validator import OAS31Validator

from tests.contracts.contract import Sent
from tests.contracts.oauth_contract import TokenEndpoint

_REQUIRED = {
    "Customer": {"DisplayName"},
    "Invoice": {"CustomerRef", "Line"},
    "Payment": {"CustomerRef", "TotalAmt"},
}
# Intuit documents them, and the community's file leaves them out.
_PARAMS = {"minorversion", "requestid", "operation", "include", "query"}
_CHANGES = {"Id", "SyncToken"}
# What the gateway answers before the API is reached.
_GATEWAY = {"warnings", "intuitObject", "fault", "report", "queryResponse", "batchItemResponse", "time"}
_STATUSES = {200, 400, 401, 403, 404, 405, 429, 500, 502, 503, 504}


@functools.cache
def _schema() -> Mapping[str, Any]:
    from tests.contracts.vendor_specs import specs_folder  # noqa: PLC0415 - it imports this module

    schema: Mapping[str, Any] = json.loads((specs_folder() / "quickbooks_schema.json").read_bytes())
    return schema


@functools.cache
def _paths() -> Mapping[re.Pattern[str], Mapping[str, Any]]:
    from tests.contracts.vendor_specs import specs_folder  # noqa: PLC0415 - as above

    paths = json.loads((specs_folder() / "quickbooks_community.json").read_bytes())["paths"]
    return {re.compile(re.sub(r"\\\{[^/]+?\\\}", "[^/]+", re.escape(path))): paths[path] for path in paths}


class _Checks:
    def wrong_request(self, sent: Sent) -> str:
        query = dict(sent.query)
        if not any(path.fullmatch(sent.path) and sent.method in methods for path, methods in _paths().items()):
            return "there is no such operation"
        if not sent.headers.get("authorization", "").startswith("Bearer "):
            return "no Authorization: Bearer header"
        if unknown := set(query) - _PARAMS:
            return f"query {sorted(unknown)} is not documented"
        if sent.path.endswith("/query") != ("query" in query):
            return "a query is asked at /query, by the parameter query"
        if sent.method == "get":
            return "a GET has no body" if sent.body else ""
        return _wrong_body(sent, query)

    def wrong_answer(self, sent: Sent, status: int, headers: Mapping[str, str], body: bytes) -> str:
        if status not in _STATUSES:
            return "QuickBooks gives no such status"
        if not headers.get("content-type", "").startswith("application/json"):
            return "an answer is JSON"
        data = json.loads(body)
        if "fault" in data:
            inner = data["fault"]
            capital = {"type": inner.get("type"), "Error": [_capitals(each) for each in inner.get("error", ())]}
            return f"unknown keys: {sorted(set(data) - _GATEWAY)}" if set(data) - _GATEWAY else _wrong("Fault", capital)
        if "Fault" in data:
            return "a fault has an error" if not data["Fault"].get("Error") else _wrong("Fault", data["Fault"])
        if status != 200:
            return "an error has a Fault"
        if sent.path.endswith("/query"):
            found = dict(data["QueryResponse"])
            kinds = [key for key in found if isinstance(found[key], list)]
            return "; ".join(
                filter(None, (_wrong(kind, each) for kind in kinds for each in found.pop(kind)))
            ) or _wrong("QueryResponse", found)
        return _wrong(_entity(sent.path), data[_entity(sent.path)])


def _wrong_body(sent: Sent, query: Mapping[str, str]) -> str:
    if sent.content_type != "application/json":
        return f"a body is application/json, not {sent.content_type}"
    entity, body = _entity(sent.path), json.loads(sent.body)
    wanted = _CHANGES if "Id" in body else _REQUIRED[entity]
    if missing := wanted - set(body):
        return f"{entity} lacks {sorted(missing)}"
    if "Id" in body and not query.get("operation") and body.get("sparse") is not True:
        return "a change that is not sparse clears whatever it does not name"
    return _wrong(entity, body)


def _capitals(error: Mapping[str, Any]) -> dict[str, Any]:
    named = {"message": "Message", "detail": "Detail"}
    return {named.get(key, key): value for key, value in error.items() if value is not None}


def _entity(path: str) -> str:
    return next(name for name in _REQUIRED if f"/{name.lower()}" in path)


def _wrong(entity: str, value: Any) -> str:
    schema = {"$ref": f"#/$defs/{entity}", "$defs": _schema()["$defs"]}
    errors = [f"{error.json_path}: {error.message[:200]}" for error in OAS31Validator(schema).iter_errors(value)]
    unknown = sorted(set(_unknown([{"$ref": f"#/$defs/{entity}"}], value, entity)))
    return "; ".join(errors + [f"{path} is not in the XSD" for path in unknown])


def _unknown(schemas: list[Any], value: Any, where: str) -> Iterator[str]:
    """Yield the path of each key that the XSD does not know."""
    flat = list(_flat(schemas))
    if isinstance(value, list):
        for each in value:
            yield from _unknown([schema["items"] for schema in flat if "items" in schema], each, f"{where}[]")
    elif isinstance(value, dict):
        known: dict[str, list[Any]] = {}
        for schema in flat:
            for key, child in schema.get("properties", {}).items():
                known.setdefault(key, []).append(child)
        for key, child in value.items():
            if key in known:
                yield from _unknown(known[key], child, f"{where}.{key}")
            else:
                yield f"{where}.{key}"


def _flat(schemas: list[Any]) -> Iterator[Mapping[str, Any]]:
    for schema in schemas:
        while "$ref" in schema:
            schema = _schema()["$defs"][schema["$ref"].rpartition("/")[2]]  # noqa: PLW2901
        yield schema
        yield from _flat(schema.get("allOf", []))


CHECKS = _Checks()
TOKEN_ENDPOINT = TokenEndpoint(
    "/oauth2/v1/tokens/bearer", answers=frozenset({"expires_in", "refresh_token", "x_refresh_token_expires_in"})
)
