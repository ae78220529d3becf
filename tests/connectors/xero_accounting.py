"""What the tests of the connector for Xero share."""

from __future__ import annotations

from typing import Any

from mainstay.connectors.xero import CONNECTOR
from mainstay.connectors.xero.settings import XeroConnection
from mainstay.sandbox.vendors.xero_account import TENANT
from tests.connectors.accounting import attempt

TOKEN = "sample-xero-token"
CONTACT_ID, INVOICE_ID = "430fa14a-f945-44d3-9f97-5df5e28441b8", "ed255415-e141-4150-aab7-89c3bbbb851c"
CONTACT: dict[str, Any] = {"ContactID": CONTACT_ID, "ContactStatus": "ACTIVE", "Name": "Sarah Johnson"}
INVOICE: dict[str, Any] = {
    "InvoiceID": INVOICE_ID,
    "Type": "ACCREC",
    "Status": "AUTHORISED",
    "Total": 40.0,
    "AmountPaid": 0.0,
    "CurrencyCode": "NZD",
    "InvoiceNumber": "INV-0007",
    "Reference": "JOB-1",
}


def settings(**keys: Any) -> XeroConnection:
    """A connection; None takes a key away."""
    filled = {"connector": "xero", "access_token": TOKEN, "tenant_id": TENANT, "account": "200"}
    given = filled | {"payment_account": "090"} | keys
    return XeroConnection.model_validate({key: value for key, value in given.items() if value is not None})


async def ask(base_url: str, operation: str, *arguments: Any, **keys: Any) -> Any:
    """Make one attempt."""
    return await attempt(CONNECTOR, settings(base_url=base_url, **keys), operation, *arguments)
