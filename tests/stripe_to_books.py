"""The example stripe_to_books as ``mainstay init`` writes it, and people who pay at Stripe."""

from __future__ import annotations

import json
import re
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from mainstay.connectors.stripe.api import VERSION
from mainstay.sandbox.client import Sandbox
from mainstay.sandbox.vendors.xero_account import TENANT
from tests.cli.conftest import call

BOOKS = ("quickbooks", "xero")
ACCOUNTS = {"quickbooks": ("realm_id", "9341455600000000"), "xero": ("tenant_id", TENANT)}
SECRET = "sample-stripe_webhook_secret"  # as the test environment gives it


def write_stack(folder: Path, vendor: str, *, fixed_token: bool = False) -> Path:
    """Write the example into a folder; for Xero as its comments say.

    ``fixed_token``: its books are entered with a token that stands in the stack, so that processes of no one key can.
    """
    assert call("init", str(folder), "--name", "Acme Plumbing", "--example", "stripe_to_books").code == 0
    if vendor == "xero":
        file = folder / "stack.toml"
        before, quickbooks, xero, after = re.split(r"^(?=# ?\[connections\.books\]|\[(?:connections\.books|roles)\])",
                                                   file.read_text(), flags=re.MULTILINE)  # fmt: skip
        assert "quickbooks" in quickbooks
        file.write_text(before + re.sub(r"^# ", "", xero, flags=re.MULTILINE) + after)
    if fixed_token:
        file = folder / "stack.toml"
        key, account = ACCOUNTS[vendor]
        entry = f'access_token = "${{BOOKS_TOKEN}}"\n{key} = "{account}"'
        file.write_text(re.sub(r"^client_id .*\nclient_secret .*$", entry, file.read_text(), flags=re.MULTILINE))
    return folder


class Shop:
    """A Stripe account in which somebody else makes invoices, and people pay them."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def bill(self, email: str, name: str, *, cents: int = 36149) -> str:
        """Make an invoice; returns its id."""
        customer = self._post("/v1/customers", email=email, name=name)["id"]
        invoice: str = self._post("/v1/invoices", customer=customer)["id"]
        self._post("/v1/invoiceitems", customer=customer, invoice=invoice, amount=str(cents), currency="usd")
        self._post(f"/v1/invoices/{invoice}/finalize")
        return invoice

    def pay(self, email: str, name: str, *, cents: int = 36149) -> list[dict[str, Any]]:
        """Make an invoice and pay it; returns all that Stripe tells of it, the oldest first."""
        invoice = self.bill(email, name, cents=cents)
        self._sandbox.seed("stripe", "payments", [{"invoice": invoice}])
        found = self._sandbox.state("stripe")
        intent = next(each["payment_intent"] for each in found["invoices"] if each["id"] == invoice)
        customer = next(each["customer"] for each in found["invoices"] if each["id"] == invoice)
        events: list[dict[str, Any]] = found["events"]
        return [each for each in events if any(part in json.dumps(each) for part in (invoice, intent, customer))]

    def _post(self, path: str, **form: str) -> Any:
        request = urllib.request.Request(  # noqa: S310 the sandbox's address
            self._sandbox.url("stripe") + path,
            urllib.parse.urlencode(form).encode(),
            {
                "Authorization": "Bearer sk_test_shop",
                "Stripe-Version": VERSION,
                "Content-Type": "application/x-www-form-urlencoded",
            },
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 see above
            return json.load(answer)


def copies(sandbox: Sandbox, vendor: str, email: str) -> dict[str, int]:
    """Count what one who paid is, and has, in the books, in the CRM and in the mail."""
    books, crm = sandbox.state(vendor), sandbox.state("gohighlevel")
    if vendor == "quickbooks":
        customers = {
            each["Id"] for each in books["customers"] if each.get("PrimaryEmailAddr", {}).get("Address") == email
        }
        invoices = {each["Id"] for each in books["invoices"] if each["CustomerRef"]["value"] in customers}
        paid = [link["TxnId"] for each in books["payments"] for line in each["Line"] for link in line["LinkedTxn"]]
    else:
        customers = {each["ContactID"] for each in books["contacts"] if each.get("EmailAddress") == email}
        invoices = {each["InvoiceID"] for each in books["invoices"] if each["Contact"]["ContactID"] in customers}
        paid = [each["Invoice"]["InvoiceID"] for each in books["payments"]]
    contacts = [each for each in crm["contacts"] if each.get("email") == email]
    ids = {each["id"] for each in contacts}
    return {
        "customers": len(customers),
        "invoices": len(invoices),
        "payments": sum(invoice in invoices for invoice in paid),
        "contacts": len(contacts),
        "tags": sum(each["tags"].count("customer") for each in contacts),
        "notes": sum(note["contactId"] in ids for note in crm["notes"]),
        "mails": sum(message["To"] == email for message in sandbox.messages("postmark")),
    }


ONCE = dict.fromkeys(("customers", "invoices", "payments", "contacts", "tags", "notes", "mails"), 1)
