"""Invoices and payments as Xero keeps them: what a workflow is told of one, and how it stands."""

from __future__ import annotations

from typing import Any

from mainstay.connectors.xero.api import Record, inner, list_of, read_time, text_of
from mainstay.connectors.xero.contacts import phone_of
from mainstay.connectors.xero.invoices import state_of
from mainstay.kit import RecordState, Submission
from mainstay.kit.money import as_text, from_number
from mainstay.kit.recording import as_record


def invoice_data(record: Record) -> dict[str, Any]:
    """Return what the event of an invoice tells of it."""
    state = state_of(record)
    told = {"number": state.number, "reference": text_of(record, "Reference"), "status": state.status}
    told |= {"currency": state.currency, "total": state.total, "paid": state.paid}
    return told | {"customer_id": text_of(inner(record, "Contact"), "ContactID")}


def invoice_record(record: Record) -> RecordState | None:
    """Return how an invoice stands."""
    told = invoice_data(record)
    fields = {name: told[name] for name in ("reference", "number", "status", "total", "paid", "currency")}
    due = read_time(record.get("DueDate")) or read_time(record.get("DueDateString"))
    return as_record(
        "invoice",
        text_of(record, "InvoiceID"),
        fields | {"due": due.date().isoformat() if due else "", "url": state_of(record).url},
        contact=told["customer_id"],
        at=read_time(record.get("UpdatedDateUTC")),
        # A draft that was deleted is kept as such.
        is_gone=text_of(record, "Status") == "DELETED",
    )


def payment_data(record: Record) -> dict[str, Any]:
    """Return what the event of a payment tells of it."""
    invoice = inner(record, "Invoice")
    currency, amount = text_of(invoice, "CurrencyCode"), from_number(record.get("Amount"))
    paid = read_time(record.get("Date"))
    return {
        "reference": text_of(record, "Reference"),
        "amount": "" if amount is None else as_text(amount, currency),
        "currency": currency,
        "paid_on": paid.date().isoformat() if paid else "",
        "invoice_ids": [text_of(invoice, "InvoiceID")],
        "customer_id": text_of(inner(invoice, "Contact"), "ContactID"),
    }


def payment_record(record: Record) -> RecordState | None:
    """Return how a payment stands."""
    told, invoice = payment_data(record), inner(record, "Invoice")
    fields = {name: told[name] for name in ("reference", "amount", "currency", "paid_on")}
    if name := text_of(invoice, "Reference") or text_of(invoice, "InvoiceNumber"):
        fields["invoice"] = name
    return as_record(
        "payment",
        text_of(record, "PaymentID"),
        fields | {"status": "received"},
        custom={"invoice_ids": ", ".join(told["invoice_ids"])},
        contact=told["customer_id"],
        at=read_time(record.get("UpdatedDateUTC")),
        is_gone=text_of(record, "Status") == "DELETED",
    )


def submission_of(contact: Record) -> Submission | None:
    """What a contact says about a person; nothing where there is nothing to know them by."""
    email = text_of(contact, "EmailAddress").strip()
    phone = next((found for kind in ("DEFAULT", "MOBILE") if (found := _phone(contact, kind))), "")
    if not (email or phone):
        return None
    first, last = text_of(contact, "FirstName"), text_of(contact, "LastName")
    name = text_of(contact, "Name")
    return Submission(
        email=email,
        phone=phone,
        first_name=first,
        last_name=last,
        # A name beside those of a person is the company's.
        company=name if (first or last) and name.casefold() not in f"{first} {last} ({email})".casefold() else "",
        name="" if first or last else name,
        source="xero",
        occurred_at=read_time(contact.get("UpdatedDateUTC")),
    )


def _phone(contact: Record, kind: str) -> str:
    digits = phone_of(contact, kind)
    each = next((each for each in list_of(contact, "Phones") if each.get("PhoneType") == kind), {})
    is_whole = bool(text_of(each, "PhoneCountryCode").strip("+ ")) or text_of(each, "PhoneNumber").startswith("+")
    return f"+{digits}" if digits and is_whole else digits
