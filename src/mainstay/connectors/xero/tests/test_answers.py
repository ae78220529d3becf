from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from mainstay.connectors.xero.api import http_settings
from mainstay.errors import VendorError
from mainstay.kit import Contact, PermanentError, TransientError
from mainstay.sandbox import SandboxProcess
from tests.connectors.accounting import SARAH, invoice, one_line, payment
from tests.connectors.xero_accounting import CONTACT, CONTACT_ID, INVOICE, INVOICE_ID, TOKEN, ask, settings
from tests.kit.recorder import Recorder


def refused(*reasons: str) -> dict[str, Any]:
    elements = [{"ValidationErrors": [{"Message": reason}]} for reason in reasons]
    return {
        "ErrorNumber": 10,
        "Type": "ValidationException",
        "Message": "A validation exception occurred",
        "Elements": elements,
    }


UNAUTHORISED: dict[str, Any] = {
    "Type": None,
    "Title": "Unauthorized",
    "Status": 401,
    "Detail": "TokenExpired",
    "Extensions": {},
}


@pytest.mark.parametrize(
    ("status", "body", "fate", "says"),
    [
        (400, refused("Email address must be valid.", "Another"), "permanent", "Email address must be valid.; Another"),
        (400, {"Message": "A validation exception occurred", "Elements": []}, "permanent", "A validation exception"),
        (400, {"Elements": "x", "Message": 7}, "permanent", "Xero 400"),
        (
            400,
            {"Elements": [7, {"ValidationErrors": 7}, {"ValidationErrors": [7, {"Message": 7}]}]},
            "permanent",
            "400",
        ),
        (401, UNAUTHORISED, "human", "TokenExpired; the token is not valid"),
        (403, UNAUTHORISED | {"Detail": "AuthenticationUnsuccessful"}, "human", "compare tenant_id"),
        (412, {"Message": "Precondition"}, "permanent", "Precondition"),
        (500, {"Message": "An error occurred"}, "transient", "An error occurred"),
        (503, {"Title": "x", "Detail": "The Organisation is offline"}, "transient", "The Organisation is offline"),
        (503, "<html>away</html>", "transient", "503"),
        (302, "", "permanent", "302"),
    ],
)
async def test_errors(vendor: Recorder, status: int, body: Any, fate: str, says: str) -> None:
    vendor.answer(body, status=status)
    with pytest.raises(VendorError) as caught:
        await ask(vendor.url, "push_customer", SARAH, "")
    assert (caught.value.fate, caught.value.status) == (fate, status)
    if status != 503 or isinstance(body, str):
        assert says in str(caught.value)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"X-Rate-Limit-Problem": "minute", "Retry-After": "17"}, 17.0),
        ({"X-Rate-Limit-Problem": "minute"}, 60.0),
        ({"X-Rate-Limit-Problem": "day", "Retry-After": "40000"}, 40_000.0),
        ({"X-Rate-Limit-Problem": "Day"}, 3600.0),
        ({"X-Rate-Limit-Problem": "concurrent"}, 2.0),
        ({"X-Rate-Limit-Problem": "appminute"}, 60.0),
        ({"X-Rate-Limit-Problem": "new"}, 60.0),
        ({}, 60.0),
    ],
)
async def test_rate_limits(vendor: Recorder, headers: dict[str, str], wait: float) -> None:
    vendor.answer("", status=429, headers=headers)
    with pytest.raises(TransientError) as caught:
        await ask(vendor.url, "push_customer", SARAH, "")
    assert (caught.value.retry_after, caught.value.unsure) == (wait, False)


@pytest.mark.parametrize(
    "wrong",
    [
        {"HasValidationErrors": True, "ValidationErrors": [{"Message": "Payment amount exceeds"}]},
        {"ValidationErrors": [{"Message": "Payment amount exceeds"}]},
        {"StatusAttributeString": "ERROR"},
        {"HasValidationErrors": True, "ValidationErrors": []},
    ],
)
async def test_what_is_refused_within_a_success_is_refused(vendor: Recorder, wrong: dict[str, Any]) -> None:
    vendor.answer({"Invoices": [INVOICE]})
    vendor.answer({"Payments": [{"PaymentID": CONTACT_ID, **wrong}]})
    with pytest.raises(PermanentError, match="Payment amount exceeds|without a reason"):
        await ask(vendor.url, "add_payment", INVOICE_ID, payment(amount="1", currency="NZD"))


async def test_errors_come_either_way(books: SandboxProcess) -> None:
    url = books.sandbox.url("xero")
    await books.aio.configure("xero", errors_as_200=True)
    first = await ask(url, "push_customer", SARAH, "")
    other = Contact(UUID(int=3), UUID(int=2), "s@example.net", "", "Sarah", "Johnson")
    second = await ask(url, "push_customer", other, "")
    assert first.external_id != second.external_id
    names = [each["Name"] for each in (await books.aio.state("xero"))["contacts"]]
    assert names == ["Sarah Johnson", "Sarah Johnson (s@example.net)"]
    with pytest.raises(PermanentError, match="TaxType code 'X'"):
        await ask(url, "create_invoice", first.external_id, invoice(lines=one_line(tax="X")))


async def test_the_token_is_never_kept(vendor: Recorder) -> None:
    vendor.answer({"Message": f"bad {TOKEN}"}, status=401)
    with pytest.raises(VendorError) as caught:
        await ask(vendor.url, "fetch_invoice", INVOICE_ID)
    kept = str(caught.value) + "".join(caught.value.__notes__) + repr(settings()) + repr(http_settings(settings()))
    assert TOKEN not in kept


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "text",
        {},
        {"Invoices": None},
        {"Invoices": {}},
        {"Invoices": [None]},
        {"Invoices": [{}]},
        {"Invoices": [{"InvoiceID": "../x"}]},
        {"Invoices": [INVOICE | {"Total": None}]},
        {"Invoices": [INVOICE | {"Total": True}]},
        {"Invoices": [INVOICE | {"AmountPaid": []}]},
        {"Invoices": [INVOICE | {"Status": "NEW"}]},
        {"Invoices": [INVOICE | {"Status": ["PAID"]}]},
    ],
)
@pytest.mark.parametrize("operation", ["fetch_invoice", "void_invoice", "add_payment"])
async def test_an_answer_of_wrong_types_is_a_clear_error(vendor: Recorder, body: Any, operation: str) -> None:
    vendor.answer(json.dumps(body))
    vendor.answer({})
    with pytest.raises(TransientError, match="answer"):
        await ask(vendor.url, operation, INVOICE_ID, *([payment()] if operation == "add_payment" else []))


KEYS = [
    *CONTACT,
    *INVOICE,
    "Contact",
    "Phones",
    "PhoneType",
    "PhoneNumber",
    "Payments",
    "EmailAddress",
    "MergedToContactID",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=10)
    | st.sampled_from(["PAID", "ACCREC", CONTACT_ID, "DEFAULT", "JOB-1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


@profile(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(KEYS), JSON, max_size=8))
async def test_whatever_a_record_holds_there_is_no_error_of_ours(vendor: Recorder, record: Mapping[str, Any]) -> None:
    whole = {**INVOICE, **CONTACT, "PaymentID": CONTACT_ID, **record, "ContactID": CONTACT_ID, "InvoiceID": INVOICE_ID}
    body = {kind: [whole] for kind in ("Contacts", "Invoices", "Payments", "OnlineInvoices")}

    async def always(_request: web.Request) -> web.StreamResponse:
        return web.json_response(body)

    for _ in range(80):
        vendor.handle(always)
    for operation, arguments in (
        ("push_customer", (SARAH, "")),
        ("push_customer", (SARAH, CONTACT_ID)),
        ("fetch_invoice", (INVOICE_ID,)),
        ("create_invoice", (CONTACT_ID, invoice())),
        ("void_invoice", (INVOICE_ID,)),
        ("add_payment", (INVOICE_ID, payment(currency="NZD", amount="1"))),
    ):
        with suppress(VendorError):
            await ask(vendor.url, operation, *arguments)
    vendor._answers.clear()
