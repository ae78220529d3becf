from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from mainstay.connectors.xero import CONNECTOR
from mainstay.connectors.xero.pulling import BATCH
from mainstay.connectors.xero.settings import XeroConnection
from mainstay.kit import RecordType
from mainstay.sandbox import Sandbox
from mainstay.sandbox.vendors.xero_account import TENANT
from tests.connectors.record_pull_conformance import RecordPullConformance, RecordVendor, pulling, sandbox
from tests.connectors.xero_accounting import TOKEN

__all__ = ["pulling", "sandbox"]


class Xero:
    name = "xero"
    connector = CONNECTOR
    batch = BATCH
    lag = timedelta(minutes=1)
    kind: RecordType
    shown: str
    id_name: str

    def __init__(self) -> None:
        self._ids: dict[int, str] = {}

    def settings(self, base_url: str) -> XeroConnection:
        given = {"connector": "xero", "base_url": base_url, "access_token": TOKEN, "tenant_id": TENANT}
        return XeroConnection.model_validate(given)

    def id_of(self, number: int) -> str:
        return self._ids[number]

    def change(self, sandbox: Sandbox, changes: list[tuple[int, str, datetime]]) -> None:
        if not sandbox.state("xero")["contacts"]:
            sandbox.seed("xero", "contacts", [{"Name": "Zoë", "EmailAddress": "zoe@example.com"}])
        contact = {"ContactID": sandbox.state("xero")["contacts"][0]["ContactID"]}
        new = [change for change in changes if change[0] not in self._ids]
        known = [change for change in changes if change[0] in self._ids]
        made = self.make(sandbox, contact, len(new))
        records = [{**of, **self.said(value), **_at(at)} for of, (_, value, at) in zip(made, new, strict=True)]
        records += [{self.id_name: self._ids[number], **self.said(value), **_at(at)} for number, value, at in known]
        sandbox.seed("xero", f"{self.kind}s", records)
        ids = [each[self.id_name] for each in sandbox.state("xero")[f"{self.kind}s"]][len(self._ids) :]
        self._ids |= {number: made_id for (number, _, _), made_id in zip(new, ids, strict=True)}

    def make(self, sandbox: Sandbox, contact: dict[str, Any], count: int) -> list[dict[str, Any]]:
        raise NotImplementedError

    def said(self, value: str) -> dict[str, Any]:
        return {"Reference": value}


def _invoice(contact: dict[str, Any]) -> dict[str, Any]:
    line = {"Description": "Boiler", "Quantity": 1, "UnitAmount": 500, "AccountCode": "200"}
    known = {"Type": "ACCREC", "Status": "AUTHORISED", "CurrencyCode": "GBP", "DueDate": "2026-02-01"}
    return {**known, "Contact": contact, "LineItems": [line]}


def _at(at: datetime) -> dict[str, Any]:
    return {"UpdatedDateUTC": f"/Date({int(at.timestamp() * 1000)}+0000)/"}


class Invoices(Xero):
    kind: RecordType = "invoice"
    shown = "reference"
    id_name = "InvoiceID"

    def make(self, sandbox: Sandbox, contact: dict[str, Any], count: int) -> list[dict[str, Any]]:
        return [_invoice(contact)] * count


class Payments(Xero):
    kind: RecordType = "payment"
    shown = "reference"
    id_name = "PaymentID"

    def make(self, sandbox: Sandbox, contact: dict[str, Any], count: int) -> list[dict[str, Any]]:
        if not sandbox.state("xero")["invoices"]:
            sandbox.seed("xero", "invoices", [_invoice(contact)])
        invoice = {"InvoiceID": sandbox.state("xero")["invoices"][0]["InvoiceID"]}
        return [{"Invoice": invoice, "Account": {"Code": "090"}, "Amount": 0.5, "Date": "2026-01-05"}] * count


class TestInvoices(RecordPullConformance):
    @pytest.fixture
    def vendor(self) -> RecordVendor:
        return Invoices()


class TestPayments(RecordPullConformance):
    @pytest.fixture
    def vendor(self) -> RecordVendor:
        return Payments()
