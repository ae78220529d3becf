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

from mainstay.connectors.xero import CONNECTOR, api
from mainstay.connectors.xero.accounting import check, make_accounting, record_url
from mainstay.connectors.xero.api import http_settings, read_time
from mainstay.connectors.xero.settings import XeroConnection
from mainstay.errors import VendorError
from mainstay.kit import Contact, Http, Invoice, InvoiceLine, NeedsHumanError, Payment, PermanentError, TransientError
from mainstay.kit.http import open_session
from mainstay.sandbox import SandboxProcess
from mainstay.sandbox.vendors.xero import TENANT
from tests.contracts.vendor_specs import specs_folder, validate_recorded, validate_request
from tests.kit.recorder import Recorder

TOKEN = "sample-xero-token"
CONTACT_ID, INVOICE_ID = "430fa14a-f945-44d3-9f97-5df5e28441b8", "ed255415-e141-4150-aab7-89c3bbbb851c"
OTHER_TENANT = "aef86862-2015-4b6b-88bc-d89032cecc50"
CONTACT = {"ContactID": CONTACT_ID, "ContactStatus": "ACTIVE", "Name": "Sarah Johnson"}
INVOICE = {
    "InvoiceID": INVOICE_ID,
    "Type": "ACCREC",
    "Status": "AUTHORISED",
    "Total": 40.0,
    "AmountPaid": 0.0,
    "CurrencyCode": "NZD",
    "InvoiceNumber": "INV-0007",
    "Reference": "JOB-1",
}
SARAH = Contact(UUID(int=1), UUID(int=2), "sarah@example.com", "+13125550147", "Sarah", "Johnson")


def settings(**keys: Any) -> XeroConnection:
    filled = {"connector": "xero", "access_token": TOKEN, "tenant_id": TENANT, "account": "200", **keys}
    given = {"payment_account": "090"} | {key: value for key, value in filled.items() if value is not None}
    return XeroConnection.model_validate({key: value for key, value in given.items() if value != "-"})


def invoice(reference: str = "JOB-1", currency: str = "USD", **values: Any) -> Invoice:
    given: dict[str, Any] = {"lines": (InvoiceLine("Boiler service", Decimal("120.50")),), "due": date(2026, 12, 24)}
    return Invoice(reference, currency, **(given | values))


def payment(reference: str = "pi_1", amount: str = "120.50", currency: str = "USD") -> Payment:
    return Payment(reference, Decimal(amount), currency, date(2026, 3, 2), "card")


async def ask(base_url: str, operation: str, *arguments: Any, **keys: Any) -> Any:
    connection = settings(base_url=base_url, **keys)
    async with open_session() as session:
        http = Http(session, http_settings(connection), idempotency_key="run/1")
        try:
            if operation == "check":
                return await check(connection, http)
            return await getattr(make_accounting(connection, http), operation)(*arguments)
        except VendorError as error:
            error.add_note(json.dumps(http.exchanges))
            raise


# ----------------------------------------------------------------------------------------------------- requests


async def test_a_new_customer_as_it_is_sent(vendor: Recorder) -> None:
    for _ in range(2):
        vendor.answer({"Contacts": []})
    vendor.answer({"Contacts": [CONTACT]})
    pushed = await ask(vendor.url, "push_customer", SARAH, "")

    by_number, by_email, made = vendor.requests
    assert (pushed.external_id, pushed.created) == (CONTACT_ID, True)
    assert "searchTerm=00000000-0000-0000-0000-000000000001" in by_number.url
    assert "searchTerm=sarah@example.com" in by_email.url
    assert made.json == {
        "Contacts": [
            {
                "Name": "Sarah Johnson",
                "ContactNumber": "00000000-0000-0000-0000-000000000001",
                "FirstName": "Sarah",
                "LastName": "Johnson",
                "EmailAddress": "sarah@example.com",
                "Phones": [{"PhoneType": "DEFAULT", "PhoneNumber": "+13125550147"}],
            }
        ]
    }
    assert len(made.headers["idempotency-key"]) == 64
    for each in vendor.requests:
        assert (each.headers["authorization"], each.headers["xero-tenant-id"]) == (f"Bearer {TOKEN}", TENANT)
        validate_request("xero", each.method, each.url, each.headers, each.body)


async def test_a_new_invoice_as_it_is_sent(vendor: Recorder) -> None:
    vendor.answer({"Invoices": []})
    vendor.answer({"Contacts": [CONTACT]})
    vendor.answer({"Invoices": [INVOICE]})
    vendor.answer({"OnlineInvoices": [{"OnlineInvoiceUrl": "https://in.xero.com/1"}]})
    lines = (
        InvoiceLine("Hour", Decimal("80.3325"), Decimal(4), item="HOUR", tax="OUTPUT2"),
        InvoiceLine("Travel", Decimal(20), item="account:260"),
    )
    made = await ask(vendor.url, "create_invoice", CONTACT_ID, invoice(lines=lines))

    assert (made.id, made.url) == (INVOICE_ID, "https://in.xero.com/1")
    assert vendor.requests[2].json == {
        "Invoices": [
            {
                "Type": "ACCREC",
                "Contact": {"ContactID": CONTACT_ID},
                "LineItems": [
                    {"Description": "Hour", "Quantity": 4, "UnitAmount": 80.3325, "ItemCode": "HOUR", "TaxType": "OUTPUT2"},
                    {"Description": "Travel", "Quantity": 1, "UnitAmount": 20, "AccountCode": "260"},
                ],
                "LineAmountTypes": "Exclusive",
                "CurrencyCode": "USD",
                "Reference": "JOB-1",
                "Status": "AUTHORISED",
                "DueDate": "2026-12-24",
            }
        ]
    }
    assert "unitdp=4" in vendor.requests[2].url
    for each in vendor.requests:
        validate_request("xero", each.method, each.url, each.headers, each.body)


# ------------------------------------------------------------------------------------------------------- errors


def refused(*reasons: str) -> dict[str, Any]:
    elements = [{"ValidationErrors": [{"Message": reason}]} for reason in reasons]
    return {"ErrorNumber": 10, "Type": "ValidationException", "Message": "A validation exception occurred", "Elements": elements}


UNAUTHORISED = {"Type": None, "Title": "Unauthorized", "Status": 401, "Detail": "TokenExpired", "Extensions": {}}


@pytest.mark.parametrize(
    ("status", "body", "fate", "says"),
    [
        (400, refused("Email address must be valid.", "Another"), "permanent", "Email address must be valid.; Another"),
        (400, {"Message": "A validation exception occurred", "Elements": []}, "permanent", "A validation exception"),
        (400, {"Elements": "x", "Message": 7}, "permanent", "Xero 400"),
        (400, {"Elements": [7, {"ValidationErrors": 7}, {"ValidationErrors": [7, {"Message": 7}]}]}, "permanent", "400"),
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
        line = InvoiceLine("x", Decimal(1), tax="X")
        await ask(url, "create_invoice", first.external_id, invoice(lines=(line,)))


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


KEYS = [*CONTACT, *INVOICE, "Contact", "Phones", "PhoneType", "PhoneNumber", "Payments", "EmailAddress", "MergedToContactID"]
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


# ------------------------------------------------------------------------------------------------- organisations


async def test_the_organisation_is_looked_up_where_there_is_one(books: SandboxProcess) -> None:
    specs_folder()
    url = books.sandbox.url("xero")
    pushed = await ask(url, "push_customer", SARAH, "", tenant_id=None)
    assert (await ask(url, "push_customer", SARAH, "")).external_id == pushed.external_id
    for record in await books.aio.requests("xero"):
        validate_recorded(record)


async def test_of_several_organisations_one_is_to_be_named(books: SandboxProcess) -> None:
    url = books.sandbox.url("xero")
    await books.aio.configure("xero", tenants=[TENANT, OTHER_TENANT])
    with pytest.raises(NeedsHumanError, match=f"set tenant_id to one of Acme Plumbing .{TENANT}., Another company 1"):
        await ask(url, "push_customer", SARAH, "", tenant_id=None)
    with pytest.raises(NeedsHumanError, match="compare tenant_id"):
        await ask(url, "push_customer", SARAH, "", tenant_id=OTHER_TENANT)
    await books.aio.configure("xero", tenants=[])
    with pytest.raises(NeedsHumanError, match="connect it again"):
        await ask(url, "push_customer", SARAH, "", tenant_id=None)


@pytest.mark.parametrize(
    "body", [None, {}, [7], [{}], [{"tenantId": TENANT}], [{"tenantId": 7, "tenantType": "ORGANISATION"}]]
)
async def test_connections_of_wrong_types_are_a_clear_error(vendor: Recorder, body: Any) -> None:
    vendor.answer(json.dumps(body))
    with pytest.raises(TransientError):
        await ask(vendor.url, "push_customer", SARAH, "", tenant_id=None)


async def test_the_check_names_the_organisation(books: SandboxProcess) -> None:
    url = books.sandbox.url("xero")
    assert await ask(url, "check") == f"Acme Plumbing (tenant {TENANT}) at Xero"
    assert "set tenant_id to it" in await ask(url, "check", tenant_id=None)
    await books.aio.configure("xero", tokens=["another"])
    with pytest.raises(NeedsHumanError, match="connect the organisation again"):
        await ask(url, "check")


# ---------------------------------------------------------------------------------------------------- customers


async def test_our_own_id_finds_a_contact_whatever_people_changed(books: SandboxProcess) -> None:
    url = books.sandbox.url("xero")
    made = await ask(url, "push_customer", SARAH, "")
    changed = Contact(SARAH.id, SARAH.workspace_id, "new@example.com", "", "Sarah", "Smith")
    again = await ask(url, "push_customer", changed, "")
    (contact,) = (await books.aio.state("xero"))["contacts"]
    assert again.external_id == made.external_id
    assert (contact["Name"], contact["EmailAddress"]) == ("Sarah Smith", "new@example.com")


async def test_another_systems_number_and_the_other_phones_stay(books: SandboxProcess) -> None:
    url = books.sandbox.url("xero")
    mobile = {"PhoneType": "MOBILE", "PhoneNumber": "555-1212", "PhoneAreaCode": "415", "PhoneCountryCode": "1"}
    there = {"Name": "Johnson, S.", "EmailAddress": "SARAH@example.com", "ContactNumber": "C-17", "Phones": [mobile]}
    await books.aio.seed("xero", "contacts", [there])
    await ask(url, "push_customer", SARAH, "")
    (contact,) = (await books.aio.state("xero"))["contacts"]
    assert (contact["Name"], contact["ContactNumber"], contact["FirstName"]) == ("Johnson, S.", "C-17", "Sarah")
    phones = {each["PhoneType"]: each["PhoneNumber"] for each in contact["Phones"]}
    assert (phones["MOBILE"], phones["DEFAULT"]) == ("555-1212", "+13125550147")


async def test_a_merged_contact_leads_to_the_one_that_stands(vendor: Recorder) -> None:
    survivor = "5cc8cf28-567e-4d43-b287-687cfcaec47c"
    vendor.answer({"Contacts": [CONTACT | {"ContactStatus": "ARCHIVED", "MergedToContactID": survivor}]})
    vendor.answer({"Contacts": [{"ContactID": survivor, "ContactStatus": "ACTIVE", "Name": "Sarah Johnson"}]})
    vendor.answer({"Contacts": [{"ContactID": survivor}]})
    pushed = await ask(vendor.url, "push_customer", SARAH, CONTACT_ID)
    assert pushed.external_id == survivor
    assert vendor.requests[-1].path.endswith(f"/Contacts/{survivor}")


async def test_an_archived_contact_is_left_alone(books: SandboxProcess) -> None:
    url = books.sandbox.url("xero")
    there = {"Name": "Sarah Johnson", "EmailAddress": "sarah@example.com", "ContactStatus": "ARCHIVED"}
    await books.aio.seed("xero", "contacts", [there])
    (archived,) = (await books.aio.state("xero"))["contacts"]
    pushed = await ask(url, "push_customer", SARAH, archived["ContactID"])
    assert pushed.created
    assert pushed.external_id != archived["ContactID"]


async def test_a_name_that_another_took_meanwhile_stays_as_it_was(books: SandboxProcess) -> None:
    url = books.sandbox.url("xero")
    made = await ask(url, "push_customer", SARAH, "")
    await books.aio.seed("xero", "contacts", [{"Name": "Sarah Smith"}])
    await ask(url, "push_customer", Contact(SARAH.id, SARAH.workspace_id, "", "", "Sarah", "Smith"), made.external_id)
    contact = (await books.aio.state("xero"))["contacts"][0]
    assert (contact["Name"], contact["LastName"]) == ("Sarah Johnson", "Smith")


async def test_when_every_name_is_taken_it_says_so(books: SandboxProcess) -> None:
    marks = ("", " (sarah@example.com)", " (000000000001)")
    # The last is our own mark: whoever has it is the contact, were it not for another e-mail.
    named = [{"Name": f"Sarah Johnson{mark}", "EmailAddress": f"{len(mark)}@example.net"} for mark in marks]
    await books.aio.seed("xero", "contacts", named)
    with pytest.raises(PermanentError, match="every name that could be the customer's is taken"):
        await ask(books.sandbox.url("xero"), "push_customer", SARAH, "")


async def test_nobody_is_no_customer(vendor: Recorder) -> None:
    vendor.answer({"Contacts": []})
    with pytest.raises(PermanentError, match="neither name, e-mail nor phone"):
        await ask(vendor.url, "push_customer", Contact(UUID(int=1), UUID(int=2)), "")


# ----------------------------------------------------------------------------------------- invoices and payments


async def customer(url: str) -> str:
    return str((await ask(url, "push_customer", SARAH, "")).external_id)


async def test_tax_comes_on_top(books: SandboxProcess) -> None:
    url = books.sandbox.url("xero")
    line = InvoiceLine("Boiler", Decimal(1000), item="BOILER", tax="OUTPUT2")
    made = await ask(url, "create_invoice", await customer(url), invoice(lines=(line,)))
    assert (await ask(url, "fetch_invoice", made.id)).total == "1200.00"


@pytest.mark.parametrize(
    ("keys", "line", "why"),
    [
        ({"account": None}, InvoiceLine("x", Decimal(1)), "set account"),
        ({}, InvoiceLine(" ", Decimal(1)), "no line without a description"),
        ({}, InvoiceLine("x", Decimal("0.00001"), Decimal(100_000)), "at most 4 decimals"),
    ],
)
async def test_what_xero_does_not_take_is_not_sent(
    vendor: Recorder, keys: dict[str, Any], line: InvoiceLine, why: str
) -> None:
    with pytest.raises((PermanentError, NeedsHumanError), match=why):
        await ask(vendor.url, "create_invoice", CONTACT_ID, invoice(lines=(line,)), **keys)
    assert vendor.requests == []


async def test_yen_have_no_decimals(books: SandboxProcess) -> None:
    url = books.sandbox.url("xero")
    made = await ask(url, "create_invoice", await customer(url), invoice("1", "jpy", lines=(InvoiceLine("x", Decimal(1200)),)))
    assert (await ask(url, "fetch_invoice", made.id)).total == "1200"


async def test_a_currency_that_the_organisation_has_not_is_refused_in_xeros_words(books: SandboxProcess) -> None:
    url = books.sandbox.url("xero")
    with pytest.raises(PermanentError, match="not subscribed to currency EUR"):
        await ask(url, "create_invoice", await customer(url), invoice(currency="EUR"))


async def test_an_invoice_without_a_date_is_due_when_it_is_made(books: SandboxProcess) -> None:
    url = books.sandbox.url("xero")
    made = await ask(url, "create_invoice", await customer(url), invoice(due=None))
    (stored,) = (await books.aio.state("xero"))["invoices"]
    assert (stored["InvoiceID"], stored["DueDate"]) == (made.id, stored["Date"])


async def test_without_keys_the_reference_alone_tells(books: SandboxProcess) -> None:
    url = books.sandbox.url("xero")
    await books.aio.configure("xero", forgets_keys=True)
    who = await customer(url)
    made = await ask(url, "create_invoice", who, invoice('Job "7" & more'))
    paid = await ask(url, "add_payment", made.id, payment())
    assert (await ask(url, "create_invoice", who, invoice('Job "7" & more'))).id == made.id
    assert await ask(url, "add_payment", made.id, payment()) == paid
    kinds = [effect["kind"] for effect in await books.aio.effects("xero")]
    assert kinds == ["contact.created", "invoice.created", "payment.created"]


async def test_the_reference_as_number(books: SandboxProcess) -> None:
    url = books.sandbox.url("xero")
    who = await customer(url)
    made = await ask(url, "create_invoice", who, invoice(), reference_as_number=True)
    assert (await ask(url, "fetch_invoice", made.id)).number == "JOB-1"
    other = await ask(url, "push_customer", Contact(UUID(int=9), UUID(int=2), "o@example.com", "", "Omar"), "")
    with pytest.raises(PermanentError, match="must be unique"):
        await ask(url, "create_invoice", other.external_id, invoice(), reference_as_number=True)


async def test_a_draft_of_peoples_is_deleted_not_voided(books: SandboxProcess) -> None:
    url = books.sandbox.url("xero")
    line = {"Description": "x", "Quantity": 1, "UnitAmount": 5, "AccountCode": "200"}
    draft = {"Type": "ACCREC", "Contact": {"ContactID": await customer(url)}, "LineItems": [line]}
    await books.aio.seed("xero", "invoices", [draft])
    (stored,) = (await books.aio.state("xero"))["invoices"]
    assert (await ask(url, "fetch_invoice", stored["InvoiceID"])).status == "draft"
    with pytest.raises(PermanentError, match="is draft"):
        await ask(url, "add_payment", stored["InvoiceID"], payment(amount="5"))
    await ask(url, "void_invoice", stored["InvoiceID"])
    (stored,) = (await books.aio.state("xero"))["invoices"]
    assert stored["Status"] == "DELETED"


@pytest.mark.parametrize(
    ("booked", "why"),
    [(payment(amount="120.51"), "more than invoice INV-0001 is open for"), (payment(currency="EUR"), "is in EUR")],
)
async def test_a_payment_that_does_not_fit_is_for_people(books: SandboxProcess, booked: Payment, why: str) -> None:
    url = books.sandbox.url("xero")
    made = await ask(url, "create_invoice", await customer(url), invoice())
    with pytest.raises(PermanentError, match=why):
        await ask(url, "add_payment", made.id, booked)
    assert (await books.aio.state("xero"))["payments"] == []


async def test_payments_need_an_account(vendor: Recorder) -> None:
    with pytest.raises(NeedsHumanError, match="set payment_account"):
        await ask(vendor.url, "add_payment", INVOICE_ID, payment(), payment_account="-")
    assert vendor.requests == []


async def test_lists_are_read_to_their_end(books: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    url = books.sandbox.url("xero")
    monkeypatch.setattr(api, "PAGE", 2)
    await books.aio.configure("xero", forgets_keys=True)
    who = await customer(url)
    made = [await ask(url, "create_invoice", who, invoice(f"JOB-{number}")) for number in range(5)]
    assert (await ask(url, "create_invoice", who, invoice("JOB-4"))).id == made[-1].id
    monkeypatch.setattr(api, "MOST_PAGES", 2)
    with pytest.raises(PermanentError, match="more than 4 invoices"):
        await ask(url, "create_invoice", who, invoice("JOB-9"))


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("/Date(1552327126117+0000)/", "2019-03-11T17:58:46.117000+00:00"),
        ("/Date(1552327126117)/", "2019-03-11T17:58:46.117000+00:00"),
        ("/Date(-1000+1300)/", "1969-12-31T23:59:59+00:00"),
        ("2025-12-02T00:44:09.923", "2025-12-02T00:44:09.923000+00:00"),
        ("/Date(999999999999999)/", None),
        ("/Date(x)/", None),
        (7, None),
        (None, None),
    ],
)
def test_times(text: object, read: str | None) -> None:
    found = read_time(text)
    assert (found.isoformat() if found else None) == read


# ------------------------------------------------------------------------------------------ settings and declaration


def test_the_declaration_of_oauth() -> None:
    assert CONNECTOR.oauth is not None
    assert CONNECTOR.oauth(settings()) is None
    keys: dict[str, Any] = {"access_token": None, "client_id": "app", "client_secret": "s"}
    oauth = CONNECTOR.oauth(settings(**keys))
    assert oauth is not None
    assert (oauth.authorize_url, oauth.token_url, oauth.grant, oauth.client_auth) == (
        "https://login.xero.com/identity/connect/authorize",
        "https://identity.xero.com/connect/token",
        "authorization_code",
        "basic",
    )
    assert oauth.scopes[0] == "offline_access"
    assert oauth.base_url({}) == ""
    custom = CONNECTOR.oauth(settings(**keys, custom_connection=True))
    assert custom is not None
    assert (custom.grant, custom.authorize_url, custom.refresh_lifetime) == ("client_credentials", "", None)
    assert "offline_access" not in custom.scopes
    assert "Authorization" not in http_settings(settings(**keys)).headers


@pytest.mark.parametrize(
    ("keys", "mend"),
    [
        ({"access_token": None}, "give either client_id"),
        ({"access_token": None, "client_id": "x"}, "give either client_id"),
        ({"client_id": "x", "client_secret": "y"}, "give either client_id"),
        ({"custom_connection": True}, "custom_connection wants"),
        ({"tenant_id": "acme"}, "tenant_id"),
        ({"colour": "x"}, "colour"),
    ],
)
def test_settings_say_what_is_wrong(keys: dict[str, Any], mend: str) -> None:
    with pytest.raises(ValueError, match=mend):
        settings(**keys)


def test_the_connector() -> None:
    assert CONNECTOR.account is not None
    assert CONNECTOR.account(settings()) == TENANT
    assert CONNECTOR.account(settings(tenant_id=None)) == TOKEN
    assert [(rate.allowed, rate.seconds) for rate in CONNECTOR.rates(settings())] == [(60, 60.0), (5000, 86_400.0)]
    assert CONNECTOR.max_concurrent == 5
    assert record_url(settings(), CONTACT_ID) == f"https://go.xero.com/Contacts/View/{CONTACT_ID}"
