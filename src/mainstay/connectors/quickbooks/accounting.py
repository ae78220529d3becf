"""The role ``accounting`` on QuickBooks Online."""

from __future__ import annotations

from mainstay.connectors.quickbooks.api import Api
from mainstay.connectors.quickbooks.customers import Customers
from mainstay.connectors.quickbooks.invoices import Invoices
from mainstay.connectors.quickbooks.pulling import pull
from mainstay.connectors.quickbooks.settings import QuickBooksConnection
from mainstay.kit import (
    Contact,
    Http,
    Invoice,
    InvoiceState,
    Made,
    Payment,
    PulledRecords,
    Pushed,
    RecordStore,
    RecordType,
)


class QuickBooksAccounting:
    """One company's books."""

    def __init__(self, settings: QuickBooksConnection, http: Http) -> None:
        api = self._api = Api(http, settings.minor_version)
        self._realm = settings.realm_id or http.access.facts.get("realm_id", "")
        self._customers = Customers(api)
        self._invoices = Invoices(settings, api)

    async def push_customer(self, contact: Contact, external_id: str) -> Pushed:
        """Write a contact as a customer."""
        return await self._customers.push(contact, external_id)

    async def create_invoice(self, customer_id: str, invoice: Invoice) -> Made:
        """Make an invoice, which has its customer's e-mail and is not sent."""
        return await self._invoices.create(customer_id, invoice)

    async def void_invoice(self, invoice_id: str) -> None:
        """Void an unpaid invoice."""
        await self._invoices.void(invoice_id)

    async def fetch_invoice(self, invoice_id: str) -> InvoiceState | None:
        """Read an invoice."""
        return await self._invoices.fetch(invoice_id)

    async def add_payment(self, invoice_id: str, payment: Payment) -> Made:
        """Book a payment of an invoice."""
        return await self._invoices.add_payment(invoice_id, payment)

    async def pull_records(self, kind: RecordType, cursor: str) -> PulledRecords:
        """Read a batch of the invoices or payments that changed."""
        return await pull(self._api, self._realm, kind, cursor)


def make_accounting(
    settings: QuickBooksConnection, http: Http, _store: RecordStore | None = None
) -> QuickBooksAccounting:
    """Build the role for one attempt."""
    return QuickBooksAccounting(settings, http)


async def check(settings: QuickBooksConnection, http: Http) -> str:
    """Read the company's name."""
    companies = await Api(http, settings.minor_version).query("CompanyInfo")
    name = next((str(each.get("CompanyName") or "") for each in companies), "")
    realm = settings.realm_id or http.access.facts.get("realm_id", "")
    where = "QuickBooks' sandbox" if settings.sandbox else "QuickBooks"
    return f"{name or 'a company'} (company {realm}) at {where}"


def record_url(settings: QuickBooksConnection, external_id: str) -> str:
    """Return the link to a customer in QuickBooks."""
    return f"{settings.screens}/customerdetail?nameId={external_id}"
