"""Queries in Salesforce's two languages: texts in quotes that cannot end early, and every page of an answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mainstay.kit import Http, PermanentError, Response, TransientError

MAX_PAGES = 50
_ESCAPES = {"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_SPECIAL = re.compile(r"[\\'\"\n\r\t]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?", re.ASCII)
_NEXT = re.compile(r"/services/data/v[\d.]+/(?:query|queryAll)/[\w-]+", re.ASCII)


def quoted(value: str) -> str:
    """Write a text as a literal of SOQL."""
    return "'" + _SPECIAL.sub(lambda found: _ESCAPES[found[0]], _CONTROL.sub("", value)) + "'"


def one_of(values: Sequence[str]) -> str:
    """Write the list of an IN."""
    return "(" + ", ".join(map(quoted, values)) + ")"


def record_id(value: str, what: str = "record") -> str:
    """Return an id of 15 or 18 characters; raise PermanentError for what is none."""
    if not _ID.fullmatch(value):
        raise PermanentError(f"{value[:80]!r} is not the id of a Salesforce {what}, which has 15 or 18 characters")
    return value


async def query(
    http: Http, data: str, soql: str, *, deleted_too: bool = False
) -> tuple[list[Mapping[str, Any]], Response]:
    """Return every row of a query, and its first answer.

    Salesforce cuts an answer where it likes, whatever LIMIT says, and names the rest in ``nextRecordsUrl``.
    """
    verb = "queryAll" if deleted_too else "query"
    first = response = await http.request("GET", f"{data}/{verb}", params={"q": soql})
    rows = _rows(response)
    for _ in range(MAX_PAGES):
        rest = response.data.get("nextRecordsUrl")
        if response.data.get("done") is not False and not rest:
            return rows, first
        if not isinstance(rest, str) or not _NEXT.fullmatch(rest):
            raise TransientError(f"{response.status}: the answer names no next page", status=response.status)
        response = await http.request("GET", rest)
        rows += _rows(response)
    raise PermanentError(f"the answer has more than {MAX_PAGES} pages")


def _rows(response: Response) -> list[Mapping[str, Any]]:
    rows = response.data.get("records") if isinstance(response.data, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) and is_id(row.get("Id")) for row in rows):
        raise TransientError(f"{response.status}: the answer has no records in it", status=response.status)
    return rows


def is_id(value: object) -> bool:
    """Tell whether a value is an id."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None
