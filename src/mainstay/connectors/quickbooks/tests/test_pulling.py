from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mainstay.connectors.quickbooks import CONNECTOR
from mainstay.connectors.quickbooks.pulling import BATCH
from mainstay.connectors.quickbooks.settings import QuickBooksConnection
from mainstay.kit import RecordType
from mainstay.sandbox import Sandbox
from tests.connectors.record_pull_conformance import RecordPullConformance, RecordVendor, pulling, sandbox

__all__ = ["pulling", "sandbox"]
TOKEN = "sample-quickbooks-access-token"


class QuickBooks:
    name = "quickbooks"
    connector = CONNECTOR
    batch = BATCH
    lag = timedelta(minutes=1)
    kind: RecordType
    shown: str

    def __init__(self) -> None:
        self._ids: dict[int, str] = {}

    def settings(self, base_url: str) -> QuickBooksConnection:
        given = {"connector": "quickbooks", "base_url": base_url, "access_token": TOKEN, "realm_id": "9341455600000000"}
        return QuickBooksConnection.model_validate(given)

    def id_of(self, number: int) -> str:
        return self._ids[number]

    def change(self, sandbox: Sandbox, changes: list[tuple[int, str, datetime]]) -> None:
        if not sandbox.state("quickbooks")["customers"]:
            sandbox.seed("quickbooks", "customers", [{"DisplayName": "Zoë", "PrimaryPhone": {"FreeFormNumber": "1"}}])
        customer = {"value": sandbox.state("quickbooks")["customers"][0]["Id"]}
        known = [(number, value, at) for number, value, at in changes if number in self._ids]
        new = [change for change in changes if change[0] not in self._ids]
        records = [{"CustomerRef": customer, **self.record(value), **_at(at)} for _, value, at in new]
        records += [{"Id": self._ids[number], **self.record(value), **_at(at)} for number, value, at in known]
        sandbox.seed("quickbooks", f"{self.kind}s", records)
        made = [each["Id"] for each in sandbox.state("quickbooks")[f"{self.kind}s"]][len(self._ids) :]
        self._ids |= {number: made_id for (number, _, _), made_id in zip(new, made, strict=True)}

    def record(self, value: str) -> dict[str, Any]:
        raise NotImplementedError


class Invoices(QuickBooks):
    kind: RecordType = "invoice"
    shown = "number"

    def record(self, value: str) -> dict[str, Any]:
        detail = {"ItemRef": {"value": "1"}, "UnitPrice": 5, "Qty": 1}
        line = {"Amount": 5, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail}
        return {"DocNumber": value, "Line": [line]}


class Payments(QuickBooks):
    kind: RecordType = "payment"
    shown = "reference"

    def record(self, value: str) -> dict[str, Any]:
        return {"PaymentRefNum": value, "TotalAmt": 5, "Line": []}


def _at(at: datetime) -> dict[str, Any]:
    return {"MetaData": {"LastUpdatedTime": at.astimezone(UTC).isoformat(timespec="seconds")}}


class TestInvoices(RecordPullConformance):
    @pytest.fixture
    def vendor(self) -> RecordVendor:
        return Invoices()


class TestPayments(RecordPullConformance):
    @pytest.fixture
    def vendor(self) -> RecordVendor:
        return Payments()
