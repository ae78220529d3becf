"""The billing role on Stripe, and how its account is reached."""

from __future__ import annotations

from typing import Any

from mainstay.connectors.stripe.api import VERSION, Api, optional, require_id, text
from mainstay.connectors.stripe.customers import Customers
from mainstay.connectors.stripe.errors import MissingError, classify_answer
from mainstay.connectors.stripe.invoices import Invoices, state_of
from mainstay.connectors.stripe.pulling import pull
from mainstay.connectors.stripe.settings import StripeConnection
from mainstay.kit import (
    Contact,
    Http,
    HttpSettings,
    Invoice,
    InvoiceState,
    Made,
    NeedsHumanError,
    PulledRecords,
    Pushed,
    Rate,
    RecordStore,
    RecordType,
)

API = "https://api.stripe.com"
DASHBOARD = "https://dashboard.stripe.com"


def http_settings(settings: StripeConnection) -> HttpSettings:
    """Return how to reach Stripe."""
    key = settings.api_key.get_secret_value()
    headers = {"Authorization": f"Bearer {key}", "Stripe-Version": VERSION}
    if settings.account:
        headers["Stripe-Account"] = settings.account
    return HttpSettings(settings.base_url or API, headers, secrets=(key,), classify=classify_answer)


def rates(settings: StripeConnection) -> tuple[Rate, ...]:
    """Return what an account takes; a quarter of it in test mode."""
    return (Rate(25 if settings.is_test else 100, 1.0),)


def record_url(settings: StripeConnection, external_id: str) -> str:
    """Return a customer's page in Stripe's Dashboard."""
    account = f"/{settings.account}" if settings.account else ""
    return f"{DASHBOARD}{account}{'/test' if settings.is_test else ''}/customers/{external_id}"


async def check(settings: StripeConnection, http: Http) -> str:
    """Read the account, and say whose it is; a restricted key may not, and then reads customers."""
    api, mode = Api(http), "test mode" if settings.is_test else "live"
    try:
        account = await api.get("/v1/account")
    except NeedsHumanError as error:
        if error.status != 403:  # the key is good, and may not read accounts
            raise
        await api.get("/v1/customers", {"limit": "1"})
        return f"a restricted key's account ({mode})"
    name = _name(account)
    idle = "" if account.get("charges_enabled") is not False else ": it cannot take payments yet, see its Dashboard"
    return f"{name + ', ' if name else ''}{text(account, 'id')} ({mode}){idle}"


def _name(account: Any) -> str:
    profile, shown = account.get("business_profile"), account.get("settings")
    dashboard = shown.get("dashboard") if isinstance(shown, dict) else None
    for part, key in ((dashboard, "display_name"), (profile, "name"), (account, "email")):
        if isinstance(part, dict) and optional(part, key):
            return optional(part, key)
    return ""


def make_billing(settings: StripeConnection, http: Http, _store: RecordStore | None = None) -> StripeBilling:
    """Build the role for one attempt."""
    return StripeBilling(settings, http)


class StripeBilling:
    """Customers, and invoices that they pay on a page of Stripe's."""

    def __init__(self, settings: StripeConnection, http: Http) -> None:
        self._http, self._settings = http, settings
        self._api = Api(http)
        self._customers = Customers(self._api)
        self._invoices = Invoices(self._api, settings)

    async def push_customer(self, contact: Contact, external_id: str) -> Pushed:
        """Bring a customer up to date, found by its id, our mark or its e-mail address; make one where none is."""
        return await self._customers.push(contact, external_id)

    async def create_invoice(self, customer_id: str, invoice: Invoice) -> Made:
        """Make and finalise an invoice, once for its reference; the link is Stripe's page to pay it on.

        One that was found again is given back as it stands, also when it was paid or voided meanwhile.
        """
        return await self._invoices.create(require_id(customer_id, "a customer"), invoice)

    async def void_invoice(self, invoice_id: str) -> None:
        """Void an open invoice, delete a draft. A paid one is refused: it wants a refund."""
        path = f"/v1/invoices/{require_id(invoice_id, 'an invoice')}"
        try:
            await self._invoices.void(path)
        except MissingError:
            # A draft that an earlier try of this step deleted.
            if not self._http.tried_ago:
                raise

    async def fetch_invoice(self, invoice_id: str) -> InvoiceState | None:
        """Read an invoice."""
        path = f"/v1/invoices/{require_id(invoice_id, 'an invoice')}"
        found = await self._invoices.read(path)
        return state_of(found) if found else None

    async def pull_records(self, kind: RecordType, cursor: str) -> PulledRecords:
        """Read the next of what happened to invoices or payments in the last 30 days."""
        return await pull(self._http, self._settings, kind, cursor)
