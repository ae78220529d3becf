"""A simulator of Xero: contacts, invoices and payments of one organisation."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from decimal import Decimal

from mainstay.sandbox.state import Configurable, Effects, Ids, RateWindow
from mainstay.sandbox.vendors import xero_books as books
from mainstay.sandbox.vendors.xero_account import Settings, oauth_server
from mainstay.sandbox.vendors.xero_books import Refused
from mainstay.sandbox.wire import Json, Reply, Request, SettingError, answer, now_iso

_PATH = re.compile(r"/api\.xro/2\.0/([A-Za-z]+)(?:/([^/]+))?(?:/([A-Za-z]+))?")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PROBLEMS = {
    401: ("Unauthorized", "TokenExpired: token expired"),
    403: ("Forbidden", "AuthenticationUnsuccessful"),
    404: ("NotFound", "The resource you're looking for cannot be found"),
    429: ("TooManyRequests", "The rate limit is exceeded"),
    503: ("ServiceUnavailable", "The Organisation is offline"),
}
_A_MINUTE = 60


class Xero(Configurable):
    """One organisation: create, create or update, void, read, search."""

    name = "xero"

    def __init__(self) -> None:
        """Start empty."""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.settings = Settings()
        self._ids = Ids(self.name)
        self._effects = Effects()
        self._calls = RateWindow(_A_MINUTE, 60)
        self._oauth = oauth_server()
        self._done: dict[str, tuple[str, Reply]] = {}
        self._records: dict[str, dict[str, dict[str, Json]]] = {"Contacts": {}, "Invoices": {}, "Payments": {}}

    def state(self) -> dict[str, Json]:
        """Return contacts, invoices and payments as Xero shows them, oldest first, and the effects."""
        shown = {kind.lower(): list(records.values()) for kind, records in self._records.items()}
        return {**shown, "token_calls": self._oauth.state(), "effects": self._effects.listing()}

    def seed(self, kind: str, records: list[dict[str, Json]]) -> int:
        """Put ``contacts``, ``invoices`` or ``payments`` in, each with Xero's own fields.

        One that is there already, by its id, is changed, as people do on its screens.
        """
        name = kind.capitalize()
        if name not in self._records:
            raise SettingError(f"xero is seeded with contacts, invoices or payments, not {kind}")
        for record in records:
            try:
                self._put(name, dict(record))
            except Refused as refused:
                raise SettingError(f"{kind} {record!r}: {refused}") from None
        return len(records)

    def _put(self, kind: str, record: dict[str, Json]) -> None:
        held = self._records[kind].get(record.get(books.ID_OF[kind], ""))
        time = {key: record.pop(key) for key in ("UpdatedDateUTC",) if key in record}
        if held is None:
            held = self._make(kind, record)
        else:
            held.update({**record, **books.updated()})
        held.update(time)

    # ---------------------------------------------------------------------------------------------- requests

    def handle(self, request: Request) -> Reply:
        """Answer one request."""
        if reply := self._oauth.handle(request, self.settings):
            return reply
        if not self._oauth.lets_in(request.bearer, self.settings, self.settings.tokens):
            return self.failure(request, 401, None)
        return self._answered(request)

    def _answered(self, request: Request) -> Reply:
        if request.path == "/Connections" and request.method == "GET":
            return answer(200, [self._connection(number, each) for number, each in enumerate(self.settings.tenants)])
        found = _PATH.fullmatch(request.path)
        if found is None:
            return self.failure(request, 404, None)
        if request.headers.get("xero-tenant-id", "").lower() not in self.settings.tenants[:1]:
            return self.failure(request, 403, None)
        if not self._calls.take() and self.settings.rate_limit:
            return self.failure(request, 429, self._calls.seconds_left)
        if request.method == "GET":
            return self._read(request, found[1], found[2] or "", found[3] or "")
        return self._repeatable(request, found[1], found[2] or "", found[3] or "")

    def failure(self, request: Request, status: int, retry_after: float | None) -> Reply:  # noqa: ARG002
        """Return Xero's shape of a problem."""
        headers = {"X-MinLimit-Remaining": str(self._calls.remaining), "X-DayLimit-Remaining": "4000"}
        if status == 429:
            headers["X-Rate-Limit-Problem"] = self.settings.rate_problem
        if retry_after is not None:
            headers["Retry-After"] = f"{retry_after:g}"
        if status == 400:
            return books.refusal(["A validation exception occurred"], {})
        title, detail = _PROBLEMS.get(status, ("InternalServerError", "An error occurred in Xero"))
        problem: dict[str, Json] = {"Type": None, "Title": title, "Status": status, "Detail": detail, "Extensions": {}}
        return answer(status, problem, headers)

    def _connection(self, number: int, tenant: str) -> dict[str, Json]:
        return {
            "id": f"7cb59f93-2964-421d-bb5e-{number:012x}",
            "tenantId": tenant,
            "tenantType": "ORGANISATION",
            "tenantName": "Acme Plumbing" if number == 0 else f"Another company {number}",
            "createdDateUtc": now_iso(),
            "updatedDateUtc": now_iso(),
        }

    def _read(self, request: Request, kind: str, record_id: str, what: str) -> Reply:
        query = dict(request.query)
        if kind == "Organisation":
            return _answered("Organisations", [books.organisation(self.settings.currencies[0])])
        if kind not in self._records:
            return self.failure(request, 404, None)
        if not record_id:
            return self._listed(kind, query, request.headers.get("If-Modified-Since", ""))
        held = self._records[kind].get(record_id)
        if held is None and kind == "Contacts":
            every = self._records[kind].values()
            held = next((each for each in every if each.get("ContactNumber") == record_id), None)
        if held is None:
            return self.failure(request, 404, None)
        if what == "OnlineInvoice" and kind == "Invoices":
            if held["Status"] in {"DRAFT", "DELETED"}:
                return self.failure(request, 404, None)
            url = f"https://in.xero.com/{hashlib.sha256(record_id.encode()).hexdigest()[:24]}"
            return answer(200, {"OnlineInvoices": [{"OnlineInvoiceUrl": url}]})
        return _answered(kind, [held])

    def _listed(self, kind: str, query: Mapping[str, str], since: str) -> Reply:
        try:
            found = books.changed(kind, self._records[kind].values(), query, since)
        except ValueError as error:
            return books.refusal([f"{error} cannot be read"], {}, number=16)
        size = min(int(query.get("pageSize", "100")), self.settings.page_size)
        start = (int(query.get("page", "1")) - 1) * size
        # A list shows no payments of its invoices.
        page = [
            {key: value for key, value in each.items() if key != "Payments"} for each in found[start : start + size]
        ]
        counted = {
            "page": start // size + 1,
            "pageSize": size,
            "pageCount": -(-len(found) // size),
            "itemCount": len(found),
        }
        return _answered(kind, page, pagination=counted)

    # ------------------------------------------------------------------------------------------------ writes

    def _repeatable(self, request: Request, kind: str, record_id: str, what: str) -> Reply:
        key = "" if self.settings.forgets_keys else request.headers.get("Idempotency-Key", "")
        if len(key) > 128:
            return books.refusal(["The Idempotency-Key is longer than 128 characters"], {})
        digest = hashlib.sha256(f"{request.method} {request.path}".encode() + request.body).hexdigest()
        if key in self._done:
            earlier, reply = self._done[key]
            return (
                reply if earlier == digest else books.refusal(["The Idempotency-Key was used for another request"], {})
            )
        reply = self._written(request, kind, record_id, what)
        if key:
            self._done[key] = (digest, reply)
        return reply

    def _written(self, request: Request, kind: str, record_id: str, what: str) -> Reply:
        if kind not in self._records or what or request.method not in {"PUT", "POST"}:
            return self.failure(request, 404, None)
        try:
            elements = request.json()[kind]
            assert isinstance(elements, list)  # noqa: S101 - what is none is refused below
            assert len(elements) == 1  # noqa: S101 - the sandbox takes one at a time
        except (ValueError, KeyError, TypeError, AssertionError):
            return books.refusal(["A JSON object with a list of one is needed"], {}, number=17)
        element = elements[0]
        own_id = record_id or element.get(books.ID_OF[kind], "")
        try:
            if request.method == "POST" and own_id:
                record, verb = self._change(kind, own_id, element), "updated"
            else:
                record, verb = self._make(kind, element), "created"
        except Refused as refused:
            if self.settings.errors_as_200:
                blank = {books.ID_OF[kind]: "00000000-0000-0000-0000-000000000000"}
                said = [{"Message": reason} for reason in refused.reasons]
                wrong = {**blank, **element, "HasValidationErrors": True, "ValidationErrors": said}
                return _answered(kind, [{**wrong, "StatusAttributeString": "ERROR"}])
            return books.refusal(refused.reasons, {})
        self._effects.add(f"{books.NOUN_OF[kind]}.{verb}", record[books.ID_OF[kind]], request)
        return _answered(kind, [{**record, "StatusAttributeString": "OK"}])

    def _make(self, kind: str, element: dict[str, Json]) -> dict[str, Json]:
        made = {"Contacts": self._contact, "Invoices": self._invoice, "Payments": self._payment}[kind](element)
        record = {**made, books.ID_OF[kind]: self._ids.uuid(kind), **books.updated()}
        self._records[kind][record[books.ID_OF[kind]]] = record
        if kind == "Payments":
            books.apply(record, self._records["Invoices"][record["Invoice"]["InvoiceID"]])
        return record

    def _contact(self, element: Mapping[str, Json]) -> dict[str, Json]:
        made = books.contact(element)
        self._require_free(made)
        return made

    def _require_free(self, contact: Mapping[str, Json], own_id: str = "") -> None:
        others = [each for key, each in self._records["Contacts"].items() if key != own_id]
        active = [each for each in others if each["ContactStatus"] == "ACTIVE"]
        if any(each["Name"].casefold() == contact["Name"].casefold() for each in active):
            raise Refused(
                f"The contact name {contact['Name']} is already assigned to another contact. The contact name must be "
                "unique across all active contacts."
            )
        number = contact.get("ContactNumber")
        if number and any(each.get("ContactNumber") == number for each in others):
            raise Refused(f"The contact number {number} is already assigned to another contact")

    def _invoice(self, element: Mapping[str, Json]) -> dict[str, Json]:
        number = element.get("InvoiceNumber") or f"{self.settings.number_prefix}{self._ids.number('number'):04}"
        if any(each["InvoiceNumber"] == number for each in self._records["Invoices"].values()):
            raise Refused("Invoice # must be unique.")
        return books.invoice(element, number, self._records["Contacts"], self.settings.currencies)

    def _payment(self, element: Mapping[str, Json]) -> dict[str, Json]:
        return books.payment(element, self._records["Invoices"])

    def _change(self, kind: str, record_id: str, element: Mapping[str, Json]) -> dict[str, Json]:
        held = self._records[kind].get(record_id)
        if held is None:
            raise Refused(f"The {books.NOUN_OF[kind]} ID {record_id} is not known")
        if kind == "Contacts":
            merged = {**held, **element}
            if merged["ContactStatus"] == "ACTIVE":
                self._require_free(merged, record_id)
            held.update(books.contact(merged))
        elif kind == "Invoices":
            self._set_status(held, str(element.get("Status", "")))
        else:
            raise Refused("A payment cannot be changed")
        held.update(books.updated())
        return held

    @staticmethod
    def _set_status(held: dict[str, Json], status: str) -> None:
        allowed = {"DRAFT": {"DELETED", "AUTHORISED"}, "SUBMITTED": {"DELETED", "AUTHORISED"}, "AUTHORISED": {"VOIDED"}}
        if status not in allowed.get(held["Status"], set()) or Decimal(str(held["AmountPaid"])):
            raise Refused(f"Invoice not of valid status for modification: {held['Status']} to {status}")
        held["Status"] = status
        if status == "VOIDED":
            held["AmountDue"] = 0.0


def _answered(kind: str, records: list[dict[str, Json]], **more: Json) -> Reply:
    head = {"Id": "04e93d48-e72f-4775-b7dd-15a041fab972", "Status": "OK", "ProviderName": "Mainstay"}
    return answer(200, {**head, "DateTimeUTC": books.ms_date(), **more, kind: records})


SIMULATOR = Xero
