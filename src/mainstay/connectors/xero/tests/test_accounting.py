from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from mainstay.connectors.xero import CONNECTOR, api
from mainstay.connectors.xero.accounting import record_url
from mainstay.connectors.xero.api import http_settings, read_time
from mainstay.kit import Contact, InvoiceLine, NeedsHumanError, Payment, PermanentError, TransientError
from mainstay.sandbox import SandboxProcess
from mainstay.sandbox.vendors.xero_account import TENANT
from tests.connectors.accounting import SARAH, invoice, payment
from tests.connectors.xero_accounting import CONTACT, CONTACT_ID, INVOICE, INVOICE_ID, TOKEN, ask, settings
from tests.contracts.vendor_specs import specs_folder, validate_recorded, validate_request
from tests.kit.recorder import Recorder

OTHER_TENANT = "aef86862-2015-4b6b-88bc-d89032cecc50"


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
                    {
                        "Description": "Hour",
                        "Quantity": 4,
                        "UnitAmount": 80.3325,
                        "ItemCode": "HOUR",
                        "TaxType": "OUTPUT2",
                    },
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
    made = await ask(
        url, "create_invoice", await customer(url), invoice("1", "jpy", lines=(InvoiceLine("x", Decimal(1200)),))
    )
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
        await ask(vendor.url, "add_payment", INVOICE_ID, payment(), payment_account=None)
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
        ({"access_token": None}, "give either access_token, or client_id"),
        ({"access_token": None, "client_id": "x"}, "give either access_token, or client_id"),
        ({"client_id": "x", "client_secret": "y"}, "give either access_token, or client_id"),
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
