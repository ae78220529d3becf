from __future__ import annotations

from typing import Any

import pytest

from mainstay.sandbox import Sandbox, SandboxError
from mainstay.sandbox.vendors.xero_account import TENANT
from tests.sandbox.wire import Answer, call

HEADERS = {"Authorization": "Bearer t-1", "xero-tenant-id": TENANT}
LINE = {"Description": "x", "Quantity": 1, "UnitAmount": 120.5, "AccountCode": "200"}
OTHER = "aef86862-2015-4b6b-88bc-d89032cecc50"


def ask(sandbox: Sandbox, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    return call(method, f"{sandbox.url('xero')}/api.xro/2.0{path}", body, HEADERS | headers)


def put(sandbox: Sandbox, kind: str, record: Any, **headers: str) -> Answer:
    return ask(sandbox, "PUT", f"/{kind}", {kind: [record]}, **headers)


@pytest.fixture
def contact(sandbox: Sandbox) -> str:
    made = put(sandbox, "Contacts", {"Name": "Sarah Johnson", "ContactNumber": "c-1"})
    return str(made.json()["Contacts"][0]["ContactID"])


def invoice(contact: str, **values: Any) -> dict[str, Any]:
    given = {"Type": "ACCREC", "Status": "AUTHORISED", "DueDate": "2026-12-24", "LineItems": [LINE]}
    return given | {"Contact": {"ContactID": contact}} | values


def test_a_key_makes_a_create_repeatable_and_means_one_body(sandbox: Sandbox) -> None:
    key = {"Idempotency-Key": "k-1"}
    answers = [put(sandbox, "Contacts", {"Name": "A"}, **key) for _ in range(2)]
    assert answers[0].body == answers[1].body
    assert "used for another request" in put(sandbox, "Contacts", {"Name": "B"}, **key).body.decode()
    assert "longer than 128" in put(sandbox, "Contacts", {"Name": "B"}, **{"Idempotency-Key": "k" * 129}).body.decode()
    assert [effect["kind"] for effect in sandbox.effects("xero")] == ["contact.created"]


@pytest.mark.parametrize(
    ("kind", "record", "reason"),
    [
        ("Contacts", {"Name": "sarah johnson"}, "unique across all active contacts"),
        ("Contacts", {"Name": "x", "ContactNumber": "c-1"}, "contact number c-1 is already"),
        ("Contacts", {}, "name must be specified"),
        ("Contacts", {"Name": "x" * 256}, "at most 255"),
        ("Contacts", {"Name": "x", "EmailAddress": "jürgen@example.com"}, "Email address must be valid"),
        ("Invoices", {"Type": "ACCREC"}, "Contact must contain"),
        ("Payments", {"Amount": 1}, "could not be found"),
    ],
)
def test_what_is_refused_says_why(sandbox: Sandbox, contact: str, kind: str, record: Any, reason: str) -> None:
    answer = put(sandbox, kind, record)
    assert (answer.status, answer.json()["Type"]) == (400, "ValidationException")
    assert reason in answer.json()["Elements"][0]["ValidationErrors"][0]["Message"]
    sandbox.configure("xero", errors_as_200=True)
    answer = put(sandbox, kind, record)
    assert (answer.status, answer.json()[kind][0]["HasValidationErrors"]) == (200, True)
    assert len(sandbox.state("xero")["contacts"]) == len([contact])


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"CurrencyCode": "EUR"}, "not subscribed"),
        ({"DueDate": None}, "Due Date"),
        ({"LineItems": []}, "line items"),
        ({"LineItems": [LINE | {"Description": ""}]}, "Description"),
        ({"LineItems": [LINE | {"AccountCode": "999"}]}, "999"),
        ({"LineItems": [LINE | {"ItemCode": "NONE"}]}, "Item code"),
        ({"LineItems": [LINE | {"TaxType": "X"}]}, "TaxType"),
        ({"LineItems": [LINE | {"UnitAmount": "1"}]}, "not a number"),
        ({"LineItems": [LINE | {"UnitAmount": -1}]}, "negative"),
        ({"DueDate": "soon"}, "not a date"),
    ],
)
def test_an_invoice_that_is_refused(sandbox: Sandbox, contact: str, values: dict[str, Any], reason: str) -> None:
    answer = put(sandbox, "Invoices", invoice(contact, **values))
    assert answer.status == 400
    assert reason in answer.body.decode()
    assert sandbox.state("xero")["invoices"] == []


def test_a_payment_pays_and_what_is_paid_is_not_voided(sandbox: Sandbox, contact: str) -> None:
    made = put(sandbox, "Invoices", invoice(contact)).json()["Invoices"][0]
    paid = {"Invoice": {"InvoiceID": made["InvoiceID"]}, "Account": {"Code": "090"}, "Amount": 20.5, "Reference": "a"}
    assert put(sandbox, "Payments", paid).status == 200
    held = ask(sandbox, "GET", f"/Invoices/{made['InvoiceID']}").json()["Invoices"][0]
    assert (held["AmountDue"], held["AmountPaid"], held["Status"]) == (100, 20.5, "AUTHORISED")
    assert [each["Reference"] for each in held["Payments"]] == ["a"]
    assert "Payments" not in ask(sandbox, "GET", "/Invoices").json()["Invoices"][0]
    change = {"Invoices": [{"Status": "VOIDED"}]}
    assert ask(sandbox, "POST", f"/Invoices/{made['InvoiceID']}", change).status == 400
    assert put(sandbox, "Payments", paid | {"Amount": 100}).status == 200
    assert ask(sandbox, "GET", f"/Invoices/{made['InvoiceID']}").json()["Invoices"][0]["Status"] == "PAID"


def test_lists_have_pages_and_a_search(sandbox: Sandbox) -> None:
    sandbox.seed(
        "xero", "contacts", [{"Name": f"N {number}", "EmailAddress": f"n{number}@x.co"} for number in range(3)]
    )
    sandbox.seed("xero", "contacts", [{"Name": "Gone", "ContactStatus": "ARCHIVED"}])

    def names(query: str) -> list[str]:
        return [each["Name"] for each in ask(sandbox, "GET", f"/Contacts?{query}").json()["Contacts"]]

    assert names("") == ["N 0", "N 1", "N 2"]
    assert names("includeArchived=true&searchTerm=GONE") == ["Gone"]
    assert names("page=2&pageSize=2") == ["N 2"]
    assert names("searchTerm=N1@X.co") == ["N 1"]


def test_the_organisation_must_be_one_that_let_the_app_in(sandbox: Sandbox) -> None:
    assert ask(sandbox, "GET", "/Contacts", **{"xero-tenant-id": OTHER}).status == 403
    assert ask(sandbox, "GET", "/Contacts", Authorization="").status == 401
    sandbox.configure("xero", rate_limit=True, rate_problem="minute")
    answers = [ask(sandbox, "GET", "/Organisation") for _ in range(62)]
    assert answers[-1].status == 429
    assert answers[-1].headers["X-Rate-Limit-Problem"] == "minute"
    assert float(answers[-1].headers["Retry-After"]) <= 60
    with pytest.raises(SandboxError, match="seeded with"):
        sandbox.seed("xero", "bills", [{}])
