from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from mainstay.connectors.stripe import CONNECTOR
from mainstay.connectors.stripe.amounts import to_text
from mainstay.connectors.stripe.settings import StripeConnection
from mainstay.kit import ConnectionSettings, Http
from mainstay.sandbox import Sandbox
from tests.connectors.billing_conformance import (
    BillingConformance,
    BillingVendor,
    Customer,
    StoredInvoice,
    StoredPayment,
    bench,
    sandbox,
)

__all__ = ["bench", "sandbox"]
SECRET = "rk_test_sample0123456789"


class Vendor:
    name = "stripe"
    role = "billing"
    connector = CONNECTOR
    secret = SECRET
    currency = "USD"
    unknown_customer = "cus_UNKNOWN0000000"
    unknown_invoice = "in_UNKNOWN00000000000000000"

    def settings(self, base_url: str) -> ConnectionSettings:
        return StripeConnection.model_validate({"connector": "stripe", "api_key": SECRET, "base_url": base_url})

    def authorise(self, http: Http) -> None:
        pass

    def seed_customer(self, sandbox: Sandbox, customer: Customer) -> None:
        given = {"email": customer.email, "name": customer.name, "phone": customer.phone}
        sandbox.seed("stripe", "customers", [{key: value for key, value in given.items() if value}])

    def pay(self, sandbox: Sandbox, invoice_id: str) -> None:
        sandbox.seed("stripe", "payments", [{"invoice": invoice_id}])

    def customers(self, state: Mapping[str, Any]) -> list[Customer]:
        return [
            Customer(each["id"], each["email"] or "", each["name"] or "", each["phone"] or "")
            for each in state["customers"]
            if not each.get("deleted")
        ]

    def invoices(self, state: Mapping[str, Any]) -> list[StoredInvoice]:
        return [
            StoredInvoice(
                each["id"],
                each["customer"],
                each["metadata"]["mainstay_reference"],
                each["status"],
                to_text(each["total"], each["currency"].upper()),
            )
            for each in state["invoices"]
        ]

    def payments(self, state: Mapping[str, Any]) -> list[StoredPayment]:
        return []


@pytest.fixture
def vendor() -> BillingVendor:
    return Vendor()


class TestConformance(BillingConformance):
    pass
