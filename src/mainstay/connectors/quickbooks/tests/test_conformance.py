from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from mainstay.connectors.quickbooks import CONNECTOR
from mainstay.connectors.quickbooks.invoices import reference_in, state_of
from mainstay.connectors.quickbooks.settings import QuickBooksConnection
from mainstay.kit import Http
from mainstay.sandbox import Sandbox
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
TOKEN = "sample-quickbooks-access-token"
REALM = "9341455600000000"


class QuickBooks:
    name = "quickbooks"
    role = "accounting"
    connector = CONNECTOR
    secret = TOKEN
    currency = "USD"
    unknown_customer = "99999"
    unknown_invoice = "99998"

    def settings(self, base_url: str) -> QuickBooksConnection:
        given = {"connector": "quickbooks", "base_url": base_url, "access_token": TOKEN, "realm_id": REALM, "item": "1"}
        return QuickBooksConnection.model_validate(given)

    def authorise(self, http: Http) -> None:
        """The token is fixed."""

    def seed_customer(self, sandbox: Sandbox, customer: Customer) -> None:
        given, _, family = customer.name.partition(" ")
        record: dict[str, Any] = {"DisplayName": customer.name, "GivenName": given, "FamilyName": family}
        if customer.email:
            record["PrimaryEmailAddr"] = {"Address": customer.email}
        if customer.phone:
            record["PrimaryPhone"] = {"FreeFormNumber": customer.phone}
        sandbox.seed("quickbooks", "customers", [record])

    def pay(self, sandbox: Sandbox, invoice_id: str) -> None:
        (invoice,) = [each for each in sandbox.state("quickbooks")["invoices"] if each["Id"] == invoice_id]
        links = [{"TxnId": invoice_id, "TxnType": "Invoice"}]
        lines = [{"Amount": invoice["Balance"], "LinkedTxn": links}]
        payment = {"CustomerRef": invoice["CustomerRef"], "TotalAmt": invoice["Balance"], "Line": lines}
        sandbox.seed("quickbooks", "payments", [payment])

    def customers(self, state: Mapping[str, Any]) -> list[Customer]:
        return [
            Customer(
                each["Id"],
                each.get("PrimaryEmailAddr", {}).get("Address", ""),
                f"{each.get('GivenName', '')} {each.get('FamilyName', '')}".strip(),
                each.get("PrimaryPhone", {}).get("FreeFormNumber", ""),
            )
            for each in state["customers"]
            if each["Active"]
        ]

    def invoices(self, state: Mapping[str, Any]) -> list[StoredInvoice]:
        stored = []
        for each in state["invoices"]:
            read = state_of(each)
            customer = each["CustomerRef"]["value"]
            stored.append(StoredInvoice(each["Id"], customer, reference_in(each), read.status, read.total))
        return stored

    def payments(self, state: Mapping[str, Any]) -> list[StoredPayment]:
        return [
            StoredPayment(
                each["Id"], each["Line"][0]["LinkedTxn"][0]["TxnId"], reference_in(each), f"{each['TotalAmt']:.2f}"
            )
            for each in state["payments"]
        ]


class TestConformance(AccountingConformance):
    @pytest.fixture
    def vendor(self) -> BillingVendor:
        return QuickBooks()
