from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from mainstay.connectors.xero import CONNECTOR
from mainstay.connectors.xero.contacts import phone_of
from mainstay.connectors.xero.invoices import state_of
from mainstay.connectors.xero.settings import XeroConnection
from mainstay.kit import Http
from mainstay.sandbox import Sandbox
from mainstay.sandbox.vendors.xero_account import TENANT
from tests.connectors.billing_conformance import (
    AccountingConformance,
    BillingVendor,
    Customer,
    StoredInvoice,
    StoredPayment,
    bench,
    sandbox,
)

__all__ = ["bench", "sandbox"]
TOKEN = "sample-xero-access-token"


class Xero:
    name = "xero"
    role = "accounting"
    connector = CONNECTOR
    secret = TOKEN
    currency = "USD"
    unknown_customer = "11111111-2222-4333-8444-555555555555"
    unknown_invoice = "11111111-2222-4333-8444-666666666666"

    def settings(self, base_url: str) -> XeroConnection:
        given = {"connector": "xero", "base_url": base_url, "access_token": TOKEN, "tenant_id": TENANT}
        return XeroConnection.model_validate(given | {"account": "200", "payment_account": "090"})

    def authorise(self, http: Http) -> None:
        """The token is fixed."""

    def seed_customer(self, sandbox: Sandbox, customer: Customer) -> None:
        first, _, last = customer.name.partition(" ")
        record: dict[str, Any] = {"Name": customer.name, "FirstName": first, "LastName": last}
        if customer.email:
            record["EmailAddress"] = customer.email
        if customer.phone:
            record["Phones"] = [{"PhoneType": "DEFAULT", "PhoneNumber": customer.phone}]
        sandbox.seed("xero", "contacts", [record])

    def pay(self, sandbox: Sandbox, invoice_id: str) -> None:
        (invoice,) = [each for each in sandbox.state("xero")["invoices"] if each["InvoiceID"] == invoice_id]
        payment = {"Invoice": {"InvoiceID": invoice_id}, "Account": {"Code": "090"}, "Amount": invoice["AmountDue"]}
        sandbox.seed("xero", "payments", [payment])

    def customers(self, state: Mapping[str, Any]) -> list[Customer]:
        return [
            Customer(
                each["ContactID"],
                each.get("EmailAddress", ""),
                f"{each.get('FirstName', '')} {each.get('LastName', '')}".strip(),
                (phone := phone_of(each, "DEFAULT")) and f"+{phone}",
            )
            for each in state["contacts"]
            if each["ContactStatus"] == "ACTIVE"
        ]

    def invoices(self, state: Mapping[str, Any]) -> list[StoredInvoice]:
        return [
            StoredInvoice(
                each["InvoiceID"],
                each["Contact"]["ContactID"],
                each["Reference"],
                (read := state_of(each)).status,
                read.total,
            )
            for each in state["invoices"]
        ]

    def payments(self, state: Mapping[str, Any]) -> list[StoredPayment]:
        return [
            StoredPayment(each["PaymentID"], each["Invoice"]["InvoiceID"], each["Reference"], f"{each['Amount']:.2f}")
            for each in state["payments"]
        ]


class TestConformance(AccountingConformance):
    @pytest.fixture
    def vendor(self) -> BillingVendor:
        return Xero()
