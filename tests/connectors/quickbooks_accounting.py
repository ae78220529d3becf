"""What the tests of the connector for QuickBooks share."""

from __future__ import annotations

from typing import Any

from mainstay.connectors.quickbooks import CONNECTOR
from mainstay.connectors.quickbooks.settings import QuickBooksConnection
from tests.connectors.accounting import attempt

REALM, TOKEN = "9341455600000000", "sample-access-token"
CUSTOMER: dict[str, Any] = {"Id": "58", "SyncToken": "0", "DisplayName": "Sarah Johnson", "Active": True}
INVOICE: dict[str, Any] = {
    "Id": "130",
    "SyncToken": "0",
    "DocNumber": "1038",
    "TotalAmt": 362.07,
    "Balance": 362.07,
    "CurrencyRef": {"value": "USD"},
    "CustomerRef": {"value": "58"},
    "PrivateNote": "Reference: JOB-1",
}


def settings(**keys: Any) -> QuickBooksConnection:
    """A connection; None takes a key away."""
    filled = {"connector": "quickbooks", "access_token": TOKEN, "realm_id": REALM, "item": "1", **keys}
    return QuickBooksConnection.model_validate({key: value for key, value in filled.items() if value is not None})


async def ask(base_url: str, operation: str, *arguments: Any, **keys: Any) -> Any:
    """Make one attempt."""
    return await attempt(CONNECTOR, settings(base_url=base_url, **keys), operation, *arguments)
