"""``ctx.billing`` and ``ctx.accounting``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mainstay.engine.calls.role_call import RoleCall, made
from mainstay.kit.roles import Invoice, InvoiceState, Made, Payment, Pushed
from mainstay.model import Contact


@dataclass(frozen=True, slots=True)
class BillingCalls:
    """``ctx.billing``."""

    _call: RoleCall
    _role: ClassVar[str] = "billing"

    async def customer(self, contact: Contact) -> str:
        """Return the contact's id as a customer there: found and brought up to date, or new."""
        pushed = await self._call(self._role, "push_customer", contact, "")
        return Pushed(**pushed).external_id if pushed else ""

    async def create_invoice(self, contact: Contact, invoice: Invoice) -> Made:
        """Make an invoice to a contact, who becomes a customer first; once for the invoice's reference."""
        customer_id = await self.customer(contact)
        return made(await self._call(self._role, "create_invoice", customer_id, invoice, contact=contact))

    async def void_invoice(self, invoice_id: str) -> None:
        """Take an unpaid invoice back."""
        await self._call(self._role, "void_invoice", invoice_id)

    async def fetch_invoice(self, invoice_id: str) -> InvoiceState | None:
        """Read an invoice as it stands there; None when there is none (any more)."""
        found = await self._call(self._role, "fetch_invoice", invoice_id)
        return InvoiceState(**found) if found else None


@dataclass(frozen=True, slots=True)
class AccountingCalls(BillingCalls):
    """``ctx.accounting``."""

    _role: ClassVar[str] = "accounting"

    async def add_payment(self, invoice_id: str, payment: Payment) -> Made:
        """Book a payment of an invoice, once for the payment's reference."""
        return made(await self._call(self._role, "add_payment", invoice_id, payment))
