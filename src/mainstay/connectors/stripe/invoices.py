"""Invoices on Stripe: a draft, its lines, then finalised; each part is found again by a mark in its metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any, get_args

from mainstay.connectors.stripe.amounts import currency_of, decimals, plain, product, to_minor, to_text
from mainstay.connectors.stripe.api import TURNS, Api, key_of, mark, odd, optional, require_id, text, whole
from mainstay.connectors.stripe.errors import KeyTakenError, MissingError, StaleKeyError
from mainstay.connectors.stripe.settings import StripeConnection
from mainstay.kit import Invoice, InvoiceLine, InvoiceState, Made, PermanentError, TransientError
from mainstay.kit.roles import InvoiceStatus

REFERENCE, LINE = "mainstay_reference", "mainstay_line"
MOST_LINES = 250
_MOST_METADATA = 500
_MOST_PLACES = 12
_STATUSES: tuple[InvoiceStatus, ...] = get_args(InvoiceStatus)


@dataclass(frozen=True, slots=True)
class Order:
    """An invoice as Stripe takes it: ``lines`` are forms, ``total`` their sum in minor units."""

    reference: str
    currency: str
    lines: tuple[Mapping[str, str], ...]
    total: int
    fields: Mapping[str, str]


def order_of(invoice: Invoice, settings: StripeConnection) -> Order:
    """Check an invoice and write it as Stripe takes it; PermanentError where it cannot be expressed there."""
    reference = invoice.reference.strip()
    if not 0 < len(reference) <= _MOST_METADATA:
        raise PermanentError(f"an invoice needs a reference of at most {_MOST_METADATA} characters")
    if not 0 < len(invoice.lines) <= MOST_LINES:
        raise PermanentError(f"an invoice has 1 to {MOST_LINES} lines, and this one {len(invoice.lines)}")
    currency = currency_of(invoice.currency)
    read = [_line(line, currency, number) for number, line in enumerate(invoice.lines)]
    total = sum(minor for minor, _ in read)
    if total < 0:
        raise PermanentError(f"the invoice's total is negative ({to_text(total, currency)} {currency})")
    due = {"days_until_due": str(settings.days_until_due)}
    if invoice.due:
        due = {"due_date": str(int(datetime.combine(invoice.due, time(23, 59, 59), UTC).timestamp()))}
    fields = {
        "currency": currency.lower(),
        "collection_method": "send_invoice",
        # Else Stripe would finalise a draft by itself after an hour, whether its lines are all there or not.
        "auto_advance": "false",
        "pending_invoice_items_behavior": "exclude",
        f"metadata[{REFERENCE}]": reference,
        **due,
    }
    if invoice.memo:
        fields["description"] = invoice.memo
    return Order(reference, currency, tuple(form for _, form in read), total, fields)


def _line(line: InvoiceLine, currency: str, number: int) -> tuple[int, dict[str, str]]:
    """Return a line's amount in minor units, and its form.

    Stripe counts pieces in whole numbers: of other quantities it is sent the amount, and the reader told how it comes.
    """
    amount = product(line.price, line.quantity)
    minor = to_minor(amount, currency)
    unit = plain(product(line.price, Decimal(10) ** decimals(currency)))
    is_counted = (
        line.price >= 0
        and line.quantity > 0
        and line.quantity == line.quantity.to_integral_value()
        and len(unit.partition(".")[2]) <= _MOST_PLACES
    )
    description = line.description
    if not is_counted and line.quantity != 1:
        description = f"{description} ({plain(line.quantity)} x {line.price:f})".strip()
    form = {"currency": currency.lower(), "description": description, f"metadata[{LINE}]": str(number)}
    if line.tax:
        form["tax_rates[0]"] = line.tax
    if line.item:
        if minor < 0:
            raise PermanentError(f"Stripe takes no negative price of a product: leave item empty ({line.item[:60]})")
        form |= {
            "price_data[currency]": currency.lower(),
            "price_data[product]": line.item,
            "price_data[unit_amount_decimal]": unit if is_counted else str(minor),
            "quantity": str(int(line.quantity)) if is_counted else "1",
        }
        del form["currency"]
    elif is_counted:
        form |= {"unit_amount_decimal": unit, "quantity": str(int(line.quantity))}
    else:
        form["amount"] = str(minor)
    return minor, {name: value for name, value in form.items() if value}


class Invoices:
    """Makes, reads and voids invoices."""

    def __init__(self, api: Api, settings: StripeConnection) -> None:
        self._api = api
        self._settings = settings

    async def create(self, customer_id: str, invoice: Invoice) -> Made:
        """Make an invoice, or go on with the one of this reference that an earlier try left."""
        order = order_of(invoice, self._settings)
        for turn in range(TURNS):
            found = await self._by_reference(customer_id, order.reference)
            is_new = False
            if found is None:
                try:
                    found, is_new = await self._draft(customer_id, order, turn)
                except StaleKeyError:
                    continue
                if found is None:
                    continue
            path = f"/v1/invoices/{require_id(text(found, 'id'), 'an invoice')}"
            if found.get("status") == "draft":
                await self._add_lines(customer_id, found, order, is_new=is_new)
                found = await self._finalise(path, order)
            return Made(text(found, "id"), optional(found, "hosted_invoice_url"))
        raise TransientError("Stripe goes on repeating how an earlier try broke", retry_after=60.0)

    async def _by_reference(self, customer_id: str, reference: str) -> Mapping[str, Any] | None:
        """Return the customer's newest invoice of this reference. The list lacks nothing, where the search lags."""
        async for each in self._api.listed("/v1/invoices", {"customer": customer_id}):
            if mark(each, REFERENCE) == reference:
                return each
        return None

    async def _draft(self, customer_id: str, order: Order, turn: int) -> tuple[Mapping[str, Any] | None, bool]:
        """Return the draft of a reference, as it stands, and whether it is new; None where it was deleted since."""
        key = key_of("invoice", customer_id, order.reference, turn)
        try:
            made, is_replayed = await self._api.post("/v1/invoices", {"customer": customer_id, **order.fields}, key)
        except KeyTakenError as error:
            # Another run orders it at this moment, with other words.
            text_ = f"an invoice of the reference {order.reference[:60]!r} was ordered a moment ago with other content"
            raise TransientError(text_, status=error.status, retry_after=60.0) from error
        if not is_replayed:
            return made, True
        return await self.read(f"/v1/invoices/{require_id(text(made, 'id'), 'an invoice')}"), False

    async def _add_lines(self, customer_id: str, draft: Mapping[str, Any], order: Order, *, is_new: bool) -> None:
        """Add the lines that the draft lacks."""
        invoice_id = text(draft, "id")
        for turn in range(TURNS):
            there = set() if is_new and not turn else await self._lines(invoice_id)
            try:
                for number, line in enumerate(order.lines):
                    if str(number) not in there:
                        form = {"customer": customer_id, "invoice": invoice_id, **line}
                        await self._api.post("/v1/invoiceitems", form, key_of("line", invoice_id, number, turn))
            except StaleKeyError:
                continue
            return
        raise TransientError("Stripe goes on repeating how an earlier try broke", retry_after=60.0)

    async def _lines(self, invoice_id: str) -> set[str]:
        return {mark(each, LINE) async for each in self._api.listed("/v1/invoiceitems", {"invoice": invoice_id})}

    async def _finalise(self, path: str, order: Order) -> Mapping[str, Any]:
        """Finalise a draft whose lines come to what was ordered; one that is final already is given back."""
        draft = await self._api.get(path)
        subtotal = whole(draft, "subtotal")
        if draft.get("status") == "draft" and subtotal != order.total:
            said, wanted = (f"{to_text(each, order.currency)} {order.currency}" for each in (subtotal, order.total))
            raise PermanentError(
                f"Stripe has a draft of the reference {order.reference[:60]!r} that comes to {said}, not {wanted}: "
                "delete that draft there and retry, or use another reference"
            )
        if draft.get("status") != "draft":
            return draft
        auto_advance = "true" if self._settings.auto_advance else "false"
        try:
            return (await self._api.post(f"{path}/finalize", {"auto_advance": auto_advance}))[0]
        except PermanentError:
            found = await self._api.get(path)
            if found.get("status") == "draft":
                raise
            return found

    async def read(self, path: str) -> Mapping[str, Any] | None:
        """Return an invoice, or None."""
        try:
            found = await self._api.get(path)
        except MissingError:
            return None
        return None if found.get("deleted") is True else found

    async def void(self, path: str) -> None:
        """Void an invoice, or delete it where it is a draft."""
        status = text(await self._api.get(path), "status")
        if status == "void":
            return
        if status == "draft":
            await self._api.delete(path)
            return
        if status == "paid":
            raise PermanentError("the invoice is paid: refund the payment in Stripe instead")
        try:
            await self._api.post(f"{path}/void", {})
        except PermanentError:
            if (await self._api.get(path)).get("status") != "void":
                raise


def state_of(found: Mapping[str, Any]) -> InvoiceState:
    """Read an invoice as Stripe shows it."""
    currency, status = currency_of(text(found, "currency")), text(found, "status")
    known = next((each for each in _STATUSES if each == status), None)
    if known is None:
        raise odd("status", f"one of {', '.join(_STATUSES)}")
    return InvoiceState(
        id=text(found, "id"),
        number=optional(found, "number"),
        status=known,
        currency=currency,
        total=to_text(whole(found, "total"), currency),
        paid=to_text(whole(found, "amount_paid"), currency),
        url=optional(found, "hosted_invoice_url"),
    )
