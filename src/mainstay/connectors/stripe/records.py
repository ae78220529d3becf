"""Invoices and payments as Stripe's events show them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from mainstay.connectors.stripe.customers import MARK
from mainstay.connectors.stripe.invoices import REFERENCE
from mainstay.kit import RecordState
from mainstay.kit.payload import moment, text
from mainstay.kit.recording import as_record

_OURS = frozenset({MARK, REFERENCE})
# Stripe's clock counts seconds, and an invoice may be made, finalised and paid in one of them. In it what can only come
# later counts as later, in whatever order the events arrive, and all of it after what we read there in that second.
_LATER = {"open": 1, "uncollectible": 2, "void": 3, "paid": 4, "failed": 1, "received": 2, "refunded": 3}


def invoice_record(
    item: Mapping[str, Any], told: Mapping[str, Any], verb: str, at: datetime | None
) -> RecordState | None:
    """Return an invoice; ``told`` is the event's data of it. None of one that is not made yet."""
    if verb == "upcoming":
        return None
    due = moment(item.get("due_date"))
    return as_record(
        "invoice",
        told["invoice"],
        {
            "reference": told["invoice_reference"],
            "number": told["invoice_number"],
            "status": told["status"],
            "total": told["total"],
            "paid": told["paid"],
            "currency": told["currency"],
            "due": due.date().isoformat() if due else "",
            "url": told["url"],
        },
        custom={**_metadata(told), "subscription": told["subscription"]},
        contact=told["customer"],
        at=_moment(at, told["status"]),
        is_gone=verb == "deleted",
    )


def payment_record(told: Mapping[str, Any], name: str, at: datetime | None, *, charged: str = "") -> RecordState | None:
    """Return a payment; ``told`` is the data of the event ``name``, ``charged`` the whole where a part is given back.

    Of a failed one nothing says when it was paid; one that is told by its invoice's id alone is no payment yet.
    """
    status = name.partition(".")[2]
    if status == "failed" and told["reference"] == told.get("invoice"):
        return None
    fields = {"amount": told["amount"], "currency": told["currency"]}
    custom = _metadata(told) | {"invoice_id": told.get("invoice", ""), "failure": told.get("failure", "")}
    if status == "received":
        fields["paid_on"] = told["paid_on"]
    if told["method"]:
        fields["method"] = told["method"]
    # Of some events only the invoice's id is known, which is no name that the business gave.
    if invoice := told.get("invoice_reference") or told.get("invoice_number"):
        fields["invoice"] = invoice
    if status == "refunded":
        custom["refunded"] = told["refunded"]
        fields["amount"] = charged
        status = "refunded" if charged == told["refunded"] else "received"
    fields |= {"reference": told["reference"], "status": status}
    return as_record(
        "payment", told["reference"], fields, custom=custom, contact=told["customer"], at=_moment(at, status)
    )


def _moment(at: datetime | None, status: str) -> datetime | None:
    return at + timedelta(milliseconds=990 + _LATER.get(status, 0)) if at else None


def _metadata(told: Mapping[str, Any]) -> dict[str, str]:
    return {key: text(value) for key, value in told["metadata"].items() if key not in _OURS}
