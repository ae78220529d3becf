"""Salesforce: it publishes no OpenAPI. A third party's conversion of its own Postman collection is good for paths.

So paths, methods and queries are held against that file, and bodies against what Salesforce's REST guide says in words:
one flat record without its id, an array of errors. Whether an org has a field, only its own ``describe`` can tell.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from tests.contracts.contract import FORM, Sent

_VERSION = re.compile(r"/services/data/v\d+\.0")
# What the file lacks, in words of the REST guide.
_BEYOND_THE_FILE = {
    ("patch", "/data/v64.0/sobjects/{}/{}/{}"): set[str](),
    ("get", "/data/v64.0/query/{}"): set[str](),
    ("get", "/data/v64.0/queryAll/{}"): set[str](),
}
_GRANTS = {"authorization_code", "refresh_token", "client_credentials"}
_ERROR_KEYS = {"errorCode", "message", "fields", "duplicateResut"}


class SalesforceChecks:
    """Holds calls against the file's paths and the guide's words."""

    def wrong_request(self, sent: Sent) -> str:
        if sent.path.startswith("/services/oauth2/"):
            return _wrong_login(sent)
        declared = _operation(sent)
        if declared is None:
            return "the contract has no such operation"
        if unknown := {name for name, _ in sent.query} - declared:
            return f"query {sorted(unknown)} not in the contract, which has {sorted(declared)}"
        if not sent.headers.get("authorization", "").startswith("Bearer "):
            return "no Authorization: Bearer header"
        if sent.method == "get":
            return "a read has no body" if sent.body else _wrong_query(sent)
        if sent.method == "delete":
            return "a deletion has no body" if sent.body else ""
        return _wrong_record(sent)

    def wrong_answer(self, sent: Sent, status: int, headers: Mapping[str, str], body: bytes) -> str:
        if status == 204:
            return "204 has no body" if body else ""
        if status == 302:
            return ""
        if "json" not in headers.get("content-type", ""):
            return "an answer is JSON"
        value = json.loads(body)
        if sent.path.startswith("/services/oauth2/"):
            return _wrong_token(status, value)
        if status == 300:
            urls = isinstance(value, list) and all(isinstance(each, str) and _VERSION.match(each) for each in value)
            return "" if urls else "300 lists the records' addresses"
        if status >= 400:
            return _wrong_errors(value)
        return _wrong_success(sent, status, value)


def _operation(sent: Sent) -> set[str] | None:
    """Return the names of the operation's query parameters; None where there is no such operation."""
    path = _VERSION.sub("/data/v64.0", sent.path, count=1)
    declared, beyond = _declared()
    found = [each for each in (*declared, *beyond) if each.method == sent.method and each.path.fullmatch(path)]
    return found[0].query if found else None


@dataclass(frozen=True)
class _Operation:
    method: str
    path: re.Pattern[str]
    query: set[str]


@functools.cache
def _declared() -> tuple[list[_Operation], list[_Operation]]:
    from tests.contracts.vendor_specs import specs_folder  # noqa: PLC0415 it imports this module

    spec = json.loads((specs_folder() / "salesforce_community.json").read_bytes())
    declared = [
        _Operation(method, _pattern(path), {e["name"] for e in operation.get("parameters", ()) if e["in"] == "query"})
        for path, operations in spec["paths"].items()
        for method, operation in operations.items()
        if method != "parameters"
    ]
    beyond = [_Operation(method, _pattern(path), names) for (method, path), names in _BEYOND_THE_FILE.items()]
    return declared, beyond


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{[^/]*?\\\}", "[^/]+", re.escape(path)))


def _wrong_query(sent: Sent) -> str:
    asked = dict(sent.query).get("q", "")
    if sent.path.endswith(("/query", "/queryAll")):
        return "" if re.match(r"SELECT .+ FROM \w+", asked) else "q is no SELECT"
    if sent.path.endswith("/search"):
        return "" if re.match(r"FIND \{.+\} ", asked) else "q is no FIND"
    return ""


def _wrong_record(sent: Sent) -> str:
    try:
        record = json.loads(sent.body)
    except ValueError:
        return "the body is not JSON"
    if not isinstance(record, dict) or not record:
        return "the body is one record"
    named = unquote(sent.path).split("/sobjects/")[1].split("/")
    if "Id" in record or (len(named) == 3 and named[1] in record):
        return "an id never stands in the body"
    wrong = [name for name, value in record.items() if not isinstance(value, str | bool | int | float | None)]
    return f"{', '.join(wrong)}: a record is flat" if wrong else ""


def _wrong_errors(value: Any) -> str:
    if not isinstance(value, list) or not value:
        return "errors are an array"
    for each in value:
        if not isinstance(each, dict) or not {"errorCode", "message"} <= set(each) <= _ERROR_KEYS:
            return f"an error is {{errorCode, message, fields}}, not {each!r}"
    return ""


def _wrong_success(sent: Sent, status: int, value: Any) -> str:
    if not isinstance(value, dict):
        return "an answer is an object"
    if "/query" in sent.path:
        good = set(value) <= {"totalSize", "done", "records", "nextRecordsUrl"} and isinstance(value["records"], list)
        return "" if good and value["done"] is ("nextRecordsUrl" not in value) else "a page of a query is not like this"
    if sent.path.endswith("/search"):
        return "" if isinstance(value.get("searchRecords"), list) else "a search lists searchRecords"
    good = {"id", "success", "errors"} <= set(value) <= {"id", "success", "errors", "created"}
    return "" if good and status in {200, 201} else "a write answers {id, success, errors}"


def _wrong_login(sent: Sent) -> str:
    if sent.path.endswith("/authorize") and sent.method == "get":
        missing = {"response_type", "client_id", "redirect_uri"} - {name for name, _ in sent.query}
        return f"the page needs {sorted(missing)}" if missing else ""
    if not sent.path.endswith("/token") or sent.method != "post" or sent.content_type != FORM:
        return "a token is asked for by a form, POST /services/oauth2/token"
    return "" if re.search(rb"grant_type=(\w+)", sent.body) and _grant(sent) in _GRANTS else "the grant is not known"


def _grant(sent: Sent) -> str:
    found = re.search(rb"grant_type=(\w+)", sent.body)
    return found[1].decode() if found else ""


def _wrong_token(status: int, value: Any) -> str:
    wanted = {"error", "error_description"} if status >= 400 else {"access_token", "instance_url", "token_type"}
    return "" if isinstance(value, dict) and wanted <= set(value) else f"the answer lacks one of {sorted(wanted)}"


CHECKS = SalesforceChecks()
