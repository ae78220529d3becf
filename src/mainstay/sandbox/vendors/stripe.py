"""A simulator of Stripe's customers, invoices and events, with its idempotency keys."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from mainstay.sandbox.state import Effects, Ids, changed, token_is_good
from mainstay.sandbox.vendors import stripe_objects as objects
from mainstay.sandbox.vendors.stripe_events import sender
from mainstay.sandbox.vendors.stripe_objects import Object, Problem, missing
from mainstay.sandbox.wire import FORM, Json, Reply, Request, SettingError, answer

VERSION = "2023-08-16"
_CUSTOMER = frozenset({"email", "name", "phone", "metadata", "description", "address", "expand"})
_INVOICE = frozenset({
    "auto_advance", "collection_method", "currency", "customer", "days_until_due", "description", "due_date", "expand",
    "footer", "metadata", "pending_invoice_items_behavior",
})  # fmt: skip
_ITEM = frozenset({
    "amount", "currency", "customer", "description", "expand", "invoice", "metadata", "price_data", "quantity",
    "tax_rates", "unit_amount_decimal",
})  # fmt: skip
_LIST = frozenset({"created", "ending_before", "expand", "limit", "starting_after"})
_PAGE, _MOST_IN_A_PAGE, _LONGEST_KEY = 10, 100, 255
_KINDS = {409: "idempotency_error", 402: "card_error"}
_CODES = {409: "idempotency_key_in_use", 429: "rate_limit", 403: "more_permissions_required"}


@dataclass(frozen=True)
class Settings:
    """``PUT /_control/config/stripe``.

    ``api_keys`` lists the good keys (None: any); ``refused`` paths that the key has no permission for (a shell's
    beginning, ``/v1/account``). ``event_days`` is for how long events
    are listed. ``search_lag_ms`` is how far the search stays behind; ``has_search`` false is India.
    ``key_ms`` is how long idempotency keys are kept; the next ``in_use`` calls with a key find it in use. ``breaks``
    (``before`` or ``after`` its effect) lets the next call with a key end in a 500, which that key then repeats.
    """

    api_keys: list[str] | None = None
    refused: list[str] = field(default_factory=list)
    search_lag_ms: int = 0
    has_search: bool = True
    key_ms: int = 86_400_000
    in_use: int = 0
    breaks: str = ""
    livemode: bool = False
    event_days: float = 30
    account_name: str = "Sandbox"


@dataclass(frozen=True)
class _Saved:
    asked: tuple[str, bytes]
    reply: Reply
    at: float


class Stripe:
    """Customers, invoices, their items, and the events of all of them."""

    name = "stripe"

    def __init__(self) -> None:
        """Start empty."""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.settings = Settings()
        self._ids = Ids(self.name)
        self._effects = Effects()
        self._customers: dict[str, Object] = {}
        self._invoices: dict[str, Object] = {}
        self._items: dict[str, Object] = {}
        self._events: dict[str, Object] = {}
        self._changed_at: dict[str, float] = {}
        self._saved: dict[str, _Saved] = {}
        self._numbers = 0

    def configure(self, settings: Mapping[str, Json]) -> dict[str, Json]:
        """Change settings and return all of them."""
        if settings.get("breaks", "") not in {"", "before", "after"}:
            raise SettingError("breaks is before, after or empty")
        self.settings = changed(self.settings, settings)
        return asdict(self.settings)

    def state(self) -> dict[str, Json]:
        """Return every object, oldest first, and the effects; a deleted customer says so."""
        return {
            "customers": list(self._customers.values()),
            "invoices": list(self._invoices.values()),
            "invoice_items": list(self._items.values()),
            "events": list(self._events.values()),
            "effects": self._effects.listing(),
        }

    def seed(self, kind: str, records: list[dict[str, Json]]) -> int:
        """Put in ``customers``, ``drafts`` (``{customer, metadata}``), ``payments`` (``{invoice}``) or ``events``.

        An event (``{customer, type, created, object}``) is of an invoice, of which ``object`` says what is not usual.
        """
        for record in records:
            if kind == "customers":
                made = objects.customer(self._new("cus", 14))
                self._customers[made["id"]] = made | record
            elif kind == "drafts" and record.get("customer") in self._customers:
                of = self._customers[record["customer"]]
                made = objects.invoice(self._new("in"), record, of)
                self._invoices[made["id"]] = made
            elif kind == "events" and record.get("customer") in self._customers:
                about = objects.invoice(self._new("in"), {}, self._customers[record["customer"]]) | record["object"]
                told = objects.event(replace(self._new("evt"), created=record["created"]), record["type"], about, "")
                self._events[told["id"]] = told
            elif kind == "payments" and record.get("invoice") in self._invoices:
                self._paid(self._invoices[record["invoice"]], in_band=True)
            else:
                raise SettingError(f"stripe has no {kind} to seed; or what they are of is not there")
        return len(records)

    def handle(self, request: Request) -> Reply:
        """Answer one request."""
        key = request.bearer
        if not key or not token_is_good(key, self.settings.api_keys):
            return _error(Problem(401, "", f"Invalid API Key provided: {key[:8]}****"))
        if request.headers.get("Stripe-Version", VERSION) != VERSION:
            return _error(Problem(400, "", "Invalid Stripe API version: this sandbox speaks 2023-08-16"))
        if any(request.path.startswith(path) for path in self.settings.refused):
            text = f"The provided key '{key[:8]}****' does not have the required permissions for this endpoint."
            return _error(Problem(403, "more_permissions_required", text))
        sent = request.headers.get("Idempotency-Key", "")
        try:
            return self._once(request, sent) if sent and request.method == "POST" else answer(200, self._do(request))
        except Problem as problem:
            return _error(problem)

    def failure(self, request: Request, status: int, retry_after: float | None) -> Reply:  # noqa: ARG002
        """Return Stripe's error shape."""
        headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
        kind = _KINDS.get(status, "api_error" if status >= 500 else "")
        return _error(Problem(status, _CODES.get(status, ""), "The request was refused.", kind=kind), headers)

    # ------------------------------------------------------------------------------------------ idempotency keys

    def _once(self, request: Request, key: str) -> Reply:
        """Do a call once for its key. What is refused before anything was done is not kept."""
        if len(key) > _LONGEST_KEY:
            raise Problem(400, "", f"Idempotency-Key has at most {_LONGEST_KEY} characters", kind="idempotency_error")
        asked = (request.path, request.body)
        saved = self._saved.get(key)
        if saved is not None and time.monotonic() - saved.at < self.settings.key_ms / 1000:
            if saved.asked != asked:
                text = "Keys for idempotent requests can only be used with the parameters they were first used with."
                raise Problem(400, "", text, kind="idempotency_error")
            return replace(saved.reply, headers={**saved.reply.headers, "Idempotent-Replayed": "true"})
        if self.settings.in_use:
            self.settings = replace(self.settings, in_use=self.settings.in_use - 1)
            text = "There is currently another in-progress request using this Idempotency-Key."
            raise Problem(409, "idempotency_key_in_use", text, kind="idempotency_error")
        breaks = self.settings.breaks
        self.settings = replace(self.settings, breaks="")
        reply = Reply(500) if breaks == "before" else answer(200, self._do(request))
        if breaks:
            reply = _error(Problem(500, "", "An unknown error occurred", kind="api_error"))
        self._saved[key] = _Saved(asked, reply, time.monotonic())
        return reply

    # ---------------------------------------------------------------------------------------------------- calls

    def _do(self, request: Request) -> Object:
        parts = request.parts
        method, area, tail = request.method, "/".join(parts[:2]), parts[2:]
        identifier, action = (*tail, "", "")[:2]
        if len(tail) > 2 or parts[0] != "v1":
            raise _no_such_path(request)
        if area == "v1/account" and method == "GET" and not tail:
            return objects.account(self.settings.account_name)
        if tail == ["search"] and method == "GET":
            return self._search(parts[1], request)
        routes: dict[tuple[str, str, bool, str], Callable[[], Object]] = {
            ("GET", "v1/customers", False, ""): lambda: self._list(self._live(), request, "email"),
            ("POST", "v1/customers", False, ""): lambda: self._make_customer(request),
            ("GET", "v1/customers", True, ""): lambda: self._customer(identifier, shown=True),
            ("POST", "v1/customers", True, ""): lambda: self._change_customer(identifier, request),
            ("DELETE", "v1/customers", True, ""): lambda: self._delete_customer(identifier, request),
            ("GET", "v1/invoices", False, ""): lambda: self._list_invoices(request),
            ("POST", "v1/invoices", False, ""): lambda: self._make_invoice(request),
            ("GET", "v1/invoices", True, ""): lambda: self._invoice(identifier),
            ("DELETE", "v1/invoices", True, ""): lambda: self._delete_invoice(identifier, request),
            ("POST", "v1/invoices", True, "finalize"): lambda: self._finalise(identifier, request),
            ("POST", "v1/invoices", True, "void"): lambda: self._void(identifier, request),
            ("POST", "v1/invoices", True, "pay"): lambda: self._pay(identifier, request),
            ("GET", "v1/invoiceitems", False, ""): lambda: self._list(self._items, request, "invoice", "customer"),
            ("POST", "v1/invoiceitems", False, ""): lambda: self._make_item(request),
            ("GET", "v1/events", False, ""): lambda: self._list_events(request),
        }
        route = routes.get((method, area, bool(identifier), action))
        if route is None:
            raise _no_such_path(request)
        return copy.deepcopy(route())

    def _list(self, kept: Mapping[str, Object], request: Request, *filters: str) -> Object:
        """Return a page, the newest first; filters compare exactly."""
        query = objects.read_form(request.query_string, _LIST | set(filters))
        limit = objects.whole(query, "limit", _PAGE) or 0
        if not 0 < limit <= _MOST_IN_A_PAGE:
            raise Problem(400, "parameter_invalid_integer", f"Invalid integer: {limit}", "limit")
        listed = objects.listed(kept.values(), query, filters)
        if (after := query.get("starting_after")) is not None:
            at = next((number for number, each in enumerate(listed) if each["id"] == after), None)
            if at is None:
                raise missing("object", after, param="starting_after", status=400)
            listed = listed[at + 1 :]
        return _page(request, listed[:limit], has_more=len(listed) > limit)

    def _list_events(self, request: Request) -> Object:
        oldest = time.time() - self.settings.event_days * 86_400
        kept = sorted((e for e in self._events.values() if e["created"] >= oldest), key=lambda each: each["created"])
        return self._list({each["id"]: each for each in kept}, request, "type", "types")

    def _search(self, kind: str, request: Request) -> Object:
        query = objects.read_form(request.query_string, frozenset({"query", "limit", "page", "expand"}))
        if not self.settings.has_search or kind not in {"customers", "invoices"}:
            raise Problem(400, "", "Search is not available for this account")
        fits = objects.found_by(str(query.get("query", "")))
        horizon = time.monotonic() - self.settings.search_lag_ms / 1000
        kept = self._live() if kind == "customers" else self._invoices
        found = [e for e in reversed([*kept.values()]) if fits(e) and self._changed_at.get(e["id"], 0) <= horizon]
        page = _page(request, found[: objects.whole(query, "limit", _PAGE)], has_more=False)
        return page | {"object": "search_result", "next_page": None}

    # ------------------------------------------------------------------------------------------------- customers

    def _live(self) -> dict[str, Object]:
        return {key: each for key, each in self._customers.items() if not each.get("deleted")}

    def _customer(self, identifier: str, *, shown: bool = False, status: int = 404, param: str = "id") -> Object:
        found = self._customers.get(identifier)
        if found is None or (found.get("deleted") and not shown):
            raise missing("customer", identifier, status=status, param=param)
        return {key: found[key] for key in ("id", "object", "deleted")} if found.get("deleted") else found

    def _make_customer(self, request: Request) -> Object:
        form = _form(request, _CUSTOMER)
        made = objects.customer(self._new("cus", 14))
        objects.write_customer(made, form)
        self._customers[made["id"]] = made
        self._note("customer.created", made, request)
        return made

    def _change_customer(self, identifier: str, request: Request) -> Object:
        found = self._customer(identifier)
        before = copy.deepcopy(found)
        objects.write_customer(found, _form(request, _CUSTOMER))
        if found != before:
            self._note("customer.updated", found, request)
        return found

    def _delete_customer(self, identifier: str, request: Request) -> Object:
        found = self._customer(identifier)
        self._note("customer.deleted", found, request)
        found["deleted"] = True
        return {"id": identifier, "object": "customer", "deleted": True}

    # -------------------------------------------------------------------------------------------------- invoices

    def _invoice(self, identifier: str, *, status: int = 404, param: str = "invoice") -> Object:
        if identifier not in self._invoices:
            raise missing("invoice", identifier, status=status, param=param)
        return self._invoices[identifier]

    def _list_invoices(self, request: Request) -> Object:
        if (of := dict(request.query).get("customer")) is not None:
            self._customer(of, shown=True, status=400, param="customer")
        return self._list(self._invoices, request, "customer", "status", "collection_method")

    def _make_invoice(self, request: Request) -> Object:
        form = _form(request, _INVOICE)
        of = self._customer(str(form.get("customer")), status=400, param="customer")
        if form.get("collection_method") == "send_invoice" and not of["email"]:
            text = "Missing email. In order to create invoices that are sent, the customer must have one."
            raise Problem(400, "", text, "customer")
        made = objects.invoice(self._new("in"), form, of)
        self._invoices[made["id"]] = made
        self._note("invoice.created", made, request)
        return made

    def _make_item(self, request: Request) -> Object:
        form = _form(request, _ITEM)
        self._customer(str(form.get("customer")), status=400, param="customer")
        of = self._invoice(str(form.get("invoice")), status=400)
        if of["status"] != "draft":
            raise Problem(400, "invoice_not_editable", "This invoice is no longer editable", "invoice")
        made = objects.item(self._new("ii"), form, of)
        self._items[made["id"]] = made
        of["lines"]["data"].append(objects.line(f"il_{self._ids.word('line', 24)}", made))
        of["subtotal"] += made["amount"]
        of["total"] = of["subtotal"]
        of["amount_due"] = of["amount_remaining"] = max(0, of["total"])
        self._note("invoiceitem.created", made, request)
        return made

    def _finalise(self, identifier: str, request: Request) -> Object:
        form = _form(request, frozenset({"auto_advance", "expand"}))
        found = self._invoice(identifier)
        if found["status"] != "draft":
            raise Problem(400, "", "This invoice is already finalized, you can't re-finalize it.")
        self._numbers += 1
        found |= {
            "auto_advance": form.get("auto_advance") == "true",
            "number": f"{self._customers[found['customer']]['invoice_prefix']}-{self._numbers:04d}",
            "hosted_invoice_url": f"https://invoice.stripe.com/i/acct_1Sandbox0000000/{identifier}",
            "status": "open",
        }
        found["status_transitions"]["finalized_at"] = int(time.time())
        self._note("invoice.finalized", found, request)
        if not found["total"]:
            self._paid(found, in_band=False)
        return found

    def _void(self, identifier: str, request: Request) -> Object:
        found = self._invoice(identifier)
        if found["status"] not in {"open", "uncollectible"}:
            raise Problem(400, "", f"You can only pass in open invoices. This invoice is {found['status']}.")
        found["status"] = "void"
        found["status_transitions"]["voided_at"] = int(time.time())
        self._note("invoice.voided", found, request)
        return found

    def _delete_invoice(self, identifier: str, request: Request) -> Object:
        found = self._invoice(identifier)
        if found["status"] != "draft":
            raise Problem(400, "", "You can only delete draft invoices.")
        del self._invoices[identifier]
        self._note("invoice.deleted", found, request)
        return {"id": identifier, "object": "invoice", "deleted": True}

    def _pay(self, identifier: str, request: Request) -> Object:
        form = _form(request, frozenset({"paid_out_of_band", "payment_method", "expand"}))
        found = self._invoice(identifier)
        if found["status"] != "open":
            raise Problem(400, "", f"This invoice is {found['status']}, it cannot be paid.")
        self._paid(found, in_band=form.get("paid_out_of_band") != "true")
        return found

    def _paid(self, found: Object, *, in_band: bool) -> None:
        now = int(time.time())
        if in_band:
            intent = objects.payment_intent(self._new("pi"), found)
            found["payment_intent"] = intent["id"]
            self._tell("payment_intent.succeeded", intent, "")
        found |= {"status": "paid", "paid": True, "paid_out_of_band": not in_band and found["total"] > 0}
        found |= {"amount_paid": found["total"], "amount_remaining": 0}
        found["status_transitions"]["paid_at"] = now
        self._tell("invoice.paid", found, "")

    # ---------------------------------------------------------------------------------------------------- noting

    def _new(self, prefix: str, length: int = 24) -> objects.New:
        return objects.New(f"{prefix}_{self._ids.word(prefix, length)}", int(time.time()), self.settings.livemode)

    def _note(self, kind: str, about: Object, request: Request) -> None:
        self._changed_at[about["id"]] = time.monotonic()
        self._effects.add(kind, about["id"], request)
        self._tell(kind, about, request.headers.get("Idempotency-Key", ""))

    def _tell(self, kind: str, about: Object, key: str) -> None:
        made = objects.event(self._new("evt"), kind, copy.deepcopy(about), key)
        self._events[made["id"]] = made


def _form(request: Request, known: frozenset[str]) -> Object:
    if request.body and request.content_type != FORM:
        raise Problem(400, "", f"Invalid request: the content type is {FORM}")
    return objects.read_form(request.body.decode(errors="replace"), known)


def _page(request: Request, shown: list[Object], *, has_more: bool) -> dict[str, Any]:
    return {"object": "list", "data": shown, "has_more": has_more, "url": request.path}


def _no_such_path(request: Request) -> Problem:
    return Problem(404, "", f"Unrecognized request URL ({request.method}: {request.path}).")


def _error(problem: Problem, headers: Mapping[str, str] | None = None) -> Reply:
    return answer(problem.status, {"error": problem.body}, headers)


SIMULATOR = Stripe
SENDER = sender
