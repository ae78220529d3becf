"""QuickBooks' way of reading and writing: by entity, by its query language, with a request's own id.

Source: developer.intuit.com: REST API features, query operations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import orjson

from mainstay.connectors.quickbooks.errors import NOT_FOUND, RefusedError, classify_answer
from mainstay.connectors.quickbooks.settings import MINOR_VERSION, QuickBooksConnection
from mainstay.kit import Http, HttpSettings, PermanentError, Response, TransientError
from mainstay.kit.signature import sha256_hex

PAGE = 1000
MOST_PAGES = 20
_ID = re.compile(r"\d{1,20}", re.ASCII)
Record = Mapping[str, Any]


def http_settings(settings: QuickBooksConnection) -> HttpSettings:
    """Return how to reach a company."""
    return replace(settings.way_in, classify=classify_answer)


def require_id(text: str, what: str) -> str:
    """Return an id; raise PermanentError for what is none."""
    if not _ID.fullmatch(text):
        raise PermanentError(f"{text[:80]!r} is not the id of a QuickBooks {what}, which is a number")
    return text


def is_id(text: str) -> bool:
    """Tell whether a text is the form of an id: a number."""
    return bool(_ID.fullmatch(text))


def quoted(text: str) -> str:
    """Write a text as the query language has it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def one_of(field: str, texts: Sequence[str]) -> str:
    """Write that a field has one of these values."""
    return f"{field} IN ({', '.join(map(quoted, texts))})"


def request_id(*of: Any) -> str:
    """Return the id of a request that means this and nothing else: sent again, QuickBooks answers what it did."""
    return str(UUID(hex=sha256_hex(orjson.dumps(of, option=orjson.OPT_SORT_KEYS))[:32], version=4))


def text_of(record: Record, *keys: str) -> str:
    """Return a text of a record by its path; empty where there is none."""
    value: Any = record
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, str) else ""


class Api:
    """One company."""

    def __init__(self, http: Http, minor_version: int = MINOR_VERSION) -> None:
        self._http = http
        self._version = {"minorversion": str(minor_version)}

    async def page(self, entity: str, where: str, start: int, most: int) -> tuple[list[Record], Response]:
        """Return records of a kind from a place on, in the order that the query says, and the answer."""
        asked = ["select * from", entity, "where", where, f"startposition {start + 1} maxresults {most}"]
        response = await self._http.request("GET", "/query", params={"query": " ".join(asked), **self._version})
        return self._records(entity, response), response

    @staticmethod
    def _records(entity: str, response: Response) -> list[Record]:
        answer = response.data.get("QueryResponse") if isinstance(response.data, dict) else None
        records = answer.get(entity, []) if isinstance(answer, dict) else None
        if not isinstance(records, list) or not all(_is_record(each) for each in records):
            raise TransientError(f"{response.status}: the answer to a query is no list", status=response.status)
        return records

    async def query(self, entity: str, where: str = "") -> list[Record]:
        """Return all records of a kind, oldest first; deleted ones are not among them.

        Raises:
            PermanentError: there are more than can be looked through.
        """
        found: list[Record] = []
        asked = " ".join(["select * from", entity, *(["where", where] if where else [])])
        for page in range(MOST_PAGES):
            text = f"{asked} startposition {page * PAGE + 1} maxresults {PAGE}"
            response = await self._http.request("GET", "/query", params={"query": text, **self._version})
            records = self._records(entity, response)
            found += records
            if len(records) < PAGE:
                return sorted(found, key=lambda record: int(record["Id"]))
        raise PermanentError(f"there are more than {MOST_PAGES * PAGE} records of {entity} to look through")

    async def read(self, entity: str, record_id: str, **params: str) -> Record | None:
        """Return one record; None where there is none, or it was deleted."""
        try:
            path = f"/{entity.lower()}/{record_id}"
            response = await self._http.request("GET", path, params={**params, **self._version})
        except RefusedError as refusal:
            if refusal.code == NOT_FOUND or refusal.status == 404:
                return None
            raise
        record = _record_in(response.data, entity, response.status, unsure=False)
        return None if record.get("status") == "Deleted" else record

    async def write(self, entity: str, body: Record, **params: str) -> Record:
        """Create or change a record and return it; ``requestid`` and ``operation`` are parameters."""
        given = {**params, **self._version}
        response = await self._http.request("POST", f"/{entity.lower()}", json=body, params=given)
        return _record_in(response.data, entity, response.status, unsure=True)


def _record_in(data: Record, entity: str, status: int, *, unsure: bool) -> Record:
    record: Record | None = data.get(entity)
    if record is None or not _is_record(record):
        raise TransientError(f"{status}: the answer has no {entity} in it", status=status, unsure=unsure)
    return record


def _is_record(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("Id"), str) and is_id(value["Id"])
