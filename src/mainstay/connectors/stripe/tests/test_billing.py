"""What is sent to Stripe, and the connection."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from mainstay.connectors.stripe import CONNECTOR
from mainstay.connectors.stripe.billing import http_settings, rates, record_url
from mainstay.kit import (
    InvoiceLine,
    NeedsHumanError,
    PermanentError,
    Rate,
)
from mainstay.sandbox import SandboxProcess
from mainstay.sandbox.vendors import stripe_objects
from tests.connectors.stripe_billing import (
    DRAFT,
    KEY,
    NEW,
    NONE,
    OPEN,
    SARAH,
    ask,
    fields,
    order,
    process,
    sandbox,
    settings,
    vendor,
)
from tests.contracts.vendor_specs import validate_request, validate_response
from tests.kit.recorder import Recorder

__all__ = ["process", "sandbox", "vendor"]


async def test_an_invoice_keeps_stripes_contract(vendor: Recorder) -> None:
    answers: list[Any] = [
        NONE,
        DRAFT,
        stripe_objects.item(NEW, {"amount": "12050"}, DRAFT),
        DRAFT | {"subtotal": 12050},
        OPEN,
    ]
    for answer in answers:
        vendor.answer(answer)

    made = await ask(vendor.url, "create_invoice", "cus_1", order(due=date(2030, 3, 2), memo="Größe ✓"))

    assert (made.id, made.url) == ("in_1", "https://invoice.stripe.com/i/1")
    assert [(each.method, each.path) for each in vendor.requests] == [
        ("GET", "/v1/invoices"),
        ("POST", "/v1/invoices"),
        ("POST", "/v1/invoiceitems"),
        ("GET", "/v1/invoices/in_1"),
        ("POST", "/v1/invoices/in_1/finalize"),
    ]
    assert fields(vendor, 1) == {
        "customer": "cus_1",
        "currency": "usd",
        "collection_method": "send_invoice",
        "auto_advance": "false",
        "pending_invoice_items_behavior": "exclude",
        "metadata[mainstay_reference]": "JOB-1",
        "due_date": str(int(datetime(2030, 3, 2, 23, 59, 59, tzinfo=UTC).timestamp())),
        "description": "Größe ✓",
    }
    assert fields(vendor, 2) == {
        "customer": "cus_1",
        "invoice": "in_1",
        "currency": "usd",
        "description": "Boiler",
        "metadata[mainstay_line]": "0",
        "unit_amount_decimal": "12050",
        "quantity": "1",
    }
    assert fields(vendor, 4) == {"auto_advance": "false"}
    for request, answer in zip(vendor.requests, answers, strict=True):
        assert request.headers["stripe-version"] == "2023-08-16"
        assert request.headers["authorization"] == f"Bearer {KEY}"
        validate_request("stripe", request.method, request.url, request.headers, request.body)
        sent = {"Content-Type": "application/json"}
        validate_response("stripe", request.method, request.url, 200, sent, json.dumps(answer))


@pytest.mark.parametrize(
    ("line", "currency", "expected"),
    [
        (("80.00", "2.5"), "USD", {"amount": "20000", "description": "x (2.5 x 80.00)"}),
        (("0.125", "8"), "USD", {"unit_amount_decimal": "12.5", "quantity": "8"}),
        (("-20", "1"), "USD", {"amount": "-2000"}),
        (("-20", "2"), "USD", {"amount": "-4000", "description": "x (2 x -20)"}),
        (("1200", "3"), "JPY", {"unit_amount_decimal": "1200", "quantity": "3"}),
        (("1.230", "1"), "KWD", {"unit_amount_decimal": "1230", "quantity": "1"}),
        (("5000", "1"), "ISK", {"unit_amount_decimal": "500000", "quantity": "1"}),
        (("0." + "0" * 20 + "1", "1" + "0" * 11), "USD", None),
        (("0", "5"), "USD", {"unit_amount_decimal": "0", "quantity": "5"}),
    ],
)
async def test_lines_as_stripe_takes_them(
    vendor: Recorder, line: tuple[str, str], currency: str, expected: dict[str, str] | None
) -> None:
    lines = (InvoiceLine("y", Decimal(100000)), InvoiceLine("x", Decimal(line[0]), Decimal(line[1])))
    if expected is None:
        with pytest.raises(PermanentError, match="cannot be charged"):
            await ask(vendor.url, "create_invoice", "cus_1", order(lines=lines, currency=currency))
        assert vendor.requests == []
        return
    for answer in (NONE, DRAFT, {"object": "invoiceitem"}, {"object": "invoiceitem"}, DRAFT):
        vendor.answer(answer)
    with pytest.raises(PermanentError, match="comes to"):
        await ask(vendor.url, "create_invoice", "cus_1", order(lines=lines, currency=currency))
    sent = fields(vendor, 3)
    assert {key: sent[key] for key in expected} == expected
    assert sent["currency"] == currency.lower()
    request = vendor.requests[3]
    validate_request("stripe", request.method, request.url, request.headers, request.body)


async def test_products_and_taxes(vendor: Recorder) -> None:
    lines = (
        InvoiceLine("x", Decimal("80.00"), Decimal(2), item="prod_1", tax="txr_1"),
        InvoiceLine("y", Decimal("80.00"), Decimal("2.5"), item="prod_1"),
    )
    for answer in (
        NONE,
        DRAFT,
        {"object": "invoiceitem"},
        {"object": "invoiceitem"},
        DRAFT | {"subtotal": 36000},
        OPEN,
    ):
        vendor.answer(answer)

    await ask(vendor.url, "create_invoice", "cus_1", order(lines=lines))

    first, second = fields(vendor, 2), fields(vendor, 3)
    assert (first["price_data[product]"], first["price_data[unit_amount_decimal]"], first["quantity"]) == (
        "prod_1",
        "8000",
        "2",
    )
    assert first["tax_rates[0]"] == "txr_1"
    assert (second["price_data[unit_amount_decimal]"], second["quantity"]) == ("20000", "1")
    for request in vendor.requests:
        validate_request("stripe", request.method, request.url, request.headers, request.body)
    reduced = (*lines, InvoiceLine("z", Decimal(-1), item="prod_1"))
    with pytest.raises(PermanentError, match="no negative price of a product"):
        await ask(vendor.url, "create_invoice", "cus_1", order(lines=reduced))


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"lines": (InvoiceLine("x", Decimal(1)),) * 251}, "1 to 250 lines"),
        ({"reference": "x" * 501}, "at most 500"),
        ({"lines": (InvoiceLine("x", Decimal("1.234")),), "currency": "KWD"}, "smallest step there is 0.010"),
    ],
)
async def test_what_stripe_cannot_express_is_refused_before_a_call(vendor: Recorder, values: Any, why: str) -> None:
    with pytest.raises(PermanentError, match=why):
        await ask(vendor.url, "create_invoice", "cus_1", replace(order(), **values))
    assert vendor.requests == []


async def test_every_thing_that_is_made_has_a_key_of_its_own_that_no_run_changes(sandbox: SandboxProcess) -> None:
    url = sandbox.sandbox.url("stripe")
    lines = (InvoiceLine("x", Decimal(1)), InvoiceLine("x", Decimal(1)))
    customer = (await ask(url, "push_customer", SARAH, "")).external_id
    await ask(url, "create_invoice", customer, order("A", lines=lines))
    await ask(url, "create_invoice", customer, order("B", lines=lines))

    made = {"/v1/customers", "/v1/invoices", "/v1/invoiceitems"}
    posts = [each for each in await sandbox.aio.requests("stripe") if each["method"] == "POST"]
    keys = [each["headers"].get("Idempotency-Key") for each in posts if each["url"].removeprefix("/stripe") in made]
    assert len(keys) == len(set(keys)) == 7
    assert all(keys)
    changes = [each for each in posts if each["url"].removeprefix("/stripe") not in made]
    assert [each["headers"].get("Idempotency-Key") for each in changes] == [None, None]


# ------------------------------------------------------------------------------------------------- the connection


async def test_check_says_whose_account_it_is(sandbox: SandboxProcess) -> None:
    url = sandbox.sandbox.url("stripe")
    assert await ask(url, "check") == "Sandbox, acct_1Sandbox0000000 (test mode)"
    assert await ask(url, "check", api_key="sk_live_1") == "Sandbox, acct_1Sandbox0000000 (live)"
    await sandbox.aio.configure("stripe", refused=["/v1/account"])
    assert await ask(url, "check") == "a restricted key's account (test mode)"
    await sandbox.aio.configure("stripe", refused=["/v1/"])
    with pytest.raises(NeedsHumanError, match="give the key this permission"):
        await ask(url, "check")
    await sandbox.aio.configure("stripe", refused=[], api_keys=["rk_other"])
    with pytest.raises(NeedsHumanError, match="api_key"):
        await ask(url, "check")


async def test_check_bears_any_account(vendor: Recorder) -> None:
    values: list[Any] = [None, [], "x", {"dashboard": [], "name": 5}]
    for value in values:
        vendor.answer(
            {"object": "account", "id": "acct_1", "business_profile": value, "settings": value, "email": value}
        )
        assert (await ask(vendor.url, "check")).endswith("acct_1 (test mode)")


@pytest.mark.parametrize(
    ("keys", "mend"),
    [
        ({"api_key": ""}, "empty"),
        ({"api_key": "pk_live_1"}, "publishable"),
        ({"api_key": "whsec_1"}, "signing secret"),
        ({"api_key": "acct_1"}, "no key"),
        ({"account": "cus_1"}, "account"),
        ({"days_until_due": 0}, "days_until_due"),
        ({"currency": "usd"}, "currency"),
    ],
)
def test_settings_say_what_is_wrong(keys: dict[str, Any], mend: str) -> None:
    with pytest.raises(ValidationError, match=mend):
        settings(**keys)


def test_the_declaration() -> None:
    assert http_settings(settings()).base_url == "https://api.stripe.com"
    assert http_settings(settings(account="acct_1")).headers["Stripe-Account"] == "acct_1"
    assert KEY not in repr(http_settings(settings())) + repr(settings())
    assert (rates(settings()), rates(settings(api_key="sk_live_1"))) == ((Rate(25, 1.0),), (Rate(100, 1.0),))
    assert record_url(settings(), "cus_1") == "https://dashboard.stripe.com/test/customers/cus_1"
    assert record_url(settings(api_key="sk_live_1"), "cus_1") == "https://dashboard.stripe.com/customers/cus_1"
    assert CONNECTOR.account is not None
    assert CONNECTOR.account(settings(account="acct_1")) == "acct_1"
    assert CONNECTOR.account(settings()) == KEY
