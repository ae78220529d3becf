from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from mainstay.sandbox import Sandbox, SandboxError
from tests.sandbox.wire import Answer, call

COMPANY = "/v3/company/9341455600000000"
HEADERS = {"Authorization": "Bearer t-1"}
LINE: dict[str, Any] = {
    "DetailType": "SalesItemLineDetail",
    "Amount": 120.5,
    "SalesItemLineDetail": {"ItemRef": {"value": "1"}, "Qty": 1, "UnitPrice": 120.5},
}
INVOICE = {"CustomerRef": {"value": "1"}, "Line": [LINE]}


def ask(sandbox: Sandbox, method: str, path: str, body: Any = None, **params: str) -> Answer:
    query = f"?{urlencode(params)}" if params else ""
    return call(method, f"{sandbox.url('quickbooks')}{COMPANY}{path}{query}", body, HEADERS)


def code_of(answer: Answer) -> str:
    return str(answer.json()["Fault"]["Error"][0]["code"])


@pytest.fixture
def invoiced(sandbox: Sandbox) -> Sandbox:
    ask(sandbox, "POST", "/customer", {"DisplayName": "Sarah Johnson"})
    ask(sandbox, "POST", "/invoice", INVOICE)
    return sandbox


def test_a_request_with_the_same_id_is_answered_as_before(sandbox: Sandbox) -> None:
    answers = [ask(sandbox, "POST", "/customer", {"DisplayName": "A"}, requestid="r1") for _ in range(3)]
    assert {answer.body for answer in answers} == {answers[0].body}
    assert [effect["kind"] for effect in sandbox.effects("quickbooks")] == ["customer.created"]
    sandbox.configure("quickbooks", forgets_requests=True)
    assert code_of(ask(sandbox, "POST", "/customer", {"DisplayName": "A"}, requestid="r1")) == "6240"


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/customer", {"DisplayName": "sarah johnson"}, "6240"),
        ("/customer", {"DisplayName": "A Vendor"}, "6240"),
        ("/customer", {"DisplayName": "a:b"}, "2040"),
        ("/customer", {}, "6000"),
        ("/customer", {"DisplayName": "x" * 501}, "2050"),
        ("/customer", {"DisplayName": "x", "PrimaryEmailAddr": {"Address": "x"}}, "2210"),
        ("/customer", {"Id": "1", "SyncToken": "7", "sparse": True}, "5010"),
        ("/customer", {"Id": "99", "SyncToken": "0"}, "610"),
        ("/customer", [], "2010"),
        ("/invoice", INVOICE | {"CustomerRef": {"value": "9"}}, "2500"),
        ("/invoice", INVOICE | {"Line": []}, "2020"),
        ("/invoice", INVOICE | {"Line": [LINE | {"Amount": 120.51}]}, "6070"),
        ("/invoice", INVOICE | {"Line": [LINE | {"Amount": "120.5"}]}, "2010"),
        ("/invoice", INVOICE | {"CurrencyRef": {"value": "EUR"}}, "6000"),
        ("/invoice", INVOICE | {"DocNumber": "1001"}, "6140"),
        ("/payment", {"CustomerRef": {"value": "1"}, "TotalAmt": 0}, "6000"),
        ("/payment", {"CustomerRef": {"value": "1"}, "TotalAmt": 500, "Line": [
            {"Amount": 500, "LinkedTxn": [{"TxnId": "1", "TxnType": "Invoice"}]}]}, "6000"),
        ("/vendor", {}, "2020"),
    ],
)  # fmt: skip
def test_what_is_refused_has_quickbooks_code(invoiced: Sandbox, path: str, body: Any, code: str) -> None:
    invoiced.configure("quickbooks", other_names=["A Vendor"])
    before = invoiced.state("quickbooks")
    answer = ask(invoiced, "POST", path, body)
    assert (answer.status, code_of(answer)) == (400, code)
    assert invoiced.state("quickbooks") == before
    invoiced.configure("quickbooks", faults_as_200=True)
    assert ask(invoiced, "POST", path, body).status == 200


def test_a_payment_pays_and_a_void_takes_back(invoiced: Sandbox) -> None:
    line = {"Amount": 20.5, "LinkedTxn": [{"TxnId": "1", "TxnType": "Invoice"}]}
    ask(invoiced, "POST", "/payment", {"CustomerRef": {"value": "1"}, "TotalAmt": 20.5, "Line": [line]})
    invoice = ask(invoiced, "GET", "/invoice/1").json()["Invoice"]
    assert (invoice["TotalAmt"], invoice["Balance"], invoice["DocNumber"]) == (120.5, 100, "1001")
    voided = ask(invoiced, "POST", "/invoice", {"Id": "1", "SyncToken": invoice["SyncToken"]}, operation="void")
    invoice = voided.json()["Invoice"]
    assert (invoice["TotalAmt"], invoice["Balance"], invoice["PrivateNote"]) == (0, 0, "Voided - ")
    assert [effect["kind"] for effect in invoiced.effects("quickbooks")][1:] == [
        "invoice.created", "payment.created", "invoice.voided",
    ]  # fmt: skip


def test_a_change_that_is_not_sparse_clears_the_rest(sandbox: Sandbox) -> None:
    ask(sandbox, "POST", "/customer", {"DisplayName": "A", "Notes": "x"})
    ask(sandbox, "POST", "/customer", {"Id": "1", "SyncToken": "0", "sparse": True, "GivenName": "S"})
    assert ask(sandbox, "GET", "/customer/1").json()["Customer"]["Notes"] == "x"
    ask(sandbox, "POST", "/customer", {"Id": "1", "SyncToken": "1", "DisplayName": "A"})
    assert "Notes" not in ask(sandbox, "GET", "/customer/1").json()["Customer"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("select * from Customer", ["A", "O'B\\C"]),
        ("select * from Customer where DisplayName = 'a'", ["A"]),
        (r"select * from Customer where DisplayName = 'O\'B\\C'", ["O'B\\C"]),
        ("select * from Customer where DisplayName IN ('a', 'x') and Id = '1'", ["A"]),
        ("select * from Customer where Active = false", ["Gone"]),
        ("select * from Customer startposition 2 maxresults 1", ["O'B\\C"]),
    ],
)
def test_queries(sandbox: Sandbox, query: str, names: list[str]) -> None:
    sandbox.seed("quickbooks", "customers", [{"DisplayName": "A"}, {"DisplayName": "Gone", "Active": False}])
    sandbox.seed("quickbooks", "customers", [{"DisplayName": "O'B\\C"}])
    found = ask(sandbox, "GET", "/query", query=query).json()["QueryResponse"]
    assert [each["DisplayName"] for each in found.get("Customer", ())] == names


@pytest.mark.parametrize(
    "query",
    ["", "select Id from Customer", "select * from Dog", "select * from Customer where Notes = 'x'",
     "select * from Customer where DisplayName = 'x", "select * from Customer where DisplayName = 'x' and",
     "select * from Customer where DisplayName = 'O'Brien'", "select * from Customer maxresults 1001"],
)  # fmt: skip
def test_a_query_that_is_none_is_refused(sandbox: Sandbox, query: str) -> None:
    assert code_of(ask(sandbox, "GET", "/query", query=query)) == "4000"


def test_the_gateway_refuses_in_its_own_form(sandbox: Sandbox) -> None:
    sandbox.configure("quickbooks", tokens=["t-2"], realm_id="1")
    answer = ask(sandbox, "GET", "/customer/1")
    assert (answer.status, answer.json()["fault"]["type"]) == (401, "AUTHENTICATION")
    sandbox.configure("quickbooks", tokens=["t-1"])
    assert ask(sandbox, "GET", "/customer/1").status == 403
    sandbox.configure("quickbooks", realm_id="", rate_limit=True, calls_a_minute=1)
    assert [ask(sandbox, "GET", "/query", query="select * from Item").status for _ in range(2)] == [200, 429]
    with pytest.raises(SandboxError, match="seeded with"):
        sandbox.seed("quickbooks", "vendors", [{}])
    with pytest.raises(SandboxError, match="A name is required"):
        sandbox.seed("quickbooks", "customers", [{}])
