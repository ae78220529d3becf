"""Stripe's objects as its API of 2023-08-16 shows them, its forms and its search; all pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from urllib.parse import parse_qsl

from mainstay.sandbox.wire import Json

_PART = re.compile(r"\[([^\[\]]*)\]")
_CLAUSE = re.compile(r'(?:(\w+)|metadata\["([^"]*)"\]):"((?:[^"\\]|\\.)*)"')
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
Object = dict[str, Json]


@dataclass(frozen=True)
class New:
    """What every object is born with; ``created`` is in Unix seconds."""

    id: str
    created: int
    livemode: bool = False


class Problem(Exception):  # noqa: N818 - what a caller did wrong, in Stripe's words
    """A request that Stripe refuses: status, code, message, parameter."""

    def __init__(self, status: int, code: str, message: str, param: str = "", kind: str = "") -> None:
        """Keep what the error's body says."""
        super().__init__(message)
        self.status = status
        self.body: Object = {"type": kind or "invalid_request_error", "message": message}
        self.body |= {key: value for key, value in (("code", code), ("param", param)) if value}


def missing(what: str, identifier: str, *, param: str = "id", status: int = 404) -> Problem:
    """Return Stripe's word that something is not there."""
    return Problem(status, "resource_missing", f"No such {what}: '{identifier}'", param)


def read_form(text: str, known: frozenset[str]) -> Object:
    """Decode a bracketed form, or query, into nested objects; refuse a parameter that is not known."""
    found: Object = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        head = name.partition("[")[0]
        if head not in known:
            raise Problem(400, "parameter_unknown", f"Received unknown parameter: {head}", head)
        at = found
        parts = [head, *_PART.findall(name)]
        for part in parts[:-1]:
            at = at.setdefault(part or str(len(at)), {})
            if not isinstance(at, dict):
                raise Problem(400, "", f"Invalid object: {name}", head)
        at[parts[-1] or str(len(at))] = value
    return found


def whole(form: Mapping[str, Json], name: str, default: int | None = None) -> int | None:
    """Return a form's whole number."""
    value = form.get(name)
    if value is None:
        return default
    if not isinstance(value, str) or not re.fullmatch(r"-?\d{1,18}", value):
        raise Problem(400, "parameter_invalid_integer", f"Invalid integer: {value}", name)
    return int(value)


def listed(kept: Iterable[Object], query: Mapping[str, Json], filters: Iterable[str]) -> list[Object]:
    """Return what a list's query asks for, the newest first; but for ``types``, filters compare exactly."""
    wanted = {name: query[name] for name in filters if name in query and name != "types"}
    types = set(query.get("types", {}).values())
    since, until = (whole(query.get("created", {}), bound) for bound in ("gte", "lt"))

    def fits(each: Object) -> bool:
        at = each.get("created", 0)
        is_in_time = (since is None or at >= since) and (until is None or at < until)
        return is_in_time and (not types or each["type"] in types) and all(each.get(k) == v for k, v in wanted.items())

    return [each for each in reversed([*kept]) if fits(each)]


def account(name: str) -> Object:
    """Return the account."""
    return {
        "id": "acct_1Sandbox0000000",
        "object": "account",
        "business_profile": {"name": name},
        "charges_enabled": True,
        "country": "US",
        "email": "owner@example.com",
        "payouts_enabled": True,
        "type": "standard",
    }


def merged(metadata: Mapping[str, str], given: Json) -> dict[str, str]:
    """Return metadata after a change: keys are kept, an empty value takes one away, an empty text takes all."""
    if given is None:
        return dict(metadata)
    if not isinstance(given, dict):
        return {}
    return {key: value for key, value in {**metadata, **given}.items() if value}


def found_by(query: str) -> Callable[[Mapping[str, Json]], bool]:
    """Read a search query: clauses ``field:"value"``, all joined by AND or all by OR. Values compare without case."""
    clauses = [(match[1], match[2], match[3].replace('\\"', '"')) for match in _CLAUSE.finditer(query)]
    rest = [word for word in _CLAUSE.sub(" ", query).split() if word]
    if not clauses or len(rest) != len(clauses) - 1 or len(set(rest)) > 1 or not set(rest) <= {"AND", "OR"}:
        raise Problem(400, "", f"We were unable to parse your search query: {query[:200]}", "query")

    def fits(item: Mapping[str, Json]) -> bool:
        held = [
            str((item["metadata"].get(key) if not field else item.get(field)) or "").casefold() == value.casefold()
            for field, key, value in clauses
        ]
        return any(held) if "OR" in rest else all(held)

    return fits


def customer(new: New) -> Object:
    """Return a new customer."""
    return {
        "id": new.id,
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": new.created,
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": new.id[-8:].upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": new.livemode,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }


def invoice(new: New, form: Mapping[str, Json], of: Object) -> Object:
    """Return a new draft to a customer."""
    return {
        "id": new.id,
        "object": "invoice",
        "account_country": "US",
        "account_name": "Sandbox",
        "amount_due": 0,
        "amount_paid": 0,
        "amount_remaining": 0,
        "amount_shipping": 0,
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": form.get("auto_advance") == "true",
        "automatic_tax": {"enabled": False, "status": None},
        "billing_reason": "manual",
        "charge": None,
        "collection_method": form.get("collection_method", "charge_automatically"),
        "created": new.created,
        "currency": form.get("currency", "usd"),
        "customer": of["id"],
        "customer_email": of["email"],
        "customer_name": of["name"],
        "customer_phone": of["phone"],
        "default_tax_rates": [],
        "description": form.get("description"),
        "due_date": _due(form, new.created),
        "hosted_invoice_url": None,
        "invoice_pdf": None,
        "lines": {"object": "list", "data": [], "has_more": False, "url": f"/v1/invoices/{new.id}/lines"},
        "livemode": new.livemode,
        "metadata": merged({}, form.get("metadata")),
        "number": None,
        "paid": False,
        "paid_out_of_band": False,
        "payment_intent": None,
        "payment_settings": {
            "default_mandate": None,
            "payment_method_options": None,
            "payment_method_types": None,
        },
        "period_end": new.created,
        "period_start": new.created,
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "starting_balance": 0,
        "status": "draft",
        "status_transitions": {
            "finalized_at": None,
            "marked_uncollectible_at": None,
            "paid_at": None,
            "voided_at": None,
        },
        "subscription": None,
        "subtotal": 0,
        "tax": None,
        "total": 0,
        "total_tax_amounts": [],
    }


def _due(form: Mapping[str, Json], created: int) -> int | None:
    days, due = whole(form, "days_until_due"), whole(form, "due_date")
    if form.get("collection_method") != "send_invoice":
        return None
    if (days is None) == (due is None):
        text = "If invoice collection method is 'send_invoice', you must specify 'due_date' or 'days_until_due'."
        raise Problem(400, "", text, "days_until_due")
    if due is not None and due <= created:
        raise Problem(400, "", "The due date must be in the future.", "due_date")
    return due if due is not None else created + 86_400 * (days or 0)


def item(new: New, form: Mapping[str, Json], of: Object) -> Object:
    """Return a new item of an invoice; what it comes to is rounded to minor units."""
    price: Object = form.get("price_data") or {}
    unit, quantity = price.get("unit_amount_decimal", form.get("unit_amount_decimal")), whole(form, "quantity", 1) or 0
    amount = whole(form, "amount")
    if (amount is None) == (unit is None):
        raise Problem(400, "parameter_missing", "Specify either `amount`, or `unit_amount_decimal`.", "amount")
    if amount is None:
        amount = int((Decimal(unit or 0) * quantity).quantize(Decimal(1), ROUND_HALF_UP))
    currency = form.get("currency", price.get("currency", of["currency"]))
    if currency != of["currency"]:
        text = f"The invoice's currency is {of['currency']}, and the item's {currency}"
        raise Problem(400, "", text, "currency")
    return {
        "id": new.id,
        "object": "invoiceitem",
        "amount": amount,
        "currency": currency,
        "customer": of["customer"],
        "date": new.created,
        "description": form.get("description"),
        "discountable": True,
        "discounts": [],
        "invoice": of["id"],
        "livemode": new.livemode,
        "metadata": merged({}, form.get("metadata")),
        "period": {"end": new.created, "start": new.created},
        "price": None,
        "proration": False,
        "quantity": quantity,
        "subscription": None,
        "tax_rates": [],
        "test_clock": None,
        "unit_amount": None,
        "unit_amount_decimal": unit,
    }


def line(identifier: str, of: Object) -> Object:
    """Return an item as a line of its invoice."""
    kept = ("amount", "currency", "description", "discountable", "livemode", "metadata", "period", "proration")
    return {
        "id": identifier,
        "object": "line_item",
        **{key: of[key] for key in kept},
        "discounts": [],
        "invoice_item": of["id"],
        "price": None,
        "quantity": of["quantity"],
        "subscription": None,
        "tax_amounts": [],
        "tax_rates": [],
        "type": "invoiceitem",
    }


def payment_intent(new: New, of: Object) -> Object:
    """Return the payment of an invoice, done."""
    return {
        "id": new.id,
        "object": "payment_intent",
        "amount": of["total"],
        "amount_received": of["total"],
        "capture_method": "automatic",
        "confirmation_method": "automatic",
        "created": new.created,
        "currency": of["currency"],
        "customer": of["customer"],
        "invoice": of["id"],
        "livemode": of["livemode"],
        "metadata": {},
        "payment_method_types": ["card"],
        "receipt_email": of["customer_email"],
        "status": "succeeded",
    }


def event(new: New, kind: str, about: Mapping[str, Json], key: str) -> Object:
    """Return an event about an object as it stands."""
    return {
        "id": new.id,
        "object": "event",
        "api_version": "2023-08-16",
        "created": new.created,
        "data": {"object": dict(about)},
        "livemode": about.get("livemode", False),
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": key or None},
        "type": kind,
    }


def write_customer(found: Object, form: Mapping[str, Json]) -> None:
    """Bring a customer up to a form; an empty value takes one away."""
    email = form.get("email", found["email"])
    if email and not _EMAIL.fullmatch(email):
        raise Problem(400, "email_invalid", f"Invalid email address: {email}", "email")
    found |= {name: form[name] or None for name in ("email", "name", "phone", "description") if name in form}
    found["metadata"] = merged(found["metadata"], form.get("metadata"))
