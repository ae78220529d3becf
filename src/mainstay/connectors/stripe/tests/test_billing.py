"""Stripe's answers, errors and idempotency keys; its own quirks against the sandbox."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import pytest
from pydantic import ValidationError

from mainstay.connectors.stripe import CONNECTOR
from mainstay.connectors.stripe.billing import check, http_settings, make_billing, rates, record_url
from mainstay.connectors.stripe.settings import StripeConnection
from mainstay.errors import VendorError
from mainstay.kit import (
    Contact,
    Http,
    Invoice,
    InvoiceLine,
    InvoiceState,
    NeedsHumanError,
    PermanentError,
    Pushed,
    Rate,
    TransientError,
)
from mainstay.kit.http import open_session
from mainstay.sandbox import SandboxProcess
from mainstay.sandbox.vendors import stripe_objects
from tests.contracts.vendor_specs import validate_recorded, validate_request, validate_response
from tests.kit.recorder import Recorder, recording

KEY = "rk_test_sample0123456789"
SARAH = Contact(
    id=UUID(int=1),
    workspace_id=UUID(int=2),
    email="sarah@example.com",
    first_name="Zoë 李",
    last_name="Groß",
    company="Blitz",
)
RECORDED = 60_000
"""Longer answers the sandbox's log cuts off."""
NEW = stripe_objects.New("cus_1", 1_772_445_600)
CUSTOMER = stripe_objects.customer(NEW) | {"email": "sarah@example.com"}
DRAFT = stripe_objects.invoice(replace(NEW, id="in_1"), {}, CUSTOMER)
OPEN = DRAFT | {
    "status": "open",
    "number": "A-1",
    "total": 12050,
    "hosted_invoice_url": "https://invoice.stripe.com/i/1",
}
NONE: dict[str, Any] = {"object": "list", "data": [], "has_more": False, "url": "/v1/invoices"}
FOUND_NONE = NONE | {"object": "search_result", "next_page": None}


def settings(**keys: Any) -> StripeConnection:
    return StripeConnection.model_validate({"connector": "stripe", "api_key": KEY, **keys})


async def ask(base_url: str, operation: str, *arguments: Any, tried_ago: float = 0.0, **keys: Any) -> Any:
    connection = settings(base_url=base_url, **keys)
    async with open_session() as session:
        http = Http(session, http_settings(connection), idempotency_key="run-2")
        http.tried_ago = tried_ago
        try:
            if operation == "check":
                return await check(connection, http)
            return await getattr(make_billing(connection, http), operation)(*arguments)
        except VendorError as error:
            error.add_note(json.dumps(http.exchanges))
            raise


def order(reference: str = "JOB-1", **values: Any) -> Invoice:
    return Invoice(reference, **({"currency": "usd", "lines": (InvoiceLine("Boiler", Decimal("120.50")),)} | values))


@pytest.fixture
async def vendor() -> AsyncIterator[Recorder]:
    async with recording() as recorder:
        yield recorder


def fields(vendor: Recorder, number: int) -> dict[str, str]:
    return dict(parse_qsl(vendor.requests[number].body.decode(), keep_blank_values=True))


# --------------------------------------------------------------------------------------------------- what is sent


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


# -------------------------------------------------------------------------------------------------------- errors


def error(kind: str, code: str = "", message: str = "why", **more: Any) -> dict[str, Any]:
    body = {"type": kind, "message": message, **({"code": code} if code else {}), **more}
    return {"error": body}


@pytest.mark.parametrize(
    ("status", "body", "fate", "mend"),
    [
        (400, error("invalid_request_error", "parameter_missing"), "permanent", "why"),
        (400, error("invalid_request_error", "email_invalid"), "permanent", "correct the contact's e-mail"),
        (400, error("invalid_request_error", "amount_too_small"), "permanent", "half a dollar"),
        (400, error("invalid_request_error", "testmode_charges_only"), "human", "activation"),
        (400, error("invalid_request_error", "lock_timeout"), "transient", "why"),
        (401, error("invalid_request_error"), "human", "restricted key"),
        (401, error("invalid_request_error", "api_key_expired"), "human", "restricted key"),
        (402, error("card_error", "card_declined", decline_code="insufficient_funds"), "permanent", "card_declined"),
        (402, error("invalid_request_error"), "human", "Dashboard"),
        (403, error("invalid_request_error", "more_permissions_required"), "human", "give the key this permission"),
        (403, error("invalid_request_error"), "human", "give the key this permission"),
        (404, error("invalid_request_error"), "permanent", "why"),
        (
            404,
            error(
                "invalid_request_error",
                "resource_missing",
                "No such invoice: 'in_1'; a similar object exists in live mode, but a test mode key was used",
            ),
            "human",
            "use the key of that mode",
        ),
        (409, error("idempotency_error", "idempotency_key_in_use"), "transient", "idempotency_key_in_use"),
        (409, error("invalid_request_error"), "transient", "why"),
        (429, error("invalid_request_error", "rate_limit"), "transient", "rate_limit"),
        (429, error("invalid_request_error", "lock_timeout"), "transient", "lock_timeout"),
        (500, error("api_error"), "transient", "why"),
        (503, error("api_error"), "transient", "why"),
        (400, {"error": None}, "permanent", "400"),
        (400, {"error": {"type": 5, "code": [], "message": {}}}, "permanent", "400"),
        (400, [], "permanent", "400"),
        (302, {}, "permanent", "302"),
    ],
)
async def test_errors(vendor: Recorder, status: int, body: Any, fate: str, mend: str) -> None:
    vendor.answer(body, status=status)
    with pytest.raises(VendorError) as caught:
        await ask(vendor.url, "fetch_invoice", "in_1")
    assert (caught.value.fate, caught.value.status) == (fate, status)
    assert mend in str(caught.value)
    assert KEY not in str(caught.value) + "".join(caught.value.__notes__)
    sent = {"Content-Type": "application/json"}
    if isinstance(body, dict) and isinstance((body.get("error") or {}).get("message"), str):
        validate_response("stripe", "GET", "/v1/invoices/in_1", status, sent, json.dumps(body))


async def test_stripes_word_that_a_repeat_helps_is_taken(vendor: Recorder) -> None:
    vendor.answer(error("invalid_request_error"), status=400, headers={"Stripe-Should-Retry": "true"})
    with pytest.raises(TransientError):
        await ask(vendor.url, "fetch_invoice", "in_1")


@pytest.mark.parametrize("status", [200, 201])
@pytest.mark.parametrize("body", [None, [], "text", {}, {"object": 5}, {"object_v2": "invoice"}])
async def test_an_answer_that_is_not_stripes_is_no_success(vendor: Recorder, body: Any, status: int) -> None:
    vendor.answer(json.dumps(body), status=status)
    with pytest.raises(TransientError, match="not one of Stripe's") as caught:
        await ask(vendor.url, "fetch_invoice", "in_1")
    assert caught.value.unsure


HOSTILE: list[Any] = [None, [], {}, "", 1.5, True, -1, 10**30, [None], ["x"], [{"id": 5}]]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("key", sorted(OPEN))
async def test_an_invoice_of_wrong_types_is_a_clear_error(vendor: Recorder, key: str, value: Any) -> None:
    vendor.answer(OPEN | {key: value})
    try:
        found = await ask(vendor.url, "fetch_invoice", "in_1")
    except VendorError as problem:
        assert "Stripe" in str(problem) or "currency" in str(problem)  # noqa: PT017 - or it is read
    else:
        assert isinstance(found, InvoiceState)


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("key", ["data", "has_more", "object"])
@pytest.mark.parametrize("operation", ["push_customer", "create_invoice"])
async def test_a_list_of_wrong_types_is_a_clear_error(vendor: Recorder, operation: str, key: str, value: Any) -> None:
    arguments = {"push_customer": (SARAH, ""), "create_invoice": ("cus_1", order())}[operation]
    vendor.answer(NONE | {key: value})
    for _ in range(8):
        vendor.answer({"object": "x", "id": [], "data": value, "metadata": 5, "status": 1})
    with pytest.raises(VendorError):
        await ask(vendor.url, operation, *arguments)


@pytest.mark.parametrize("metadata", [None, [], "x", {"mainstay_contact": 5, "mainstay_reference": []}])
async def test_metadata_of_wrong_types_finds_nothing(vendor: Recorder, metadata: Any) -> None:
    vendor.answer(NONE | {"data": [CUSTOMER | {"metadata": metadata, "email": 5, "created": "x"}]})
    vendor.answer(FOUND_NONE)
    vendor.answer(CUSTOMER)
    assert await ask(vendor.url, "push_customer", SARAH, "") == Pushed("cus_1", created=True)


# ------------------------------------------------------------------------------------------- against the sandbox


@pytest.fixture(scope="module")
def process() -> Iterator[SandboxProcess]:
    with SandboxProcess() as running:
        yield running


@pytest.fixture
async def sandbox(process: SandboxProcess) -> AsyncIterator[SandboxProcess]:
    await process.aio.reset()
    yield process
    for record in await process.aio.requests("stripe"):
        is_whole = record["answer"] is None or len(record["answer"]["body"]) < RECORDED
        validate_recorded(record if is_whole else record | {"answer": None})


async def kept(sandbox: SandboxProcess, kind: str) -> list[dict[str, Any]]:
    return [each for each in (await sandbox.aio.state("stripe"))[kind] if not each.get("deleted")]


async def test_what_is_known_of_a_contact_is_written(sandbox: SandboxProcess) -> None:
    url = sandbox.sandbox.url("stripe")
    await ask(url, "push_customer", replace(SARAH, phone="+13125550147"), "")
    (customer,) = await kept(sandbox, "customers")
    assert (customer["email"], customer["name"], customer["phone"]) == (
        "sarah@example.com",
        "Zoë 李 Groß",
        "+13125550147",
    )
    assert customer["metadata"] == {"mainstay_contact": str(UUID(int=1)), "company": "Blitz"}
    await ask(url, "push_customer", replace(SARAH, first_name="", last_name=""), customer["id"])
    assert [each["name"] for each in await kept(sandbox, "customers")] == ["Blitz"]


async def test_a_customer_is_found_by_our_mark_when_the_email_changed(sandbox: SandboxProcess) -> None:
    url = sandbox.sandbox.url("stripe")
    made = await ask(url, "push_customer", SARAH, "")
    again = await ask(url, "push_customer", replace(SARAH, email="zoe@example.com"), "")
    assert again == Pushed(made.external_id)
    assert [each["email"] for each in await kept(sandbox, "customers")] == ["zoe@example.com"]


async def test_of_several_with_one_address_the_oldest_is_taken_and_ours_before_it(sandbox: SandboxProcess) -> None:
    url = sandbox.sandbox.url("stripe")
    same = {"email": "sarah@example.com"}
    ours = {**same, "metadata": {"mainstay_contact": str(SARAH.id)}, "created": 300}
    await sandbox.aio.seed("stripe", "customers", [{**same, "created": 200}, {**same, "created": 100}])
    first, second = await kept(sandbox, "customers")
    assert (await ask(url, "push_customer", SARAH, "")).external_id == second["id"]
    await sandbox.aio.reset()
    await sandbox.aio.seed("stripe", "customers", [{**same, "created": 200}, ours])
    first, second = await kept(sandbox, "customers")
    assert (await ask(url, "push_customer", SARAH, "")).external_id == second["id"] != first["id"]


async def test_a_search_that_lags_makes_no_second_customer(sandbox: SandboxProcess) -> None:
    await sandbox.aio.configure("stripe", search_lag_ms=60_000)
    url, nameless = sandbox.sandbox.url("stripe"), replace(SARAH, email="", phone="+13125550147")
    made = await ask(url, "push_customer", nameless, "")
    assert await ask(url, "push_customer", nameless, "") == Pushed(made.external_id)
    with pytest.raises(TransientError, match="a moment ago") as caught:
        await ask(url, "push_customer", replace(nameless, first_name="Z"), "")
    assert caught.value.retry_after == 60
    assert len(await kept(sandbox, "customers")) == 1
    await sandbox.aio.configure("stripe", search_lag_ms=0)
    assert await ask(url, "push_customer", replace(nameless, first_name="Z"), "") == Pushed(made.external_id)


async def test_without_a_search_the_list_by_email_does(sandbox: SandboxProcess) -> None:
    await sandbox.aio.configure("stripe", has_search=False)
    url = sandbox.sandbox.url("stripe")
    made = await ask(url, "push_customer", SARAH, "")
    assert await ask(url, "push_customer", replace(SARAH, first_name="Z"), "") == Pushed(made.external_id)
    assert len(await kept(sandbox, "customers")) == 1


async def test_a_customer_deleted_within_its_keys_day_is_made_anew(sandbox: SandboxProcess) -> None:
    url = sandbox.sandbox.url("stripe")
    made = await ask(url, "push_customer", SARAH, "")
    async with open_session() as session:
        http = Http(session, http_settings(settings(base_url=url)))
        await http.request("DELETE", f"/v1/customers/{made.external_id}")

    anew = await ask(url, "push_customer", SARAH, made.external_id)

    assert anew.created
    assert [each["id"] for each in await kept(sandbox, "customers")] == [anew.external_id]


@pytest.mark.parametrize("breaks", ["before", "after"])
async def test_a_try_that_broke_at_stripe_is_looked_for_and_has_another_key(
    sandbox: SandboxProcess, breaks: str
) -> None:
    url = sandbox.sandbox.url("stripe")
    await sandbox.aio.configure("stripe", breaks=breaks)
    with pytest.raises(TransientError) as caught:
        await ask(url, "push_customer", SARAH, "")
    assert caught.value.unsure
    customer = (await ask(url, "push_customer", SARAH, "")).external_id
    assert [each["id"] for each in await kept(sandbox, "customers")] == [customer]

    for number in range(3):
        reference = f"JOB-{number}"
        for call in range(number):  # an invoice and its lines are made one after the other
            await sandbox.aio.set_fault("stripe", "status", status=503, path="/v1/invoiceitems", count=1, skip=call)
            with pytest.raises(TransientError):
                await ask(url, "create_invoice", customer, order(reference, lines=(InvoiceLine("x", Decimal(1)),) * 3))
            await sandbox.aio.clear("stripe")
        await sandbox.aio.configure("stripe", breaks=breaks)
        with pytest.raises(TransientError):
            await ask(url, "create_invoice", customer, order(reference, lines=(InvoiceLine("x", Decimal(1)),) * 3))
        await ask(url, "create_invoice", customer, order(reference, lines=(InvoiceLine("x", Decimal(1)),) * 3))
        (made,) = [
            each for each in await kept(sandbox, "invoices") if each["metadata"]["mainstay_reference"] == reference
        ]
        assert (made["status"], made["total"], len(made["lines"]["data"])) == ("open", 300, 3)


async def test_when_stripe_forgot_the_keys_the_reference_is_found(sandbox: SandboxProcess) -> None:
    await sandbox.aio.configure("stripe", key_ms=0)
    url = sandbox.sandbox.url("stripe")
    customer = (await ask(url, "push_customer", SARAH, "")).external_id
    await sandbox.aio.set_fault("stripe", "timeout_after", path="/v1/invoiceitems", count=1, skip=1, hold_ms=0)
    lines = (InvoiceLine("x", Decimal(1)), InvoiceLine("y", Decimal(2)), InvoiceLine("z", Decimal(3)))
    with pytest.raises(TransientError):
        await ask(url, "create_invoice", customer, order(lines=lines))
    made = await ask(url, "create_invoice", customer, order(lines=lines))
    (found,) = await kept(sandbox, "invoices")
    assert (found["id"], found["total"], len(found["lines"]["data"])) == (made.id, 600, 3)


async def test_a_key_in_use_is_waited_for(sandbox: SandboxProcess) -> None:
    await sandbox.aio.configure("stripe", in_use=1)
    url = sandbox.sandbox.url("stripe")
    with pytest.raises(TransientError, match="idempotency_key_in_use") as caught:
        await ask(url, "push_customer", SARAH, "")
    assert (caught.value.status, caught.value.retry_after, caught.value.unsure) == (409, 2.0, False)
    assert (await ask(url, "push_customer", SARAH, "")).created


async def test_a_reference_is_found_beyond_many_pages(sandbox: SandboxProcess) -> None:
    url = sandbox.sandbox.url("stripe")
    customer = (await ask(url, "push_customer", SARAH, "")).external_id
    made = await ask(url, "create_invoice", customer, order())
    others = [{"customer": customer, "metadata": {"mainstay_reference": f"OLD-{n}"}} for n in range(250)]
    await sandbox.aio.seed("stripe", "drafts", others)
    assert (await ask(url, "create_invoice", customer, order())).id == made.id
    pages = [each for each in await sandbox.aio.requests("stripe") if "starting_after" in each["url"]]
    assert len(pages) == 2


async def test_a_draft_that_a_person_changed_is_not_finalised(sandbox: SandboxProcess) -> None:
    url = sandbox.sandbox.url("stripe")
    customer = (await ask(url, "push_customer", SARAH, "")).external_id
    await sandbox.aio.set_fault("stripe", "status", status=503, path="*/finalize", count=1)
    with pytest.raises(TransientError):
        await ask(url, "create_invoice", customer, order())
    dearer = order(lines=(InvoiceLine("Boiler", Decimal("130.50")),))
    with pytest.raises(PermanentError, match=r"comes to 120\.50 USD, not 130\.50 USD: delete that draft"):
        await ask(url, "create_invoice", customer, dearer)
    assert [each["status"] for each in await kept(sandbox, "invoices")] == ["draft"]


async def test_a_draft_deleted_within_its_keys_day_is_made_anew(sandbox: SandboxProcess) -> None:
    url = sandbox.sandbox.url("stripe")
    customer = (await ask(url, "push_customer", SARAH, "")).external_id
    await sandbox.aio.set_fault("stripe", "status", status=503, path="*/finalize", count=1)
    with pytest.raises(TransientError):
        await ask(url, "create_invoice", customer, order())
    (draft,) = await kept(sandbox, "invoices")
    await ask(url, "void_invoice", draft["id"])
    assert await kept(sandbox, "invoices") == []
    assert await ask(url, "void_invoice", draft["id"], tried_ago=5.0) is None

    made = await ask(url, "create_invoice", customer, order())

    assert made.id != draft["id"]
    assert [each["status"] for each in await kept(sandbox, "invoices")] == ["open"]


async def test_a_customer_without_an_address_cannot_be_billed(sandbox: SandboxProcess) -> None:
    url = sandbox.sandbox.url("stripe")
    customer = (await ask(url, "push_customer", replace(SARAH, email="", phone="+13125550147"), "")).external_id
    with pytest.raises(PermanentError, match="Missing email"):
        await ask(url, "create_invoice", customer, order())


async def test_an_invoice_of_nothing_is_paid_at_once(sandbox: SandboxProcess) -> None:
    url = sandbox.sandbox.url("stripe")
    customer = (await ask(url, "push_customer", SARAH, "")).external_id
    made = await ask(url, "create_invoice", customer, order(lines=(InvoiceLine("Goodwill", Decimal(0)),)))
    assert (await ask(url, "fetch_invoice", made.id)).status == "paid"


async def test_yen_go_whole(sandbox: SandboxProcess) -> None:
    url = sandbox.sandbox.url("stripe")
    customer = (await ask(url, "push_customer", SARAH, "")).external_id
    made = await ask(url, "create_invoice", customer, order(currency="JPY", lines=(InvoiceLine("x", Decimal(1200)),)))
    state = await ask(url, "fetch_invoice", made.id)
    assert (state.currency, state.total, state.paid) == ("JPY", "1200", "0")


async def test_a_due_date_that_is_past_is_refused_by_stripe(sandbox: SandboxProcess) -> None:
    url = sandbox.sandbox.url("stripe")
    customer = (await ask(url, "push_customer", SARAH, "")).external_id
    with pytest.raises(PermanentError, match="must be in the future"):
        await ask(url, "create_invoice", customer, order(due=datetime.now(UTC).date() - timedelta(days=2)))


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
