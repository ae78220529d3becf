"""QuickBooks and Xero: the simulators keep the contracts, the contracts refuse, each documented answer can be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

import pytest

from mainstay.connectors.quickbooks.errors import classify_answer as classify_quickbooks
from mainstay.connectors.xero.contacts import changes_to, names_for
from mainstay.connectors.xero.errors import classify_answer as classify_xero
from mainstay.connectors.xero.errors import refusal_in
from mainstay.connectors.xero.invoices import is_payment, state_of
from mainstay.kit import PermanentError, Response
from mainstay.sandbox import Sandbox, SandboxProcess
from mainstay.sandbox.vendors.xero_account import TENANT
from tests.connectors.accounting import SARAH
from tests.contracts.vendor_specs import specs_folder, validate_recorded, validate_request, validate_response
from tests.sandbox.wire import Answer, call

REALM = "/v3/company/9341455600000000"
QUICKBOOKS = {"Authorization": "Bearer t-1", "Content-Type": "application/json"}
XERO = {"Authorization": "Bearer t-1", "xero-tenant-id": TENANT, "Content-Type": "application/json"}
BASE = "/api.xro/2.0"
CUSTOMER = {"DisplayName": "Zoë 李", "PrimaryEmailAddr": {"Address": "zoe@example.com"}}
LINE = {
    "DetailType": "SalesItemLineDetail",
    "Amount": 120.5,
    "Description": "Grüße",
    "SalesItemLineDetail": {"ItemRef": {"value": "1"}, "Qty": 1, "UnitPrice": 120.5, "TaxCodeRef": {"value": "NON"}},
}
INVOICE = {"CustomerRef": {"value": "1"}, "CurrencyRef": {"value": "USD"}, "Line": [LINE], "PrivateNote": "x"}
PAID = {"Amount": 120.5, "LinkedTxn": [{"TxnId": "1", "TxnType": "Invoice"}]}


@pytest.fixture(scope="module")
def process() -> Iterator[SandboxProcess]:
    specs_folder()
    with SandboxProcess() as running:
        yield running


@pytest.fixture
def sandbox(process: SandboxProcess) -> Sandbox:
    process.sandbox.reset()
    return process.sandbox


def ask(sandbox: Sandbox, vendor: str, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    sent = (QUICKBOOKS if vendor == "quickbooks" else XERO) | headers
    return call(method, f"{sandbox.url(vendor)}{path}", body, sent)


def test_every_answer_of_quickbooks(sandbox: Sandbox) -> None:
    def query(text: str) -> str:
        return f"{REALM}/query?{urlencode({'query': text, 'minorversion': 75})}"

    void = {"Id": "1", "SyncToken": "0"}
    asked: list[tuple[str, str, Any]] = [
        ("POST", f"{REALM}/customer?minorversion=75&requestid=a", CUSTOMER),
        ("POST", f"{REALM}/customer?minorversion=75", CUSTOMER),
        ("POST", f"{REALM}/customer?minorversion=75", {"Id": "1", "SyncToken": "0", "sparse": True, "Notes": "x"}),
        ("POST", f"{REALM}/customer?minorversion=75", {"Id": "1", "SyncToken": "0", "sparse": True, "Notes": "x"}),
        ("GET", f"{REALM}/customer/1?minorversion=75", None),
        ("GET", f"{REALM}/customer/99", None),
        ("GET", query("select * from Customer where PrimaryEmailAddr = 'zoe@example.com'"), None),
        ("GET", query("select * from Customer where DisplayName IN ('O\\'Brien', 'x')"), None),
        ("GET", query("select * from CompanyInfo"), None),
        ("GET", query("select * from Item where Name = 'Services' startposition 1 maxresults 5"), None),
        ("GET", query("select Id from Nothing"), None),
        ("POST", f"{REALM}/invoice?minorversion=75&include=invoiceLink", INVOICE),
        ("POST", f"{REALM}/payment", {"CustomerRef": {"value": "1"}, "TotalAmt": 120.5, "Line": [PAID]}),
        ("POST", f"{REALM}/payment", {"CustomerRef": {"value": "1"}, "TotalAmt": 1, "Line": [PAID]}),
        ("GET", f"{REALM}/invoice/1?include=invoiceLink", None),
        ("GET", f"{REALM}/payment/1", None),
        ("POST", f"{REALM}/invoice", INVOICE | {"CustomerRef": {"value": "9"}}),
        ("POST", f"{REALM}/invoice?operation=void", void),
        ("POST", f"{REALM}/invoice?operation=void", void | {"SyncToken": "1"}),
    ]
    sandbox.configure("quickbooks", online_payments=True)
    statuses = [ask(sandbox, "quickbooks", *each).status for each in asked]
    assert statuses == [200, 400, 200, 400, 200, 400, 200, 200, 200, 200, 400, 200, 200, 400, 200, 200, 400, 400, 200]
    for status in (401, 403, 429, 500, 503):
        sandbox.set_fault("quickbooks", "status", status=status, count=1)
        assert ask(sandbox, "quickbooks", "GET", f"{REALM}/customer/1").status == status
    for record in sandbox.requests("quickbooks"):
        validate_recorded(record)


def test_every_answer_of_xero(sandbox: Sandbox) -> None:
    contact = {
        "Name": "Zoë 李",
        "EmailAddress": "zoe@example.com",
        "Phones": [{"PhoneType": "DEFAULT", "PhoneNumber": "+1"}],
    }
    contacts: dict[str, Any] = {"Contacts": [contact]}
    made = ask(sandbox, "xero", "PUT", f"{BASE}/Contacts", contacts, **{"Idempotency-Key": "k"}).json()["Contacts"][0]
    line = {"Description": "x", "Quantity": 1, "UnitAmount": 120.5, "AccountCode": "200"}
    invoice = {
        "Type": "ACCREC",
        "Contact": {"ContactID": made["ContactID"]},
        "LineItems": [line],
        "Status": "AUTHORISED",
    }
    invoices = {
        "Invoices": [{**invoice, "DueDate": "2026-12-24", "CurrencyCode": "USD", "LineAmountTypes": "Exclusive"}]
    }
    stored = ask(sandbox, "xero", "PUT", f"{BASE}/Invoices?unitdp=4", invoices).json()["Invoices"][0]
    own = f"{BASE}/Invoices/{stored['InvoiceID']}"
    paid = {
        "Invoice": {"InvoiceID": stored["InvoiceID"]},
        "Account": {"Code": "090"},
        "Date": "2026-11-27",
        "Amount": 20.5,
    }
    asked: list[tuple[str, str, Any]] = [
        ("PUT", f"{BASE}/Contacts", contacts),
        ("POST", f"{BASE}/Contacts/{made['ContactID']}", {"Contacts": [{"FirstName": "Zoë"}]}),
        ("GET", f"{BASE}/Contacts?searchTerm=zoe&page=1&pageSize=100", None),
        ("GET", f"{BASE}/Contacts/{made['ContactID']}", None),
        ("GET", f"{BASE}/Invoices?ContactIDs={made['ContactID']}&page=1", None),
        ("GET", own, None),
        ("GET", f"{own}/OnlineInvoice", None),
        ("PUT", f"{BASE}/Payments", {"Payments": [{**paid, "Reference": "pi_1"}]}),
        ("PUT", f"{BASE}/Payments", {"Payments": [{**paid, "Amount": 1000}]}),
        ("GET", own, None),
        ("POST", own, {"Invoices": [{"InvoiceID": stored["InvoiceID"], "Status": "VOIDED"}]}),
        ("GET", f"{BASE}/Invoices/{TENANT}", None),
        ("GET", f"{BASE}/Organisation", None),
        ("GET", "/Connections", None),
    ]
    statuses = [ask(sandbox, "xero", *each).status for each in asked]
    assert statuses == [400, 200, 200, 200, 200, 200, 200, 200, 400, 200, 400, 404, 200, 200]
    for status in (401, 403, 429, 500, 503):
        sandbox.set_fault("xero", "status", status=status, count=1)
        assert ask(sandbox, "xero", "GET", own).status == status
    for record in sandbox.requests("xero"):
        validate_recorded(record)


@pytest.mark.parametrize(
    ("vendor", "method", "path", "body", "reason"),
    [
        ("quickbooks", "POST", f"{REALM}/customer", {"DisplayNam": "x"}, "lacks .*DisplayName"),
        ("quickbooks", "POST", f"{REALM}/customer", CUSTOMER | {"Emial": "x"}, "Customer.Emial is not in the XSD"),
        ("quickbooks", "POST", f"{REALM}/customer", CUSTOMER | {"Active": "yes"}, "'yes' is not of type 'boolean'"),
        ("quickbooks", "POST", f"{REALM}/customer", {"Id": "1", "SyncToken": "0"}, "not sparse clears"),
        ("quickbooks", "POST", f"{REALM}/customer", {"Id": "1", "sparse": True}, "lacks .*SyncToken"),
        ("quickbooks", "POST", f"{REALM}/invoice", INVOICE | {"Line": [LINE | {"DetailType": "x"}]}, "is not one of"),
        ("quickbooks", "POST", f"{REALM}/invoice", INVOICE | {"Line": [LINE | {"Amount": "1"}]}, "type 'number'"),
        ("quickbooks", "POST", f"{REALM}/invoice?requestId=x", INVOICE, "requestId"),
        ("quickbooks", "GET", f"{REALM}/query", None, "by the parameter query"),
        ("quickbooks", "DELETE", f"{REALM}/customer/1", None, "no such operation"),
        ("xero", "PUT", f"{BASE}/Invoices", {"Invoices": [{"Type": "x"}]}, "is not one of"),
        ("xero", "PUT", f"{BASE}/Invoices", {"Invoices": [{"Tpye": "ACCREC"}]}, "Tpye"),
        ("xero", "PUT", f"{BASE}/Payments", {"Payments": [{"Amount": "1"}]}, "Amount"),
        ("xero", "GET", f"{BASE}/Contacts?search=x", None, "search"),
        ("xero", "DELETE", f"{BASE}/Contacts", None, "no such operation"),
    ],
)
def test_what_breaks_a_contract_is_refused(vendor: str, method: str, path: str, body: Any, reason: str) -> None:
    headers = QUICKBOOKS if vendor == "quickbooks" else XERO
    with pytest.raises(AssertionError, match=reason):
        validate_request(vendor, method, f"https://x.example{path}", headers, body)


def test_xero_wants_its_tenant() -> None:
    with pytest.raises(AssertionError, match="xero-tenant-id"):
        validate_request("xero", "GET", f"https://x.example{BASE}/Contacts", {"Authorization": "Bearer x"})


@pytest.mark.parametrize(
    "answer", [{"Invoice": {"Id": 7}}, {"Fault": {"Error": []}}, {"Fault": {"Error": [{"code": 7}]}}]
)
def test_an_answer_that_breaks_quickbooks_contract_is_refused(answer: Any) -> None:
    with pytest.raises(AssertionError):
        validate_response(
            "quickbooks",
            "GET",
            f"https://x.example{REALM}/invoice/1",
            200,
            {"Content-Type": "application/json"},
            answer,
        )


# ------------------------------------------------------------------------------------- Xero's documented answers


def examples() -> list[Any]:
    """Every example of an answer of the operations that the connector makes."""
    spec = json.loads((specs_folder() / "xero.json").read_bytes())
    found = []
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            for status, answer in operation.get("responses", {}).items() if isinstance(operation, dict) else ():
                content = answer.get("content", {}).get("application/json", {})
                if "example" in content and path.startswith(("/Contacts", "/Invoices", "/Payments")):
                    found.append((path, method, int(status), content["example"]))
    return found


def test_every_documented_answer_of_xero_is_read() -> None:
    read = {"Contacts": 0, "Invoices": 0, "Payments": 0, "errors": 0}
    for path, method, status, example in examples():
        body = json.dumps(example).encode()
        error = classify_xero(Response(status, {"content-type": "application/json"}, body, example))
        if status >= 400:
            assert isinstance(error, PermanentError), (path, method)
            assert error.args[0].startswith(f"Xero {status}: The contact name Buzz Lightyear is already assigned")
            read["errors"] += 1
            continue
        assert error is None, (path, method)
        for invoice in example.get("Invoices", ()):
            if "Total" in invoice and refusal_in(invoice, status) is None:
                assert state_of(invoice).status in {"draft", "open", "paid", "void"}
                assert not any(is_payment(each, "no such reference") for each in invoice.get("Payments", ()))
                read["Invoices"] += 1
        for contact in example.get("Contacts", ()):
            assert changes_to(contact, SARAH)["EmailAddress"] == "sarah@example.com"
            read["Contacts"] += 1
        for payment in example.get("Payments", ()):
            refusal_in(payment, status)
            read["Payments"] += 1
    assert min(read.values()) > 0, read
    assert names_for(SARAH)[0] == "Sarah Johnson"


def test_a_payment_that_xero_refuses_with_200_in_its_own_example_is_refused() -> None:
    (example,) = [each for path, method, _, each in examples() if (path, method) == ("/Payments", "put")]
    refusal = refusal_in(example["Payments"][0], 200)
    assert refusal is not None
    assert refusal.said == ("Payment amount exceeds the amount outstanding on this document",)


def test_every_fault_that_the_xsd_allows_is_read() -> None:
    schema = json.loads((specs_folder() / "quickbooks_schema.json").read_bytes())["$defs"]
    keys = [*schema["Error"]["properties"]]
    for kept in range(len(keys) + 1):
        error = dict.fromkeys(keys[:kept], "x")
        answer = {"Fault": {"Error": [error], "type": "ValidationFault"}, "time": "2026-11-27T10:00:00Z"}
        refusal = None
        with suppress(KeyError):
            refusal = classify_quickbooks(Response(400, {}, b"", answer))
        assert isinstance(refusal, PermanentError)
