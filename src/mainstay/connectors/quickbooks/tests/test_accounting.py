from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from mainstay.connectors.quickbooks import CONNECTOR, api
from mainstay.connectors.quickbooks.accounting import check, make_accounting, record_url
from mainstay.connectors.quickbooks.api import Api, http_settings, quoted, request_id
from mainstay.connectors.quickbooks.invoices import reference_in
from mainstay.connectors.quickbooks.settings import QuickBooksConnection
from mainstay.errors import VendorError
from mainstay.kit import Contact, Http, Invoice, InvoiceLine, NeedsHumanError, Payment, PermanentError, TransientError
from mainstay.kit.http import open_session
from mainstay.sandbox import SandboxProcess
from tests.contracts.vendor_specs import validate_recorded
from tests.kit.recorder import Recorder

REALM, TOKEN = "9341455600000000", "sample-access-token"
CUSTOMER = {"Id": "58", "SyncToken": "0", "DisplayName": "Sarah Johnson", "Active": True}
INVOICE = {
    "Id": "130",
    "SyncToken": "0",
    "DocNumber": "1038",
    "TotalAmt": 362.07,
    "Balance": 362.07,
    "CurrencyRef": {"value": "USD"},
    "CustomerRef": {"value": "58"},
    "PrivateNote": "Reference: JOB-1",
}
NONE: dict[str, Any] = {"QueryResponse": {}}
SARAH = Contact(
    UUID(int=1), UUID(int=2), "sarah@example.com", "+13125550147", "Sarah", "Johnson", company="Acme & Söhne"
)


def settings(**keys: Any) -> QuickBooksConnection:
    filled = {"connector": "quickbooks", "access_token": TOKEN, "realm_id": REALM, "item": "1", **keys}
    return QuickBooksConnection.model_validate({key: value for key, value in filled.items() if value is not None})


def invoice(reference: str = "JOB-1", currency: str = "USD", **values: Any) -> Invoice:
    given: dict[str, Any] = {"lines": (InvoiceLine("Boiler service", Decimal("120.50")),)}
    return Invoice(reference, currency, **(given | values))


def payment(reference: str = "pi_1", amount: str = "120.50", currency: str = "USD") -> Payment:
    return Payment(reference, Decimal(amount), currency, date(2026, 3, 2), "card")


async def ask(base_url: str, operation: str, *arguments: Any, key: str = "run/1", **keys: Any) -> Any:
    connection = settings(base_url=base_url, **keys)
    async with open_session() as session:
        http = Http(session, http_settings(connection), idempotency_key=key)
        try:
            if operation == "check":
                return await check(connection, http)
            return await getattr(make_accounting(connection, http), operation)(*arguments)
        except VendorError as error:
            error.add_note(json.dumps(http.exchanges))
            raise


# ----------------------------------------------------------------------------------------------------- requests


async def test_a_new_customer_as_it_is_sent(vendor: Recorder) -> None:
    vendor.answer(NONE)
    vendor.answer({"Customer": CUSTOMER})
    await ask(vendor.url, "push_customer", SARAH, "")

    looked, made = vendor.requests
    assert looked.path == made.path.replace("/customer", "/query") == f"/v3/company/{REALM}/query"
    assert "where+PrimaryEmailAddr+%3D+'sarah@example.com'+startposition+1+maxresults+1000" in looked.url
    assert made.headers["authorization"] == f"Bearer {TOKEN}"
    assert made.json == {
        "DisplayName": "Sarah Johnson",
        "GivenName": "Sarah",
        "FamilyName": "Johnson",
        "CompanyName": "Acme & Söhne",
        "PrimaryEmailAddr": {"Address": "sarah@example.com"},
        "PrimaryPhone": {"FreeFormNumber": "+13125550147"},
    }
    assert f"requestid={request_id(str(SARAH.id), made.json)}" in made.url
    assert all("minorversion=75" in each.url for each in vendor.requests)


async def test_a_new_invoice_as_it_is_sent(vendor: Recorder) -> None:
    vendor.answer({"Customer": CUSTOMER | {"PrimaryEmailAddr": {"Address": "sarah@example.com"}}})
    vendor.answer(NONE)
    vendor.answer({"Invoice": INVOICE | {"InvoiceLink": "https://connect.intuit.com/t/1"}})
    line = InvoiceLine("Hour", Decimal("80.33"), Decimal("2.5") * 2, item="7", tax="TAX")
    ordered = invoice(lines=(line,), due=date(2026, 3, 16), memo="Thank you")
    made = await ask(vendor.url, "create_invoice", "58", ordered)

    assert (made.id, made.url) == ("130", "https://connect.intuit.com/t/1")
    assert vendor.requests[-1].json == {
        "CustomerRef": {"value": "58"},
        "CurrencyRef": {"value": "USD"},
        "Line": [
            {
                "DetailType": "SalesItemLineDetail",
                "Amount": 401.65,
                "Description": "Hour",
                "SalesItemLineDetail": {
                    "ItemRef": {"value": "7"},
                    "Qty": 5,
                    "UnitPrice": 80.33,
                    "TaxCodeRef": {"value": "TAX"},
                },
            }
        ],
        "PrivateNote": "Reference: JOB-1",
        "BillEmail": {"Address": "sarah@example.com"},
        "CustomerMemo": {"value": "Thank you"},
        "DueDate": "2026-03-16",
    }


def test_a_request_means_the_same_whenever_it_is_sent() -> None:
    assert request_id("JOB-1", {"a": 1, "b": 2}) == request_id("JOB-1", {"b": 2, "a": 1})
    assert request_id("JOB-1", {"a": 1}) != request_id("JOB-2", {"a": 1}) != request_id("JOB-2", {"a": 2})
    assert UUID(request_id("x")).version == 4


@pytest.mark.parametrize(
    ("text", "written"),
    [("O'Brien", r"'O\'Brien'"), ("a\\b", r"'a\\b'"), ("\\'", r"'\\\''"), ("李", "'李'"), ("x' or Id > '0", r"'x\' or Id > \'0'")],
)
def test_a_text_in_a_query(text: str, written: str) -> None:
    assert quoted(text) == written


# ------------------------------------------------------------------------------------------------------- errors


def fault(code: str, text: str = "why", kind: str = "ValidationFault") -> dict[str, Any]:
    return {"Fault": {"Error": [{"Message": text, "Detail": "more of it", "code": code}], "type": kind}, "time": "x"}


@pytest.mark.parametrize("status", [None, 200])
@pytest.mark.parametrize(
    ("usual", "code", "fate"),
    [
        (400, "2010", "permanent"),
        (400, "2500", "permanent"),
        (400, "4000", "permanent"),
        (400, "5010", "permanent"),
        (400, "5020", "human"),
        (400, "6000", "permanent"),
        (400, "6140", "permanent"),
        (400, "6190", "human"),
        (400, "6210", "human"),
        (400, "99999", "permanent"),
        (401, "3200", "human"),
        (401, "003200", "human"),
        (403, "3100", "human"),
        (403, "120", "human"),
        (429, "003001", "transient"),
        (500, "10000", "transient"),
    ],
)
async def test_error_codes(vendor: Recorder, usual: int, code: str, fate: str, status: int | None) -> None:
    vendor.answer(fault(code), status=status or usual)
    with pytest.raises(VendorError, match="why; more of it") as caught:
        await ask(vendor.url, "fetch_invoice", "130")
    assert caught.value.fate == fate


@pytest.mark.parametrize(
    ("status", "body", "fate", "wait"),
    [
        (429, fault("3001", "ThrottleExceeded", "THROTTLE"), "transient", 60.0),
        (400, fault("", "message=ThrottleExceeded; errorCode=003001; statusCode=429"), "transient", 60.0),
        (429, "", "transient", 60.0),
        (401, {"fault": {"error": [{"message": "m", "detail": "d", "code": "3200"}], "type": "AUTHENTICATION"}}, "human", None),
        (401, {"fault": {"error": [{"message": "m", "code": "1"}], "type": "AUTHENTICATION"}}, "human", None),
        (403, {"Fault": {"Error": []}}, "human", None),
        (400, {"Fault": {"Error": [], "type": "SystemFault"}}, "transient", None),
        (400, {"Fault": {"Error": "x", "type": 3}}, "permanent", None),
        (400, {"Fault": {"Error": [7, None]}}, "permanent", None),
        (400, {"Fault": "x"}, "permanent", None),
        (503, "<html>away</html>", "transient", None),
        (302, "", "permanent", None),
    ],
)
async def test_errors_of_other_forms(vendor: Recorder, status: int, body: Any, fate: str, wait: float | None) -> None:
    vendor.answer(body, status=status)
    with pytest.raises(VendorError) as caught:
        await ask(vendor.url, "fetch_invoice", "130")
    assert (caught.value.fate, caught.value.retry_after) == (fate, wait)


async def test_a_wait_that_intuit_names_goes_before_ours(vendor: Recorder) -> None:
    vendor.answer(fault("3001"), status=429, headers={"Retry-After": "7"})
    with pytest.raises(TransientError) as caught:
        await ask(vendor.url, "fetch_invoice", "130")
    assert caught.value.retry_after == 7


async def test_the_token_is_never_kept(vendor: Recorder) -> None:
    vendor.answer(fault("3200", f"bad {TOKEN}"), status=401)
    with pytest.raises(VendorError) as caught:
        await ask(vendor.url, "fetch_invoice", "130")
    kept = str(caught.value) + "".join(caught.value.__notes__) + repr(settings()) + repr(http_settings(settings()))
    assert TOKEN not in kept


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "text",
        {},
        {"Invoice": None},
        {"Invoice": []},
        {"Invoice": {}},
        {"Invoice": {"Id": 130}},
        {"Invoice": {"Id": "../x"}},
        {"Invoice": {"Id": "130"}},
        {"Invoice": INVOICE | {"TotalAmt": None}},
        {"Invoice": INVOICE | {"TotalAmt": True}},
        {"Invoice": INVOICE | {"Balance": "NaN"}},
        {"Invoice": INVOICE | {"Balance": {}}},
        {"Invoice": INVOICE | {"TotalAmt": 1e300}},
    ],
)
@pytest.mark.parametrize("operation", ["fetch_invoice", "void_invoice", "add_payment"])
async def test_an_answer_of_wrong_types_is_a_clear_error(vendor: Recorder, body: Any, operation: str) -> None:
    vendor.answer(json.dumps(body))
    with pytest.raises(TransientError, match="answer"):
        await ask(vendor.url, operation, "130", *([payment()] if operation == "add_payment" else []))


@pytest.mark.parametrize("found", [None, [], "x", {"Customer": {}}, {"Customer": [None]}, {"Customer": [{"Id": 5}]}])
async def test_a_query_of_wrong_types_is_a_clear_error(vendor: Recorder, found: Any) -> None:
    vendor.answer({"QueryResponse": found})
    with pytest.raises(TransientError, match="no list"):
        await ask(vendor.url, "push_customer", SARAH, "")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | st.sampled_from(["130", "0", "USD"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*INVOICE, *CUSTOMER, "value", "Address"]), inner, max_size=4),
    max_leaves=8,
)


@profile(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.fixed_dictionaries(dict.fromkeys([*INVOICE, *CUSTOMER, "PrimaryEmailAddr", "PrimaryPhone", "MetaData"], JSON)))
async def test_whatever_a_record_holds_there_is_no_error_of_ours(vendor: Recorder, record: Mapping[str, Any]) -> None:
    whole = {**record, "Id": "130"}
    body = {"Invoice": whole, "Customer": whole, "QueryResponse": {"Customer": [whole], "Invoice": [whole], "Payment": [whole]}}

    async def always(_request: web.Request) -> web.StreamResponse:
        return web.json_response(body, dumps=lambda value: json.dumps(value).replace("NaN", "null").replace("Infinity", "1"))

    for _ in range(60):
        vendor.handle(always)
    for operation, arguments in (
        ("push_customer", (SARAH, "")),
        ("push_customer", (SARAH, "130")),
        ("fetch_invoice", ("130",)),
        ("create_invoice", ("130", invoice())),
        ("void_invoice", ("130",)),
        ("add_payment", ("130", payment())),
    ):
        with suppress(VendorError):
            await ask(vendor.url, operation, *arguments)
    vendor._answers.clear()


# ---------------------------------------------------------------------------------------------------- customers


async def test_a_name_that_others_have_is_marked(books: SandboxProcess) -> None:
    url = books.sandbox.url("quickbooks")
    await books.aio.configure("quickbooks", other_names=["Sarah Johnson", "Sarah Johnson (sarah@example.com)"])
    made = await ask(url, "push_customer", SARAH, "")
    again = await ask(url, "push_customer", SARAH, "")

    (customer,) = (await books.aio.state("quickbooks"))["customers"]
    assert customer["DisplayName"] == "Sarah Johnson (000000000001)"
    assert (made.created, again.created, again.external_id) == (True, False, made.external_id)
    for record in await books.aio.requests("quickbooks"):
        validate_recorded(record)


async def test_when_every_name_is_taken_it_says_so(books: SandboxProcess) -> None:
    marks = ("", " (sarah@example.com)", " (000000000001)")
    await books.aio.configure("quickbooks", other_names=[f"Sarah Johnson{mark}" for mark in marks])
    with pytest.raises(PermanentError, match="every name that could be the customer's is taken"):
        await ask(books.sandbox.url("quickbooks"), "push_customer", SARAH, "")


async def test_queries_that_tell_capitals_apart_make_no_second(books: SandboxProcess) -> None:
    await books.aio.configure("quickbooks", exact_case=True)
    await books.aio.seed(
        "quickbooks", "customers", [{"DisplayName": "Sarah Johnson", "PrimaryEmailAddr": {"Address": "Sarah@Example.com"}}]
    )
    pushed = await ask(books.sandbox.url("quickbooks"), "push_customer", SARAH, "")
    (customer,) = (await books.aio.state("quickbooks"))["customers"]
    assert (pushed.external_id, pushed.created) == (customer["Id"], False)


async def test_without_an_email_the_phone_tells_who_of_one_name_it_is(books: SandboxProcess) -> None:
    url = books.sandbox.url("quickbooks")
    phone = {"PrimaryPhone": {"FreeFormNumber": "+1 (312) 555-0147"}}
    await books.aio.seed("quickbooks", "customers", [{"DisplayName": "Sarah Johnson", **phone}])
    sarah = Contact(UUID(int=1), UUID(int=2), "", "+13125550147", "Sarah", "Johnson")
    other = Contact(UUID(int=3), UUID(int=2), "", "+13125550199", "Sarah", "Johnson")

    same, another = [await ask(url, "push_customer", each, "") for each in (sarah, other)]

    names = [each["DisplayName"] for each in (await books.aio.state("quickbooks"))["customers"]]
    assert names == ["Sarah Johnson", "Sarah Johnson (+13125550199)"]
    assert (same.created, another.created) == (False, True)


async def test_a_name_that_people_gave_is_left_alone(books: SandboxProcess) -> None:
    email = {"PrimaryEmailAddr": {"Address": "office@example.com, SARAH@example.com"}}
    named = {"DisplayName": "Johnson, Sarah (boiler)", "GivenName": "Sara", "FamilyName": "Johnson", "Notes": "Dog!"}
    await books.aio.seed("quickbooks", "customers", [{**named, **email}])
    await ask(books.sandbox.url("quickbooks"), "push_customer", SARAH, "1")

    (customer,) = (await books.aio.state("quickbooks"))["customers"]
    assert (customer["DisplayName"], customer["GivenName"], customer["Notes"]) == (
        "Johnson, Sarah (boiler)", "Sarah", "Dog!",
    )  # fmt: skip
    assert customer["PrimaryEmailAddr"] == email["PrimaryEmailAddr"]


async def test_a_name_of_first_and_last_name_follows_them_where_it_is_free(books: SandboxProcess) -> None:
    url = books.sandbox.url("quickbooks")
    await ask(url, "push_customer", SARAH, "")
    married = Contact(UUID(int=1), UUID(int=2), "sarah@example.com", "", "Sarah", "Smith")
    await ask(url, "push_customer", married, "1")
    await books.aio.configure("quickbooks", other_names=["Sarah Jones"])
    await ask(url, "push_customer", Contact(UUID(int=1), UUID(int=2), "sarah@example.com", "", "Sarah", "Jones"), "1")

    (customer,) = (await books.aio.state("quickbooks"))["customers"]
    assert (customer["DisplayName"], customer["FamilyName"]) == ("Sarah Smith", "Jones")


async def test_somebody_elses_change_is_read_again(books: SandboxProcess) -> None:
    url = books.sandbox.url("quickbooks")
    await ask(url, "push_customer", SARAH, "")
    await books.aio.configure("quickbooks", stale=2)
    await ask(url, "push_customer", Contact(UUID(int=1), UUID(int=2), "new@example.com", "", "Sarah", "Johnson"), "1")
    (customer,) = (await books.aio.state("quickbooks"))["customers"]
    assert customer["PrimaryEmailAddr"] == {"Address": "new@example.com"}

    await books.aio.configure("quickbooks", stale=9)
    with pytest.raises(TransientError, match="changed by others all the time"):
        await ask(url, "push_customer", SARAH, "1")


async def test_a_quotation_mark_in_a_name_is_no_query(books: SandboxProcess) -> None:
    url = books.sandbox.url("quickbooks")
    await books.aio.configure("quickbooks", other_names=["O'Brien' or Id > '0: Co"])
    contact = Contact(UUID(int=1), UUID(int=2), "o'brien@example.com", "", "", 'O\'Brien" or:Id')
    first = await ask(url, "push_customer", contact, "")
    assert (await ask(url, "push_customer", contact, "")).external_id == first.external_id
    (customer,) = (await books.aio.state("quickbooks"))["customers"]
    assert customer["DisplayName"] == "O'Brien or Id"


async def test_nobody_is_no_customer(vendor: Recorder) -> None:
    with pytest.raises(PermanentError, match="neither name, e-mail nor phone"):
        await ask(vendor.url, "push_customer", Contact(UUID(int=1), UUID(int=2)), "")
    assert vendor.requests == []


# ----------------------------------------------------------------------------------------- invoices and payments


async def customer(url: str) -> str:
    return str((await ask(url, "push_customer", SARAH, "")).external_id)


async def test_items_and_tax_codes_by_name(books: SandboxProcess) -> None:
    url = books.sandbox.url("quickbooks")
    lines = (
        InvoiceLine("Boiler", Decimal(1000), item="boiler", tax="20.0% S"),
        InvoiceLine("Advice", Decimal(10), item="Services", tax="3"),
    )
    made = await ask(url, "create_invoice", await customer(url), invoice(lines=lines), item=None)

    assert (await ask(url, "fetch_invoice", made.id)).total == "1210.00"
    (stored,) = (await books.aio.state("quickbooks"))["invoices"]
    assert [line["SalesItemLineDetail"]["ItemRef"]["value"] for line in stored["Line"][:2]] == ["3", "1"]
    assert stored["GlobalTaxCalculation"] == "TaxExcluded"
    for record in await books.aio.requests("quickbooks"):
        validate_recorded(record)
    for code in ({"item": "Roof"}, {"tax": "No such"}):
        with pytest.raises(PermanentError, match="QuickBooks has no .* named"):
            line = InvoiceLine("x", Decimal(1), **code)
            await ask(url, "create_invoice", "1", invoice("JOB-2", lines=(line,)))
    with pytest.raises(PermanentError, match="2500"):
        await ask(url, "create_invoice", "1", invoice("JOB-2", lines=(InvoiceLine("x", Decimal(1), item="99"),)))


async def test_a_line_needs_an_item(vendor: Recorder) -> None:
    with pytest.raises(NeedsHumanError, match="set item"):
        await ask(vendor.url, "create_invoice", "58", invoice(), item=None)
    assert vendor.requests == []


@pytest.mark.parametrize("currency", ["JPY", "jpy"])
async def test_yen_have_no_decimals(books: SandboxProcess, currency: str) -> None:
    url = books.sandbox.url("quickbooks")
    await books.aio.configure("quickbooks", home_currency="JPY")
    who = await customer(url)
    made = await ask(url, "create_invoice", who, invoice(currency=currency, lines=(InvoiceLine("x", Decimal(1200)),)))
    assert (await ask(url, "fetch_invoice", made.id)).total == "1200"
    with pytest.raises(PermanentError, match="0 decimals"):
        await ask(url, "create_invoice", who, invoice("2", currency, lines=(InvoiceLine("x", Decimal("0.5")),)))


async def test_another_currency_than_the_customers_is_refused_in_quickbooks_words(books: SandboxProcess) -> None:
    url = books.sandbox.url("quickbooks")
    with pytest.raises(PermanentError, match="The customer's currency is USD"):
        await ask(url, "create_invoice", await customer(url), invoice(currency="EUR"))


@pytest.mark.parametrize("drops", [False, True])
async def test_a_void_invoice_is_not_made_again(books: SandboxProcess, drops: bool) -> None:
    url = books.sandbox.url("quickbooks")
    await books.aio.configure("quickbooks", void_drops_note=drops)
    who = await customer(url)
    made = await ask(url, "create_invoice", who, invoice())
    await ask(url, "void_invoice", made.id)
    # Where QuickBooks drops the note, the request's id still tells.
    assert (await ask(url, "create_invoice", who, invoice())).id == made.id
    assert (await ask(url, "fetch_invoice", made.id)).status == "void"
    with pytest.raises(PermanentError, match="is void"):
        await ask(url, "add_payment", made.id, payment())


async def test_without_requests_ids_the_reference_alone_tells(books: SandboxProcess) -> None:
    url = books.sandbox.url("quickbooks")
    await books.aio.configure("quickbooks", forgets_requests=True)
    who = await customer(url)
    made = await ask(url, "create_invoice", who, invoice())
    paid = await ask(url, "add_payment", made.id, payment())
    assert (await ask(url, "create_invoice", who, invoice())).id == made.id
    assert await ask(url, "add_payment", made.id, payment()) == paid
    kinds = [effect["kind"] for effect in await books.aio.effects("quickbooks")]
    assert kinds == ["customer.created", "invoice.created", "payment.created"]


async def test_the_reference_as_number(books: SandboxProcess) -> None:
    url = books.sandbox.url("quickbooks")
    await books.aio.configure("quickbooks", custom_numbers=True, forgets_requests=True)
    who = await customer(url)
    made = await ask(url, "create_invoice", who, invoice(), reference_as_number=True)
    assert (await ask(url, "fetch_invoice", made.id)).number == "JOB-1"
    assert (await ask(url, "create_invoice", who, invoice(), reference_as_number=True)).id == made.id
    other = await ask(url, "push_customer", Contact(UUID(int=9), UUID(int=2), "o@example.com", "", "Omar"), "")
    with pytest.raises(PermanentError, match="that of an invoice to another customer"):
        await ask(url, "create_invoice", other.external_id, invoice(), reference_as_number=True)
    with pytest.raises(PermanentError, match="longer than an invoice's number"):
        await ask(url, "create_invoice", who, invoice("x" * 22), reference_as_number=True)


async def test_a_long_reference_is_found_again_too(books: SandboxProcess) -> None:
    url = books.sandbox.url("quickbooks")
    await books.aio.configure("quickbooks", forgets_requests=True)
    who, reference = await customer(url), "Überholung " * 15
    made = await ask(url, "create_invoice", who, invoice(reference))
    assert (await ask(url, "create_invoice", who, invoice(reference))).id == made.id
    first = await ask(url, "add_payment", made.id, payment(reference))
    assert await ask(url, "add_payment", made.id, payment(reference)) == first
    (booked,) = (await books.aio.state("quickbooks"))["payments"]
    assert "PaymentRefNum" not in booked


async def test_the_customers_own_link(books: SandboxProcess) -> None:
    url = books.sandbox.url("quickbooks")
    await books.aio.configure("quickbooks", online_payments=True)
    made = await ask(url, "create_invoice", await customer(url), invoice())
    assert made.url == (await ask(url, "fetch_invoice", made.id)).url == "https://connect.intuit.com/t/scs-v1-1"


@pytest.mark.parametrize(
    ("booked", "why"),
    [(payment(amount="120.51"), "more than invoice 1001 is open for"), (payment(currency="EUR"), "the payment is in EUR")],
)
async def test_a_payment_that_does_not_fit_is_for_people(books: SandboxProcess, booked: Payment, why: str) -> None:
    url = books.sandbox.url("quickbooks")
    made = await ask(url, "create_invoice", await customer(url), invoice())
    with pytest.raises(PermanentError, match=why):
        await ask(url, "add_payment", made.id, booked)
    assert (await books.aio.state("quickbooks"))["payments"] == []


async def test_a_payment_goes_to_the_account_that_is_set(books: SandboxProcess) -> None:
    url = books.sandbox.url("quickbooks")
    made = await ask(url, "create_invoice", await customer(url), invoice())
    await ask(url, "add_payment", made.id, payment(), deposit_account="35")
    (booked,) = (await books.aio.state("quickbooks"))["payments"]
    assert booked["DepositToAccountRef"] == {"value": "35"}
    assert (booked["PaymentRefNum"], booked["PrivateNote"], booked["TxnDate"]) == (
        "pi_1", "card\nReference: pi_1", "2026-03-02",
    )  # fmt: skip


async def test_lists_are_read_to_their_end(books: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    url = books.sandbox.url("quickbooks")
    monkeypatch.setattr(api, "PAGE", 2)
    await books.aio.configure("quickbooks", forgets_requests=True)
    who = await customer(url)
    made = [await ask(url, "create_invoice", who, invoice(f"JOB-{number}")) for number in range(5)]
    assert (await ask(url, "create_invoice", who, invoice("JOB-4"))).id == made[-1].id
    monkeypatch.setattr(api, "MOST_PAGES", 2)
    with pytest.raises(PermanentError, match="more than 4 records"):
        await ask(url, "create_invoice", who, invoice("JOB-9"))


@pytest.mark.parametrize(
    ("note", "reference"),
    [
        ("Reference: JOB-1", "JOB-1"),
        ("Voided - Reference: JOB-1", "JOB-1"),
        ("paid by cheque\nReference: JOB-1\ncalled twice", "JOB-1"),
        ("Reference: JOB-11", "JOB-11"),
        ("", ""),
        ("no reference: here", ""),
    ],
)
def test_what_people_write_around_a_reference_does_no_harm(note: str, reference: str) -> None:
    assert reference_in({"PrivateNote": note}) == reference


# ------------------------------------------------------------------------------------------ settings and declaration


async def test_the_check_names_the_company(books: SandboxProcess) -> None:
    url = books.sandbox.url("quickbooks")
    assert await ask(url, "check") == f"Acme Plumbing (company {REALM}) at QuickBooks"
    await books.aio.configure("quickbooks", realm_id="1")
    with pytest.raises(NeedsHumanError, match="connect the company again"):
        await ask(url, "check")


def test_the_declaration_of_oauth() -> None:
    assert CONNECTOR.oauth is not None
    assert CONNECTOR.oauth(settings()) is None
    keys: dict[str, Any] = {"access_token": None, "realm_id": None, "client_id": "app", "client_secret": "s"}
    oauth = CONNECTOR.oauth(settings(**keys))
    assert oauth is not None
    assert (oauth.authorize_url, oauth.token_url) == (
        "https://appcenter.intuit.com/connect/oauth2",
        "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer",
    )
    assert (oauth.grant, oauth.client_auth, oauth.scopes) == (
        "authorization_code", "basic", ("com.intuit.quickbooks.accounting",),
    )  # fmt: skip
    facts = oauth.facts({"token_type": "bearer"}, {"realmId": REALM, "code": "x"})
    assert facts == {"realm_id": REALM}
    assert oauth.base_url(facts) == f"https://quickbooks.api.intuit.com/v3/company/{REALM}"
    assert oauth.facts({}, {"realmId": "../1"}) == {"realm_id": ""}
    of_sandbox = CONNECTOR.oauth(settings(**keys, sandbox=True))
    assert of_sandbox is not None
    assert of_sandbox.base_url(facts) == f"https://sandbox-quickbooks.api.intuit.com/v3/company/{REALM}"
    assert "Authorization" not in http_settings(settings(**keys)).headers
    assert "s" in http_settings(settings(**keys)).secrets


async def test_an_oauth_connection_reaches_the_company_it_was_connected_to(vendor: Recorder) -> None:
    keys: dict[str, Any] = {"access_token": None, "realm_id": None, "client_id": "app", "client_secret": "s"}
    connection = settings(**keys, base_url=vendor.url)
    assert CONNECTOR.oauth is not None
    oauth = CONNECTOR.oauth(connection)
    assert oauth is not None
    facts = {"realm_id": REALM}

    async def authorize(_refused: str) -> Any:
        from mainstay.kit import Access  # noqa: PLC0415

        return Access("token-1", facts, oauth.base_url(facts))

    vendor.answer({"Invoice": INVOICE})
    async with open_session() as session:
        http = Http(session, http_settings(connection))
        http.authorize = authorize
        await Api(http).read("Invoice", "130")
    (request,) = vendor.requests
    assert (request.path, request.headers["authorization"]) == (f"/v3/company/{REALM}/invoice/130", "Bearer token-1")


@pytest.mark.parametrize(
    ("keys", "mend"),
    [
        ({"access_token": None}, "give either client_id"),
        ({"access_token": None, "client_id": "x"}, "give either client_id"),
        ({"client_id": "x", "client_secret": "y"}, "give either client_id"),
        ({"realm_id": None}, "realm_id, the company's id"),
        ({"realm_id": "acme"}, "realm_id"),
        ({"access_token": None, "client_id": "x", "client_secret": "y"}, "realm_id, the company's id"),
        ({"deposit_account": "Bank"}, "deposit_account"),
        ({"colour": "x"}, "colour"),
    ],
)
def test_settings_say_what_is_wrong(keys: dict[str, Any], mend: str) -> None:
    with pytest.raises(ValueError, match=mend):
        settings(**keys)


def test_the_connector() -> None:
    assert CONNECTOR.account is not None
    assert CONNECTOR.account(settings()) == REALM
    assert [(rate.allowed, rate.seconds) for rate in CONNECTOR.rates(settings())] == [(10, 1.0), (500, 60.0)]
    assert record_url(settings(), "58") == "https://app.qbo.intuit.com/app/customerdetail?nameId=58"
    assert http_settings(settings()).base_url == f"https://quickbooks.api.intuit.com/v3/company/{REALM}"
