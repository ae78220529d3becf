"""A simulator of QuickBooks Online: customers, invoices, payments and queries of one company."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from urllib.parse import unquote_plus

from mainstay.sandbox.state import Effects, Ids, RateWindow, changed
from mainstay.sandbox.vendors import quickbooks_books as books
from mainstay.sandbox.vendors import quickbooks_query as queries
from mainstay.sandbox.vendors.quickbooks_account import REALM, Settings, oauth_server
from mainstay.sandbox.vendors.quickbooks_books import Refused
from mainstay.sandbox.wire import Json, Reply, Request, SettingError, answer, now_iso

_PATH = re.compile(r"/v3/company/([\w-]+)/(query|[a-z]+)(?:/(\w+))?")
_ENTITIES = {"customer": "Customer", "invoice": "Invoice", "payment": "Payment", "item": "Item", "taxcode": "TaxCode"}
_WRITTEN = frozenset({"Customer", "Invoice", "Payment"})
_FAULTS = {
    400: ("2010", "Request has invalid or unsupported property", "ValidationFault"),
    401: ("3200", "message=AuthenticationFailed; errorCode=003200; statusCode=401", "AUTHENTICATION"),
    403: ("3100", "message=ApplicationAuthorizationFailed; errorCode=003100; statusCode=403", "AuthorizationFault"),
    429: ("3001", "message=ThrottleExceeded; errorCode=003001; statusCode=429", "THROTTLE"),
}


class QuickBooks:
    """One company: create, sparse update, void, read, query."""

    name = "quickbooks"

    def __init__(self) -> None:
        """Start empty."""
        self.reset()

    def reset(self) -> None:
        """Forget everything, but for the items and tax codes that every company has here."""
        self.settings = Settings()
        self._ids = Ids(self.name)
        self._effects = Effects()
        self._calls = RateWindow(self.settings.calls_a_minute, 60)
        self._oauth = oauth_server()
        self._done: dict[str, Reply] = {}
        self._stale = 0
        self._records: dict[str, dict[str, dict[str, Json]]] = {
            "Customer": {},
            "Invoice": {},
            "Payment": {},
            "Item": {each["Id"]: each for each in books.items()},
            "TaxCode": {each["Id"]: each for each in books.tax_codes()},
            "CompanyInfo": {"1": books.company()},
        }

    def configure(self, settings: Mapping[str, Json]) -> dict[str, Json]:
        """Change settings and return all of them."""
        self.settings = changed(self.settings, settings)
        self._calls = RateWindow(self.settings.calls_a_minute, 60)
        self._stale = self.settings.stale
        return asdict(self.settings)

    def state(self) -> dict[str, Json]:
        """Return customers, invoices and payments as QuickBooks shows them, oldest first, and the effects."""
        shown = {f"{kind.lower()}s": list(self._records[kind].values()) for kind in sorted(_WRITTEN)}
        return {**shown, "token_calls": self._oauth.state(), "effects": self._effects.listing()}

    def seed(self, kind: str, records: list[dict[str, Json]]) -> int:
        """Put ``customers``, ``items``, ``invoices`` or ``payments`` in, each with QuickBooks' own fields.

        One that is there already, by its ``Id``, is changed, as people do on its screens.
        """
        kinds = {"customers": "Customer", "items": "Item", "invoices": "Invoice", "payments": "Payment"}
        if kind not in kinds:
            raise SettingError(f"quickbooks is seeded with {', '.join(kinds)}, not {kind}")
        for record in records:
            try:
                self._put(kinds[kind], dict(record))
            except Refused as refused:
                raise SettingError(f"{kind} {record!r}: {refused}") from None
        return len(records)

    def _put(self, entity: str, record: dict[str, Json]) -> None:
        held = self._records[entity].get(record.get("Id", ""))
        times = record.pop("MetaData", {})
        if held is None:
            held = self._make(entity, record)
        else:
            held.update(record)
            self._touch(held)
        held["MetaData"] = {**held["MetaData"], **times}

    # ---------------------------------------------------------------------------------------------- requests

    def handle(self, request: Request) -> Reply:
        """Answer one request."""
        company = {"realmId": self.settings.realm_id or REALM}
        if reply := self._oauth.handle(request, self.settings, send_back=company):
            return reply
        found = _PATH.fullmatch(request.path)
        if not self._oauth.lets_in(request.bearer, self.settings, self.settings.tokens):
            return self.failure(request, 401, None)
        if found is None or found[1] == "not-connected":
            return _fault(Refused("120", "Authorization Failure", 403))
        if self.settings.realm_id and found[1] != self.settings.realm_id:
            return self.failure(request, 403, None)
        if not self._calls.take() and self.settings.rate_limit:
            return self.failure(request, 429, None)
        try:
            reply = self._route(request, found[2], found[3] or "")
        except Refused as refused:
            reply = _fault(refused, 200 if self.settings.faults_as_200 else None)
        return reply

    def failure(self, request: Request, status: int, retry_after: float | None) -> Reply:  # noqa: ARG002
        """Return Intuit's error shape: the gateway's own, in small letters, where it is the gateway that refuses."""
        headers = {"intuit_tid": "1-sandbox"} | ({} if retry_after is None else {"Retry-After": f"{retry_after:g}"})
        code, text, kind = _FAULTS.get(status, ("10000", "An application error has occurred", "SystemFault"))
        if status in {401, 403}:
            error = {"message": text, "detail": text.partition(";")[0], "code": code, "element": None}
            nothing = {"warnings": None, "intuitObject": None, "queryResponse": None, "time": 1764238000000}
            return answer(status, {**nothing, "fault": {"error": [error], "type": kind}}, headers)
        return _fault(Refused(code, text, status, kind), headers=headers)

    def _route(self, request: Request, name: str, record_id: str) -> Reply:
        query = dict(request.query)
        if name == "query" and request.method == "GET":
            return self._query(query.get("query", ""))
        entity = _ENTITIES.get(name, "")
        if not entity:
            raise Refused("2020", f"Unsupported operation on {unquote_plus(name)}")
        if request.method == "GET" and record_id:
            return self._shown(entity, self._held(entity, record_id), query)
        if request.method != "POST" or record_id or entity not in _WRITTEN:
            raise Refused("500", "Unsupported Operation", 405)
        key = "" if self.settings.forgets_requests else query.get("requestid", "")
        if key and key in self._done:
            return self._done[key]
        try:
            body = request.json()
        except ValueError:
            raise Refused("2010", "Request has invalid or unsupported property") from None
        reply = self._shown(entity, self._write(entity, body, query, request), query)
        if key:
            self._done[key] = reply
        return reply

    def _shown(self, entity: str, record: dict[str, Json], query: Mapping[str, str]) -> Reply:
        shown = record
        is_asked = entity == "Invoice" and query.get("include") == "invoiceLink"
        if is_asked and self.settings.online_payments and record.get("BillEmail"):
            shown = record | {"InvoiceLink": f"https://connect.intuit.com/t/scs-v1-{record['Id']}"}
        return answer(200, {entity: shown, "time": now_iso()})

    def _query(self, text: str) -> Reply:
        try:
            query = queries.read(text)
        except queries.QueryError as error:
            raise Refused("4000", f"Error parsing query; {error}") from None
        every = self._records[query.entity].values()
        found = [each for each in every if queries.is_meant(each, query, exact_case=self.settings.exact_case)]
        if query.order:
            found.sort(key=queries.changed_at)
        page = found[query.start - 1 : query.start - 1 + query.most]
        result: dict[str, Json] = {}
        if page:
            result = {query.entity: page, "startPosition": query.start, "maxResults": len(page)}
        return answer(200, {"QueryResponse": result, "time": now_iso()})

    def _held(self, entity: str, record_id: str) -> dict[str, Json]:
        held = self._records[entity].get(record_id)
        if held is None:
            raise Refused(
                "610", "Object Not Found; Object Not Found : Something you're trying to use has been made inactive"
            )
        return held

    # ------------------------------------------------------------------------------------------------ writes

    def _write(self, entity: str, body: Json, query: Mapping[str, str], request: Request) -> dict[str, Json]:
        if not isinstance(body, dict):
            raise Refused("2010", "Request has invalid or unsupported property")
        mark = {"requestid": query.get("requestid", "")}
        operation = query.get("operation", "")
        if "Id" not in body:
            if operation:
                raise Refused("2020", "Required param missing, need to supply the required value for the API; Id")
            made = self._make(entity, body)
            self._effects.add(f"{entity.lower()}.created", made["Id"], request, mark)
            return made
        held = self._held(entity, str(body["Id"]))
        if self._stale > 0:
            self._stale -= 1
            self._touch(held)
        if body.get("SyncToken") != held["SyncToken"]:
            raise Refused("5010", f"Stale Object Error; You and root were working on this at the same time. {entity}")
        if operation == "void" and entity == "Invoice":
            self._void(held)
        elif operation:
            raise Refused("2020", f"Unsupported operation {operation}")
        else:
            self._change(entity, held, body)
        self._effects.add(f"{entity.lower()}.{'voided' if operation else 'updated'}", held["Id"], request, mark)
        self._touch(held)
        return held

    def _make(self, entity: str, body: dict[str, Json]) -> dict[str, Json]:
        makers: dict[str, Callable[[dict[str, Json]], dict[str, Json]]] = {
            "Customer": self._customer,
            "Invoice": self._invoice,
            "Payment": self._payment,
            "Item": dict,
        }
        made = makers[entity](body)
        now = _local_now()
        record = {
            **made,
            "Id": str(self._ids.number(entity) + (100 if entity == "Item" else 0)),
            "SyncToken": "0",
            "domain": "QBO",
            "sparse": False,
            "MetaData": {"CreateTime": now, "LastUpdatedTime": now},
        }
        if entity == "Invoice" and "DocNumber" not in record and not self.settings.custom_numbers:
            record["DocNumber"] = str(1000 + int(record["Id"]))
        self._records[entity][record["Id"]] = record
        if entity == "Payment":
            for paid in books.apply(record, self._records["Invoice"]):
                self._touch(paid)
        return record

    def _touch(self, held: dict[str, Json]) -> None:
        held["SyncToken"] = str(int(held["SyncToken"]) + 1)
        held["MetaData"] = {**held["MetaData"], "LastUpdatedTime": _local_now()}

    def _change(self, entity: str, held: dict[str, Json], body: dict[str, Json]) -> None:
        if entity != "Customer":
            raise Refused("2020", f"the sandbox changes customers alone, not {entity}")
        merged = {**held, **body} if body.get("sparse") is True else {**body, "MetaData": held["MetaData"]}
        self._require_free(str(merged.get("DisplayName", "")), held["Id"])
        held.clear()
        held.update({**merged, "sparse": False})

    def _require_free(self, name: str, own_id: str = "") -> None:
        names = {each["DisplayName"].casefold() for each in self._records["Customer"].values() if each["Id"] != own_id}
        if name.casefold() in names | {each.casefold() for each in self.settings.other_names}:
            raise Refused(
                "6240",
                "Duplicate Name Exists Error; The name supplied already exists. : Another customer, vendor or employee "
                "is already using this name.",
            )

    def _customer(self, body: dict[str, Json]) -> dict[str, Json]:
        made = books.customer(body, self.settings.home_currency)
        self._require_free(made["DisplayName"])
        return made

    def _invoice(self, body: dict[str, Json]) -> dict[str, Json]:
        number = body.get("DocNumber", "")
        if number and any(each.get("DocNumber") == number for each in self._records["Invoice"].values()):
            raise Refused("6140", "Duplicate Document Number Error; You must specify a different number.")
        return books.invoice(body, self._records)

    def _payment(self, body: dict[str, Json]) -> dict[str, Json]:
        return books.payment(body, self._records)

    def _void(self, held: dict[str, Json]) -> None:
        note = "Voided" if self.settings.void_drops_note else f"Voided - {held.get('PrivateNote', '')}"
        held.update({"TotalAmt": 0, "Balance": 0, "PrivateNote": note, "LinkedTxn": []})
        for line in held["Line"]:
            line["Amount"] = 0


def _fault(refused: Refused, status: int | None = None, headers: Mapping[str, str] | None = None) -> Reply:
    message, _, detail = str(refused).partition("; ")
    error = {"Message": message, "Detail": detail or message, "code": refused.code}
    body = {"Fault": {"Error": [error], "type": refused.kind}, "time": now_iso()}
    return answer(status or refused.status, body, headers or {})


def _local_now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


SIMULATOR = QuickBooks
