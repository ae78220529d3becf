from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from mainstay.connectors.quickbooks import api
from mainstay.connectors.quickbooks.api import quoted, request_id
from mainstay.connectors.quickbooks.invoices import reference_in
from mainstay.kit import Contact, InvoiceLine, NeedsHumanError, Payment, PermanentError, TransientError
from mainstay.sandbox import SandboxProcess
from tests.connectors.accounting import SARAH, invoice, one_line, payment, person
from tests.connectors.quickbooks_accounting import CUSTOMER, INVOICE, REALM, TOKEN, ask
from tests.contracts.vendor_specs import validate_recorded
from tests.kit.recorder import Recorder

NONE: dict[str, Any] = {"QueryResponse": {}}


# ----------------------------------------------------------------------------------------------------- requests


async def test_a_new_customer_as_it_is_sent(vendor: Recorder) -> None:
    contact = person(phone="+13125550147", company="Acme & Söhne")
    vendor.answer(NONE)
    vendor.answer({"Customer": CUSTOMER})
    await ask(vendor.url, "push_customer", contact, "")

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
    assert f"requestid={request_id(str(contact.id), made.json)}" in made.url
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
    [
        ("O'Brien", r"'O\'Brien'"),
        ("a\\b", r"'a\\b'"),
        ("\\'", r"'\\\''"),
        ("李", "'李'"),
        ("x' or Id > '0", r"'x\' or Id > \'0'"),
    ],
)
def test_a_text_in_a_query(text: str, written: str) -> None:
    assert quoted(text) == written


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
        "quickbooks",
        "customers",
        [{"DisplayName": "Sarah Johnson", "PrimaryEmailAddr": {"Address": "Sarah@Example.com"}}],
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
    contact = Contact(UUID(int=1), UUID(int=2), "o'brien@example.com", "", "", "O'Brien\" or:Id")
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
            await ask(url, "create_invoice", "1", invoice("JOB-2", lines=one_line(**code)))
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
    [
        (payment(amount="120.51"), "more than invoice 1001 is open for"),
        (payment(currency="EUR"), "the payment is in EUR"),
    ],
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
