"""The role ``accounting`` on Xero."""

from __future__ import annotations

from mainstay.connectors.xero.api import Api, text_of
from mainstay.connectors.xero.contacts import Contacts
from mainstay.connectors.xero.invoices import Invoices
from mainstay.connectors.xero.pulling import pull
from mainstay.connectors.xero.settings import SCREENS, XeroConnection
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


class XeroAccounting:
    """One organisation's books."""

    def __init__(self, settings: XeroConnection, http: Http) -> None:
        api = self._api = Api(http, settings.tenant_id)
        self._contacts = Contacts(api)
        self._invoices = Invoices(settings, api)

    async def push_customer(self, contact: Contact, external_id: str) -> Pushed:
        """Write a contact as one of Xero's."""
        return await self._contacts.push(contact, external_id)

    async def create_invoice(self, customer_id: str, invoice: Invoice) -> Made:
        """Make an approved invoice; it is not sent."""
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
        return await pull(self._api, kind, cursor)


def make_accounting(settings: XeroConnection, http: Http, _store: RecordStore | None = None) -> XeroAccounting:
    """Build the role for one attempt."""
    return XeroAccounting(settings, http)


async def check(settings: XeroConnection, http: Http) -> str:
    """Read the organisation's name."""
    api = Api(http, settings.tenant_id)
    organisation = await api.organisation()
    told = f"{text_of(organisation, 'Name') or 'an organisation'} (tenant {await api.tenant()}) at Xero"
    return told if settings.tenant_id else f"{told}; set tenant_id to it, to save a call each time"


def record_url(_settings: XeroConnection, external_id: str) -> str:
    """Return the link to a contact in Xero."""
    return f"{SCREENS}/Contacts/View/{external_id}"
