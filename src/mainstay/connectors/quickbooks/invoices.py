"""Invoices and the payments of them. An invoice is known again by its reference, which its private note carries.

QuickBooks gives an invoice its number, and that must have no gaps in many countries, so the reference is the number
only where the connection says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from mainstay.connectors.quickbooks.api import Api, Record, is_id, one_of, quoted, request_id, require_id, text_of
from mainstay.connectors.quickbooks.errors import DUPLICATE_NUMBER, STALE, RefusedError
from mainstay.connectors.quickbooks.settings import LIVE_SCREENS, QuickBooksConnection
from mainstay.kit import Invoice, InvoiceState, Made, NeedsHumanError, Payment, PermanentError, TransientError
from mainstay.kit.money import Ordered, as_number, as_text, from_number, ordered, received

MARK = "Reference: "
LINK = {"include": "invoiceLink"}
MOST_NUMBER = 21
TRIES = 4
_MOST_MEMO, _MOST_DESCRIPTION = 1000, 4000
_NOT_LOOKED_UP = frozenset({"TAX", "NON"})


class Invoices:
    """The invoices of one company."""

    def __init__(self, settings: QuickBooksConnection, api: Api) -> None:
        self._settings = settings
        self._api = api

    async def create(self, customer_id: str, invoice: Invoice) -> Made:
        """Make an invoice, once for its reference."""
        require_id(customer_id, "customer")
        order = ordered(invoice)
        if self._settings.reference_as_number and len(order.reference) > MOST_NUMBER:
            raise PermanentError(f"{order.reference!r} is longer than an invoice's number may be ({MOST_NUMBER})")
        items, taxes = self._codes(order, "item"), self._codes(order, "tax")
        if "" in items:
            raise NeedsHumanError("a line names no item, and the connection neither: set item, a product or service")
        customer = await self._api.read("Customer", customer_id)
        if customer is None:
            raise PermanentError(f"there is no customer {customer_id} in QuickBooks")
        found = await self._find(customer_id, order.reference)
        if found is None:
            body = self._body(
                customer, order, invoice, await self._ids("Item", items), await self._ids("TaxCode", taxes)
            )
            found = await self._make(customer_id, order.reference, body)
        return Made(found["Id"], url_of(found, self._settings.screens))

    async def _make(self, customer_id: str, reference: str, body: Mapping[str, Any]) -> Record:
        try:
            return await self._api.write("Invoice", body, requestid=request_id(reference, body), **LINK)
        except RefusedError as refusal:
            if refusal.code != DUPLICATE_NUMBER:
                raise
            found = await self._find(customer_id, reference)
            if found is None:
                raise
            return found

    async def _find(self, customer_id: str, reference: str) -> Record | None:
        if not self._settings.reference_as_number:
            every = await self._api.query("Invoice", f"CustomerRef = {quoted(customer_id)}")
            return next((each for each in every if reference_in(each) == reference), None)
        every = await self._api.query("Invoice", f"DocNumber = {quoted(reference)}")
        for each in every:
            if text_of(each, "CustomerRef", "value") == customer_id:
                return each
            raise PermanentError(f"number {reference} is that of an invoice to another customer ({each['Id']})")
        return None

    def _codes(self, order: Ordered, name: str) -> list[str]:
        """Return the code of each line, or the connection's."""
        return [str(getattr(line, name)).strip() or getattr(self._settings, name).strip() for line, _ in order.lines]

    async def _ids(self, entity: str, codes: list[str]) -> list[str]:
        """Return the ids of what is named by id or by name."""
        names = {code for code in codes if code and not is_id(code)} - (
            _NOT_LOOKED_UP if entity == "TaxCode" else set()
        )
        found = await self._api.query(entity, one_of("Name", sorted(names))) if names else []
        ids = {text_of(each, "Name").casefold(): each["Id"] for each in reversed(found)}
        missing = sorted(name for name in names if name.casefold() not in ids)
        if missing:
            what = "product or service" if entity == "Item" else "tax code"
            raise PermanentError(f"QuickBooks has no {what} named {missing[0]!r}: compare its name, or give its id")
        return [ids[code.casefold()] if code in names else code for code in codes]

    def _body(
        self, customer: Record, order: Ordered, invoice: Invoice, items: list[str], taxes: list[str]
    ) -> dict[str, Any]:
        lines = []
        for (line, amount), item, tax in zip(order.lines, items, taxes, strict=True):
            detail: dict[str, Any] = {
                "ItemRef": {"value": item},
                "Qty": as_number(line.quantity),
                "UnitPrice": as_number(line.price),
            }
            if tax:
                detail["TaxCodeRef"] = {"value": tax}
            lines.append(
                {
                    "DetailType": "SalesItemLineDetail",
                    "Amount": as_number(amount),
                    "Description": line.description[:_MOST_DESCRIPTION],
                    "SalesItemLineDetail": detail,
                }
            )
        body: dict[str, Any] = {
            "CustomerRef": {"value": customer["Id"]},
            "CurrencyRef": {"value": order.currency},
            "Line": lines,
            "PrivateNote": MARK + order.reference,
        }
        email = text_of(customer, "PrimaryEmailAddr", "Address")
        return body | {
            key: value
            for key, value in {
                "BillEmail": email and {"Address": email},
                "CustomerMemo": invoice.memo and {"value": invoice.memo[:_MOST_MEMO]},
                "DocNumber": order.reference if self._settings.reference_as_number else "",
                "DueDate": invoice.due and invoice.due.isoformat(),
                # Companies in the USA have TAX and NON alone, and take no way of reckoning.
                "GlobalTaxCalculation": "TaxExcluded" if set(filter(None, taxes)) - _NOT_LOOKED_UP else "",
            }.items()
            if value
        }

    async def fetch(self, invoice_id: str) -> InvoiceState | None:
        """Read an invoice."""
        found = await self._api.read("Invoice", require_id(invoice_id, "invoice"), **LINK)
        return None if found is None else state_of(found, self._settings.screens)

    async def void(self, invoice_id: str) -> None:
        """Take an unpaid invoice back. QuickBooks itself would void a paid one, and leave its payments to nothing."""
        require_id(invoice_id, "invoice")
        for _ in range(TRIES):
            there = await self._api.read("Invoice", invoice_id)
            if there is None:
                raise PermanentError(f"there is no invoice {invoice_id} in QuickBooks")
            state = state_of(there)
            if state.status == "void":
                return
            if from_number(state.paid):
                raise PermanentError(f"invoice {state.number or invoice_id} is paid ({state.paid}): refund it instead")
            body = {"Id": there["Id"], "SyncToken": text_of(there, "SyncToken")}
            try:
                await self._api.write("Invoice", body, operation="void")
            except RefusedError as refusal:
                if refusal.code != STALE:
                    raise
            else:
                return
        raise TransientError(f"invoice {invoice_id} is being changed by others all the time")

    async def add_payment(self, invoice_id: str, payment: Payment) -> Made:
        """Book a payment of an invoice, once for its reference."""
        require_id(invoice_id, "invoice")
        reference, currency, amount = received(payment)
        there = await self._api.read("Invoice", invoice_id)
        if there is None:
            raise PermanentError(f"there is no invoice {invoice_id} in QuickBooks")
        state, customer_id = state_of(there), text_of(there, "CustomerRef", "value")
        every = await self._api.query("Payment", f"CustomerRef = {quoted(customer_id)}")
        found = next((each for each in every if _is_payment(each, reference)), None)
        if found is None:
            number = state.number or invoice_id
            if state.status == "void":
                raise PermanentError(f"invoice {number} is void: a payment of it cannot be booked")
            if currency != state.currency:
                raise PermanentError(f"the payment is in {currency}, invoice {number} in {state.currency}")
            still_open = Decimal(state.total) - Decimal(state.paid)
            if amount > still_open:
                raise PermanentError(
                    f"the payment ({amount:f}) is more than invoice {number} is open for ({still_open:f} {currency}): "
                    "book it in QuickBooks by hand"
                )
            body = self._payment(customer_id, invoice_id, reference, currency, amount, payment)
            found = await self._api.write("Payment", body, requestid=request_id(reference, body))
        return Made(found["Id"], f"{self._settings.screens}/recvpayment?txnId={found['Id']}")

    def _payment(
        self, customer_id: str, invoice_id: str, reference: str, currency: str, amount: Decimal, payment: Payment
    ) -> dict[str, Any]:
        body = {
            "CustomerRef": {"value": customer_id},
            "CurrencyRef": {"value": currency},
            "TotalAmt": as_number(amount),
            "TxnDate": payment.paid_on.isoformat(),
            "PrivateNote": "\n".join(filter(None, (payment.method.strip()[:100], MARK + reference))),
            "Line": [{"Amount": as_number(amount), "LinkedTxn": [{"TxnId": invoice_id, "TxnType": "Invoice"}]}],
        }
        if len(reference) <= MOST_NUMBER:
            body["PaymentRefNum"] = reference
        if self._settings.deposit_account:
            body["DepositToAccountRef"] = {"value": self._settings.deposit_account}
        return body


def state_of(record: Record, screens: str = LIVE_SCREENS) -> InvoiceState:
    """Read an invoice's record. A void one is known by its note, as QuickBooks has no word for it."""
    total, balance = from_number(record.get("TotalAmt")), from_number(record.get("Balance"))
    currency = text_of(record, "CurrencyRef", "value")
    if total is None or balance is None:
        raise TransientError(f"invoice {record['Id']} has no amounts in QuickBooks' answer")
    is_void = not total and text_of(record, "PrivateNote").casefold().startswith("void")
    return InvoiceState(
        id=record["Id"],
        number=text_of(record, "DocNumber"),
        status="void" if is_void else "open" if balance else "paid",
        currency=currency,
        total=as_text(total, currency),
        paid=as_text(total - balance, currency),
        url=url_of(record, screens),
    )


def url_of(record: Record, screens: str) -> str:
    """Return the customer's own link where the company takes payments online, else QuickBooks' screen."""
    return text_of(record, "InvoiceLink") or f"{screens}/invoice?txnId={record['Id']}"


def reference_in(record: Record) -> str:
    """Return the reference that a private note carries; people, and QuickBooks when it voids, write around it."""
    for line in text_of(record, "PrivateNote").splitlines():
        _, mark, reference = line.partition(MARK)
        if mark:
            return reference.strip()
    return ""


def _is_payment(record: Record, reference: str) -> bool:
    return reference in (reference_in(record), text_of(record, "PaymentRefNum"))
