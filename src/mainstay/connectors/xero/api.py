"""Xero's way of reading and writing: lists of one kind, for one organisation, with idempotency keys.

Source: Xero's OpenAPI files (accounting, identity).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson

from mainstay.connectors.xero.errors import classify_answer, refusal_in
from mainstay.connectors.xero.settings import XeroConnection
from mainstay.kit import Http, HttpSettings, NeedsHumanError, PermanentError, Response, TransientError
from mainstay.kit.payload import moment
from mainstay.kit.signature import sha256_hex

BASE = "/api.xro/2.0"
PAGE = 100
MOST_PAGES = 50
IDS = {"Contacts": "ContactID", "Invoices": "InvoiceID", "Payments": "PaymentID", "Organisations": "OrganisationID"}
_ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_DATE = re.compile(r"/Date\((-?\d{1,15})(?:[+-]\d{4})?\)/", re.ASCII)
Record = Mapping[str, Any]


def http_settings(settings: XeroConnection) -> HttpSettings:
    """Return how to reach Xero."""
    return replace(settings.way_in, classify=classify_answer)


def is_id(text: str) -> bool:
    """Tell whether a text is the form of an id: a UUID."""
    return bool(_ID.fullmatch(text))


def require_id(text: str, what: str) -> str:
    """Return an id in small letters; raise PermanentError for what is none."""
    if not is_id(text):
        raise PermanentError(f"{text[:80]!r} is not the id of a Xero {what}, which is a UUID")
    return text.lower()


def idempotency_key(*of: Any) -> str:
    """Return the key of a request that means this and nothing else; Xero refuses one that comes with another body."""
    return sha256_hex(orjson.dumps(of, option=orjson.OPT_SORT_KEYS))


def text_of(record: Record, key: str) -> str:
    """Return a text of a record; empty where there is none."""
    value = record.get(key)
    return value if isinstance(value, str) else ""


def inner(record: Record, key: str) -> Record:
    """Return an object within a record; empty where there is none."""
    value = record.get(key)
    return value if isinstance(value, dict) else {}


def list_of(record: Record, key: str) -> list[Record]:
    """Return the objects of a list within a record; what is none is left out."""
    value = record.get(key)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def read_time(value: object) -> datetime | None:
    """Read a time as Xero writes it: ``/Date(1552327126117+0000)/``, or ISO 8601 in UTC; None when it is neither."""
    found = _DATE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return moment(value) if isinstance(value, str) else None
    try:
        return datetime.fromtimestamp(int(found[1]) / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None


class Api:
    """One organisation; which is looked up where it is not said."""

    def __init__(self, http: Http, tenant_id: str = "") -> None:
        self._http = http
        self._tenant = tenant_id

    async def tenant(self) -> str:
        """Return the organisation's id.

        Raises:
            NeedsHumanError: the app may enter none, or several: the text names them.
        """
        if not self._tenant:
            response = await self._http.request("GET", "/Connections")
            entries = response.data if isinstance(response.data, list) else None
            if entries is None or not all(_is_connection(each) for each in entries):
                raise TransientError(f"{response.status}: the answer is no list of connections", status=response.status)
            found = [each for each in entries if each.get("tenantType") == "ORGANISATION"]
            if len(found) != 1:
                names = ", ".join(f"{each.get('tenantName')} ({_tenant_id(each)})" for each in found[:10])
                what = f"it may enter several: set tenant_id to one of {names}" if found else "connect it again"
                raise NeedsHumanError(f"Xero does not say which organisation this connection is; {what}")
            self._tenant = _tenant_id(found[0])
        return self._tenant

    async def all(self, kind: str, **params: str) -> list[Record]:
        """Return all records of a list, page by page.

        Raises:
            PermanentError: there are more than can be looked through.
        """
        found: list[Record] = []
        for page in range(1, MOST_PAGES + 1):
            records = await self._get(kind, f"/{kind}", params | {"page": str(page), "pageSize": str(PAGE)})
            found += records
            if len(records) < PAGE:
                return found
        raise PermanentError(f"there are more than {MOST_PAGES * PAGE} {kind.lower()} to look through")

    async def changed(
        self, kind: str, since: datetime, where: str, *, page: int, size: int
    ) -> tuple[list[Record], Response]:
        """Return a page of what changed since then, the oldest change first, and the answer."""
        headers = await self._headers() | {"If-Modified-Since": since.strftime("%Y-%m-%dT%H:%M:%SZ")}
        params = {"where": where, "order": "UpdatedDateUTC ASC", "page": str(page), "pageSize": str(size)}
        # Nothing changed is answered as HTTP has it, or by an empty list.
        response = await self._http.request("GET", f"{BASE}/{kind}", params=params, headers=headers, accept=(304,))
        if response.status == 304:
            return [], response
        return self._records(kind, response.data, response.status, unsure=False), response

    async def contacts(self, ids: Collection[str]) -> dict[str, Record]:
        """Return the contacts of these ids, by their ids."""
        asked = sorted(filter(is_id, ids))
        params = {"IDs": ",".join(asked), "includeArchived": "true", "pageSize": str(PAGE)}
        found = await self._get("Contacts", "/Contacts", params) if asked else []
        return {text_of(each, "ContactID"): each for each in found}

    async def read(self, kind: str, record_id: str) -> Record | None:
        """Return one record; None where there is none."""
        records = await self._get(kind, f"/{kind}/{record_id}", {})
        return records[0] if records else None

    async def organisation(self) -> Record:
        """Return the organisation's own record."""
        records = await self._get("Organisations", "/Organisation", {})
        return records[0] if records else {}

    async def online_url(self, invoice_id: str) -> str:
        """Return the address at which the customer sees an invoice; empty where it has none."""
        path = f"{BASE}/Invoices/{invoice_id}/OnlineInvoice"
        response = await self._http.request("GET", path, headers=await self._headers(), accept=(400, 404))
        found = list_of(response.data, "OnlineInvoices") if isinstance(response.data, dict) else []
        return text_of(found[0], "OnlineInvoiceUrl") if found else ""

    async def write(
        self, method: str, kind: str, record: Record, *, key: str, record_id: str = "", params: Record | None = None
    ) -> Record:
        """Create (PUT) or change (POST) one record and return it.

        Raises:
            RefusedError: Xero says why not.
        """
        headers = await self._headers() | {"Idempotency-Key": key}
        path = f"{BASE}/{kind}" + (f"/{record_id}" if record_id else "")
        response = await self._http.request(method, path, json={kind: [record]}, params=params, headers=headers)
        written = self._records(kind, response.data, response.status, unsure=True)
        if len(written) != 1:
            raise TransientError(f"{response.status}: the answer has not the one of {kind}", unsure=True)
        refusal = refusal_in(written[0], response.status)
        if refusal is not None:
            raise refusal
        return written[0]

    async def _get(self, kind: str, path: str, params: Record) -> list[Record]:
        headers = await self._headers()
        response = await self._http.request("GET", BASE + path, params=params or None, headers=headers, accept=(404,))
        return [] if response.status == 404 else self._records(kind, response.data, response.status, unsure=False)

    async def _headers(self) -> dict[str, str]:
        return {"xero-tenant-id": await self.tenant()}

    @staticmethod
    def _records(kind: str, data: Any, status: int, *, unsure: bool) -> list[Record]:
        records = data.get(kind) if isinstance(data, dict) else None
        if not isinstance(records, list) or not all(
            isinstance(each, dict) and is_id(text_of(each, IDS[kind])) for each in records
        ):
            raise TransientError(f"{status}: the answer has no {kind} in it", status=status, unsure=unsure)
        return records


def _is_connection(entry: Any) -> bool:
    return isinstance(entry, dict) and bool(text_of(entry, "tenantType")) and is_id(_tenant_id(entry))


def _tenant_id(entry: Record) -> str:
    return text_of(entry, "tenantId")
