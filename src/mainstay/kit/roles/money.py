"""Roles of money: billing asks customers for it, accounting keeps the books."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from mainstay.kit.roles.outcomes import Made, Pushed
    from mainstay.model import Contact

InvoiceStatus = Literal["draft", "open", "paid", "void", "uncollectible"]


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """One line: ``price`` is of one piece, before tax, in whole units of the currency (dollars, yen).

    ``item`` and ``tax`` are codes that the other system knows (a product or account; a tax rate); empty for its usual.
    """

    description: str
    price: Decimal
    quantity: Decimal = Decimal(1)
    item: str = ""
    tax: str = ""


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice as a workflow orders it. ``reference`` names it in the caller's own words, and is unique.

    By its reference an invoice that was already made is found again, so it is never made twice.
    """

    reference: str
    currency: str
    lines: tuple[InvoiceLine, ...]
    due: date | None = None
    memo: str = ""


@dataclass(frozen=True, slots=True)
class InvoiceState:
    """An invoice as it stands there; amounts as decimal text in whole units of the currency (``"120.50"``)."""

    id: str
    number: str
    status: InvoiceStatus
    currency: str
    total: str
    paid: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Payment:
    """Money that came in. ``reference`` is what the payer's side calls it (a payment's id at Stripe), and is unique."""

    reference: str
    amount: Decimal
    currency: str
    paid_on: date
    method: str = ""


class Billing(Protocol):
    """Who asks customers for money."""

    async def push_customer(self, contact: Contact, external_id: str) -> Pushed:
        """Write a contact as a customer. With an empty ``external_id`` find it there, else create it: never twice."""
        ...

    async def create_invoice(self, customer_id: str, invoice: Invoice) -> Made:
        """Make an invoice that the customer can pay."""
        ...

    async def void_invoice(self, invoice_id: str) -> None:
        """Take an unpaid invoice back; taken back already, nothing happens."""
        ...

    async def fetch_invoice(self, invoice_id: str) -> InvoiceState | None:
        """Read an invoice; None when there is none (any more)."""
        ...


class Accounting(Billing, Protocol):
    """Who keeps the books."""

    async def add_payment(self, invoice_id: str, payment: Payment) -> Made:
        """Book a payment of an invoice, once for its reference."""
        ...
