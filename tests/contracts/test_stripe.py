"""The sandbox's Stripe keeps Stripe's contract, and the checks that say so refuse what Stripe would."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from mainstay.sandbox import Sandbox, SandboxProcess
from tests.contracts.vendor_specs import specs_folder, validate_recorded, validate_request, validate_response
from tests.contracts.vendors.stripe import decode, wrong_object
from tests.sandbox.wire import Answer, call

HEADERS = {
    "Authorization": "Bearer rk_test_1",
    "Stripe-Version": "2023-08-16",
    "Content-Type": "application/x-www-form-urlencoded",
}


@pytest.fixture(scope="module")
def process() -> Iterator[SandboxProcess]:
    specs_folder()
    with SandboxProcess() as running:
        yield running


@pytest.fixture
def sandbox(process: SandboxProcess) -> Sandbox:
    process.sandbox.reset()
    return process.sandbox


def ask(sandbox: Sandbox, method: str, path: str, key: str = "", /, **form: str) -> Answer:
    """Make a call that is held against the contract both ways."""
    url, headers, body = f"{sandbox.url('stripe')}{path}", headers_of(key), urlencode(form).encode() or None
    validate_request("stripe", method, url, headers, body)
    return answered(sandbox, method, path, key, **form)


def answered(sandbox: Sandbox, method: str, path: str, key: str = "", /, **form: str) -> Answer:
    """Make a call whose answer alone is held against the contract."""
    body = urlencode(form).encode() if method == "POST" else None
    answer = call(method, f"{sandbox.url('stripe')}{path}", body, headers_of(key))
    validate_response("stripe", method, f"/stripe{path}", answer.status, answer.headers, answer.body)
    return answer


def headers_of(key: str) -> dict[str, str]:
    return HEADERS | ({"Idempotency-Key": key} if key else {})


DUE = {"collection_method": "send_invoice", "days_until_due": "30"}


def test_every_call_of_the_sandbox(sandbox: Sandbox) -> None:
    customer = ask(
        sandbox, "POST", "/v1/customers", "a", **{"email": "zoe@example.com", "name": "Zoë", "metadata[k]": "v"}
    ).json()["id"]
    ask(sandbox, "POST", f"/v1/customers/{customer}", **{"metadata[k]": "", "phone": "+13125550147"})
    invoice = ask(sandbox, "POST", "/v1/invoices", customer=customer, currency="usd", **DUE).json()["id"]
    draft = ask(sandbox, "POST", "/v1/invoices", customer=customer).json()["id"]
    ask(sandbox, "POST", "/v1/invoiceitems", customer=customer, invoice=invoice, amount="12050", currency="usd")
    price = {"price_data[currency]": "usd", "price_data[product]": "prod_1", "price_data[unit_amount_decimal]": "12.5"}
    ask(sandbox, "POST", "/v1/invoiceitems", customer=customer, invoice=invoice, quantity="8", **price)
    statuses = [
        ask(sandbox, "POST", f"/v1/invoices/{invoice}/finalize", auto_advance="false").status,
        ask(sandbox, "GET", f"/v1/invoices/{invoice}").status,
        ask(sandbox, "GET", f"/v1/invoices?customer={customer}&limit=1").status,
        ask(sandbox, "GET", f"/v1/invoices?customer={customer}&starting_after={draft}").status,
        ask(sandbox, "GET", f"/v1/invoiceitems?invoice={invoice}&limit=100").status,
        ask(sandbox, "GET", "/v1/customers?email=zoe%40example.com").status,
        ask(sandbox, "GET", "/v1/customers/search?" + urlencode({"query": 'email:"ZOE@example.com"'})).status,
        ask(sandbox, "POST", f"/v1/invoices/{invoice}/pay", paid_out_of_band="true").status,
        ask(sandbox, "DELETE", f"/v1/invoices/{draft}").status,
        ask(sandbox, "DELETE", f"/v1/customers/{customer}").status,
        ask(sandbox, "GET", f"/v1/customers/{customer}").status,
        ask(sandbox, "GET", "/v1/account").status,
        ask(sandbox, "GET", "/v1/events?type=invoice.paid&created%5Bgte%5D=1").status,
    ]
    assert statuses == [200] * len(statuses)
    refusals = [
        answered(sandbox, "POST", "/v1/customers", emial="x").status,
        ask(sandbox, "POST", "/v1/customers", email="x").status,
        ask(sandbox, "POST", "/v1/invoices", customer="cus_none").status,
        ask(sandbox, "POST", f"/v1/invoices/{invoice}/void").status,
        ask(sandbox, "POST", f"/v1/invoices/{invoice}/finalize").status,
        ask(sandbox, "GET", "/v1/invoices/in_none").status,
        ask(sandbox, "GET", "/v1/customers/cus_none").status,
        ask(sandbox, "GET", "/v1/customers?limit=101").status,
        ask(sandbox, "POST", "/v1/customers", "a", email="other@example.com").status,
    ]
    assert refusals == [400, 400, 400, 400, 400, 404, 404, 400, 400]
    for record in sandbox.requests("stripe"):
        if "emial" not in record["body"]:
            validate_recorded(record)


def test_every_event_of_the_sandbox(sandbox: Sandbox) -> None:
    customer = ask(sandbox, "POST", "/v1/customers", email="zoe@example.com").json()["id"]
    for number in range(2):
        invoice = ask(sandbox, "POST", "/v1/invoices", customer=customer, **DUE).json()["id"]
        ask(sandbox, "POST", "/v1/invoiceitems", customer=customer, invoice=invoice, amount="100", currency="usd")
        ask(sandbox, "POST", f"/v1/invoices/{invoice}/finalize")
        if number:
            ask(sandbox, "POST", f"/v1/invoices/{invoice}/void")
        else:
            sandbox.seed("stripe", "payments", [{"invoice": invoice}])
    events = sandbox.state("stripe")["events"]
    assert {event["type"] for event in events} >= {"customer.created", "invoice.paid", "payment_intent.succeeded"}
    for event in events:
        assert wrong_object(event) == ""
        assert wrong_object(event["data"]["object"]) == ""


@pytest.mark.parametrize("status", [401, 402, 403, 409, 429, 500, 503])
def test_status_faults_have_stripes_shape(sandbox: Sandbox, status: int) -> None:
    sandbox.set_fault("stripe", "status", status=status, retry_after=1)
    answer = ask(sandbox, "GET", "/v1/customers")
    assert (answer.status, answer.headers["Retry-After"]) == (status, "1")


@pytest.mark.parametrize(
    ("method", "path", "body", "why"),
    [
        ("POST", "/v1/customers", "emial=x", "'emial' was unexpected"),
        ("POST", "/v1/customers", "name=x&name=y", "stands there twice"),
        ("POST", "/v1/customers", "metadata=x", "metadata"),
        ("POST", "/v1/customers", "metadata[a][b]=x", "metadata"),
        ("POST", "/v1/customers", "coupon=x", "today's parameters"),
        ("POST", "/v1/customers", "metadata[a=x", "brackets that do not fit"),
        ("POST", "/v1/customers?email=x", "name=x", "parameters in the body"),
        ("POST", "/v1/invoices", "days_until_due=soon", "days_until_due"),
        ("POST", "/v1/invoices", "auto_advance=yes", "auto_advance"),
        ("POST", "/v1/invoices", "collection_method=letter", "collection_method"),
        ("POST", "/v1/invoiceitems", "amount=100", "customer"),
        ("POST", "/v1/invoiceitems", "customer=cus_1&amount=1.5", "amount"),
        ("POST", "/v1/invoiceitems", "customer=cus_1&unit_amount=100", "today's parameters"),
        ("POST", "/v1/invoiceitems", "customer=cus_1&price_data[currency]=usd", "product"),
        ("GET", "/v1/customers?mail=x", "", "'mail' was unexpected"),
        ("GET", "/v1/customers?limit=many", "", "limit"),
        ("GET", "/v1/customers/search?limit=1", "", "query"),
        ("GET", "/v1/customers", "limit=1", "a body where the contract has none"),
        ("PUT", "/v1/customers/cus_1", "name=x", "no such operation"),
        ("POST", "/v1/nothing", "", "no such operation"),
    ],
)
def test_what_stripe_would_refuse_is_refused(method: str, path: str, body: str, why: str) -> None:
    with pytest.raises(AssertionError, match=why):
        validate_request("stripe", method, path, HEADERS, body)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"Authorization": ""}, "no Authorization"),
        ({"Stripe-Version": "2026-10-28.endive"}, "the contract is of 2023-08-16"),
        ({"Content-Type": "application/json"}, "Stripe takes"),
        ({"Idempotency-Key": "x" * 256}, "at most 255"),
    ],
)
def test_headers_are_held_to_it_too(changes: dict[str, str], why: str) -> None:
    with pytest.raises(AssertionError, match=why):
        validate_request("stripe", "POST", "/v1/customers", HEADERS | changes, "name=x")


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [
        ('{"id": "cus_1", "object": "customer", "created": 1}', 200, "livemode"),
        ('{"id": 5, "object": "customer", "created": 1, "livemode": true}', 200, "id"),
        ('{"id": "cus_1", "object": "customer", "created": 1, "livemode": true, "mood": 1}', 200, "mood"),
        ('{"error": "x"}', 400, "error"),
    ],
)
def test_answers_are_held_to_it(body: str, status: int, why: str) -> None:
    sent = {"Content-Type": "application/json"}
    with pytest.raises(AssertionError, match=why):
        validate_response("stripe", "POST", "/v1/customers/cus_1", status, sent, body)


@pytest.mark.parametrize(
    ("pairs", "decoded"),
    [
        ((("a", "1"),), {"a": "1"}),
        ((("a[b]", "1"), ("a[c][d]", "2")), {"a": {"b": "1", "c": {"d": "2"}}}),
        ((("a[]", "1"), ("a[]", "2")), {"a": {"0": "1", "1": "2"}}),
        ((("a[0][b]", "1"), ("a[1][b]", "2")), {"a": {"0": {"b": "1"}, "1": {"b": "2"}}}),
    ],
)
def test_brackets_are_decoded(pairs: Any, decoded: Any) -> None:
    assert decode(pairs) == decoded
