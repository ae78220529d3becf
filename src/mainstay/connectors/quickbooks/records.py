"""Invoices and payments as QuickBooks keeps them: what a workflow is told of one, and how it stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from mainstay.connectors.quickbooks.api import Record, text_of
from mainstay.connectors.quickbooks.invoices import reference_in, state_of
from mainstay.kit import RecordState, Submission
from mainstay.kit.money import as_text, from_number
from mainstay.kit.payload import moment, text
from mainstay.kit.recording import as_record


def data_of(noun: str, record: Record) -> dict[str, Any]:
    """Return what the event of an ``invoice`` or ``payment`` tells of it."""
    told = _invoice(record) if noun == "invoice" else _payment(record)
    return told | {"customer_id": text_of(record, "CustomerRef", "value")}


def record_of(noun: str, record: Record) -> RecordState | None:
    """Return how it stands; None of a customer, which is a contact."""
    reader = _READERS.get(noun)
    return reader(record, data_of(noun, record)) if reader else None


def gone(noun: str, record_id: str, at: datetime | None) -> RecordState | None:
    """Return that there is no such any more."""
    if noun not in _READERS:
        return None
    return as_record("invoice" if noun == "invoice" else "payment", record_id, {}, at=at, is_gone=True)


def changed_at(record: Record) -> datetime | None:
    """Return when a record came to stand as it does."""
    return moment(text_of(record, "MetaData", "LastUpdatedTime"))


def _invoice_record(record: Record, told: Mapping[str, Any]) -> RecordState | None:
    fields = {name: told[name] for name in ("reference", "number", "status", "total", "paid", "currency")}
    fields["due"] = text_of(record, "DueDate")
    if url := text_of(record, "InvoiceLink"):
        fields["url"] = url
    return as_record("invoice", record["Id"], fields, contact=told["customer_id"], at=changed_at(record))


def _payment_record(record: Record, told: Mapping[str, Any]) -> RecordState | None:
    is_void = not from_number(record.get("TotalAmt")) and text_of(record, "PrivateNote").casefold().startswith("void")
    fields = {name: told[name] for name in ("reference", "amount", "currency", "paid_on")}
    if method := text_of(record, "PaymentMethodRef", "name"):
        fields["method"] = method
    return as_record(
        "payment",
        record["Id"],
        fields | {"status": "received"},
        custom={"invoice_ids": ", ".join(told["invoice_ids"])},
        contact=told["customer_id"],
        at=changed_at(record),
        # What was voided stays in the books, and counts for nothing.
        is_gone=is_void,
    )


_READERS: Mapping[str, Callable[[Record, Mapping[str, Any]], RecordState | None]] = {
    "invoice": _invoice_record,
    "payment": _payment_record,
}


def _invoice(record: Record) -> dict[str, Any]:
    state = state_of(record)
    told = {"number": state.number, "status": state.status, "currency": state.currency}
    return told | {"total": state.total, "paid": state.paid, "reference": reference_in(record)}


def _payment(record: Record) -> dict[str, Any]:
    currency = text_of(record, "CurrencyRef", "value")
    amount = from_number(record.get("TotalAmt"))
    lines = record.get("Line")
    links = [
        link
        for line in (lines if isinstance(lines, list) else [])
        if isinstance(line, dict) and isinstance(line.get("LinkedTxn"), list)
        for link in line["LinkedTxn"]
        if isinstance(link, dict) and link.get("TxnType") == "Invoice"
    ]
    return {
        "reference": text_of(record, "PaymentRefNum") or reference_in(record),
        "amount": "" if amount is None else as_text(amount, currency),
        "currency": currency,
        "paid_on": text_of(record, "TxnDate"),
        "invoice_ids": [text(link.get("TxnId")) for link in links],
    }


def submission_of(customer: Record | None) -> Submission | None:
    """What a customer says about a person; nothing where there is nothing to know them by."""
    if customer is None:
        return None
    email = text_of(customer, "PrimaryEmailAddr", "Address").partition(",")[0].strip()
    phone = text_of(customer, "PrimaryPhone", "FreeFormNumber") or text_of(customer, "Mobile", "FreeFormNumber")
    if not (email or phone):
        return None
    return Submission(
        email=email,
        phone=phone,
        first_name=text_of(customer, "GivenName"),
        last_name=text_of(customer, "FamilyName"),
        company=text_of(customer, "CompanyName"),
        source="quickbooks",
        occurred_at=moment(text_of(customer, "MetaData", "LastUpdatedTime")),
    )
