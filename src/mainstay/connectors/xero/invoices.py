"""Invoices and the payments of them. An invoice is known again by its reference, which Xero has a field for.

Xero gives an invoice its number, and that must have no gaps in many countries, so the reference is the number only
where the connection says so.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from mainstay.connectors.xero.api import Api, Record, idempotency_key, list_of, require_id, text_of
from mainstay.connectors.xero.contacts import is_active
from mainstay.connectors.xero.errors import RefusedError
from mainstay.connectors.xero.settings import SCREENS, XeroConnection
from mainstay.kit import Invoice, InvoiceState, Made, NeedsHumanError, Payment, PermanentError, TransientError
from mainstay.kit.money import Ordered, as_number, as_text, from_number, ordered, received
from mainstay.kit.roles import InvoiceStatus

ACCOUNT = "account:"
FOUR_DECIMALS = {"unitdp": "4"}
_MOST_DECIMALS = 4
_MOST_DESCRIPTION = 4000
_STATUS: dict[str, InvoiceStatus] = {
    "DRAFT": "draft",
    "SUBMITTED": "draft",
    "AUTHORISED": "open",
    "PAID": "paid",
    "VOIDED": "void",
    "DELETED": "void",
}


class Invoices:
    """The invoices of one organisation."""

    def __init__(self, settings: XeroConnection, api: Api) -> None:
        self._settings = settings
        self._api = api

    async def create(self, contact_id: str, invoice: Invoice) -> Made:
        """Make an invoice, once for its reference."""
        contact_id = require_id(contact_id, "contact")
        order = ordered(invoice)
        lines = [self._line(line) for line, _ in order.lines]
        found = await self._find(contact_id, order.reference)
        if found is None:
            found = await self._make(contact_id, order, invoice, lines)
        invoice_id = text_of(found, "InvoiceID")
        return Made(invoice_id, await self._api.online_url(invoice_id) or url_of(invoice_id))

    async def _make(self, contact_id: str, order: Ordered, invoice: Invoice, lines: list[dict[str, Any]]) -> Record:
        contact = await self._api.read("Contacts", contact_id)
        if contact is None or not is_active(contact):
            raise PermanentError(f"there is no active contact {contact_id} in Xero")
        body: dict[str, Any] = {
            "Type": "ACCREC",
            "Contact": {"ContactID": contact_id},
            "LineItems": lines,
            "LineAmountTypes": "Exclusive",
            "CurrencyCode": order.currency,
            "Reference": order.reference,
            "Status": "AUTHORISED",
        }
        if invoice.due:
            body["DueDate"] = invoice.due.isoformat()
        else:
            # Xero approves none without a date: it is due when it is made.
            body["Date"] = body["DueDate"] = datetime.now(UTC).date().isoformat()
        if self._settings.reference_as_number:
            body["InvoiceNumber"] = order.reference
        key = idempotency_key("invoice", body)
        try:
            return await self._api.write("PUT", "Invoices", body, key=key, params=FOUR_DECIMALS)
        except RefusedError as refusal:
            if not refusal.says("invoice #", "unique"):
                raise
            found = await self._find(contact_id, order.reference)
            if found is None:
                raise
            return found

    def _line(self, line: Any) -> dict[str, Any]:
        if line.price != round(line.price, _MOST_DECIMALS) or line.quantity != round(line.quantity, _MOST_DECIMALS):
            raise PermanentError(f"a price and a quantity have at most {_MOST_DECIMALS} decimals at Xero")
        if not line.description.strip():
            raise PermanentError("Xero takes no line without a description")
        said: dict[str, Any] = {
            "Description": line.description[:_MOST_DESCRIPTION],
            "Quantity": as_number(line.quantity),
            "UnitAmount": as_number(line.price),
        }
        item = line.item.strip()
        account = item.removeprefix(ACCOUNT).strip() if item.startswith(ACCOUNT) else ""
        if item and not account:
            said["ItemCode"] = item
        elif account or self._settings.account:
            said["AccountCode"] = account or self._settings.account
        else:
            raise NeedsHumanError("a line names neither item nor account, and the connection none: set account")
        if tax := line.tax.strip() or self._settings.tax:
            said["TaxType"] = tax
        return said

    async def _find(self, contact_id: str, reference: str) -> Record | None:
        """Look through the contact's invoices: a reference with a quotation mark could not be asked for."""
        every = await self._api.all("Invoices", ContactIDs=contact_id)
        mine = [each for each in every if text_of(each, "Type") == "ACCREC"]
        return next((each for each in mine if text_of(each, "Reference") == reference), None)

    async def fetch(self, invoice_id: str) -> InvoiceState | None:
        """Read an invoice."""
        invoice_id = require_id(invoice_id, "invoice")
        found = await self._api.read("Invoices", invoice_id)
        if found is None:
            return None
        is_shown = text_of(found, "Status") in {"AUTHORISED", "PAID"}
        return state_of(found, await self._api.online_url(invoice_id) if is_shown else "")

    async def void(self, invoice_id: str) -> None:
        """Take an unpaid invoice back; a draft is deleted, as Xero voids none."""
        invoice_id = require_id(invoice_id, "invoice")
        there = await self._held(invoice_id)
        state = state_of(there)
        if state.status == "void":
            return
        if from_number(state.paid):
            raise PermanentError(f"invoice {state.number or invoice_id} is paid ({state.paid}): refund it instead")
        body = {"InvoiceID": invoice_id, "Status": "DELETED" if state.status == "draft" else "VOIDED"}
        key = idempotency_key("void", text_of(there, "UpdatedDateUTC"), body)
        await self._api.write("POST", "Invoices", body, key=key, record_id=invoice_id)

    async def add_payment(self, invoice_id: str, payment: Payment) -> Made:
        """Book a payment of an invoice, once for its reference."""
        invoice_id = require_id(invoice_id, "invoice")
        reference, currency, amount = received(payment)
        if not self._settings.payment_account:
            raise NeedsHumanError("the connection does not say where payments go: set payment_account, a code")
        there = await self._held(invoice_id)
        found = next((each for each in list_of(there, "Payments") if is_payment(each, reference)), None)
        if found is None:
            self._require_open(there, currency, amount)
            body = {
                "Invoice": {"InvoiceID": invoice_id},
                "Account": {"Code": self._settings.payment_account},
                "Date": payment.paid_on.isoformat(),
                "Amount": as_number(amount),
                "Reference": reference,
            }
            found = await self._api.write("PUT", "Payments", body, key=idempotency_key("payment", body))
        payment_id = text_of(found, "PaymentID")
        return Made(payment_id, f"{SCREENS}/Bank/ViewTransaction.aspx?bankTransactionID={payment_id}")

    @staticmethod
    def _require_open(there: Record, currency: str, amount: Decimal) -> None:
        state = state_of(there)
        number = state.number or state.id
        if state.status not in {"open", "paid"}:
            raise PermanentError(f"invoice {number} is {state.status}: a payment of it cannot be booked")
        if currency != state.currency:
            raise PermanentError(f"the payment is in {currency}, invoice {number} in {state.currency}")
        still_open = Decimal(state.total) - Decimal(state.paid)
        if amount > still_open:
            raise PermanentError(
                f"the payment ({amount:f}) is more than invoice {number} is open for ({still_open:f} {currency}): "
                "book it in Xero by hand"
            )

    async def _held(self, invoice_id: str) -> Record:
        there = await self._api.read("Invoices", invoice_id)
        if there is None:
            raise PermanentError(f"there is no invoice {invoice_id} in Xero")
        return there


def state_of(record: Record, url: str = "") -> InvoiceState:
    """Read an invoice's record."""
    total = from_number(record.get("Total"))
    paid, credited = (from_number(record.get(key, 0)) for key in ("AmountPaid", "AmountCredited"))
    status = _STATUS.get(text_of(record, "Status"))
    if total is None or paid is None or credited is None or status is None:
        raise TransientError(f"invoice {text_of(record, 'InvoiceID')} has no status or amounts in Xero's answer")
    currency, invoice_id = text_of(record, "CurrencyCode"), text_of(record, "InvoiceID")
    return InvoiceState(
        id=invoice_id,
        number=text_of(record, "InvoiceNumber"),
        status=status,
        currency=currency,
        total=as_text(total, currency),
        paid=as_text(paid + credited, currency),
        url=url or url_of(invoice_id),
    )


def url_of(invoice_id: str) -> str:
    """Return the link to an invoice in Xero's own screens."""
    return f"{SCREENS}/AccountsReceivable/View.aspx?InvoiceID={invoice_id}"


def is_payment(record: Record, reference: str) -> bool:
    """Tell whether a payment stands and is that of a reference."""
    stands = text_of(record, "Status") in {"", "AUTHORISED"} and bool(text_of(record, "PaymentID"))
    return stands and text_of(record, "Reference") == reference
