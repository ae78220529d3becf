"""Stripe's events: fixtures, signature and its age, hostile payloads, customers that are read."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mainstay.connectors.stripe.billing import http_settings
from mainstay.connectors.stripe.events import fetch, parse
from mainstay.connectors.stripe.settings import StripeConnection, StripeSource
from mainstay.connectors.stripe.webhook import delivery_key, verify
from mainstay.kit import Event, Http, MalformedError, NotAuthenticError
from mainstay.kit.http import open_session
from mainstay.kit.signature import from_epoch
from mainstay.sandbox.vendors.stripe_events import customer_created, signed
from tests.contracts.vendor_specs import specs_folder
from tests.contracts.vendors.stripe import wrong_object
from tests.kit.recorder import Recorder, recording
from tests.sources import changed, load, names, plain, request, vector

FIXTURES = Path(__file__).parent / "fixtures"
OF_2023 = [name for name in names(FIXTURES) if name not in {"invoice_paid_of_2026", "unknown", "thin"}]
HOSTILE: list[Any] = [None, [], {}, "", "x", "\x00\ud83d", 0, -1, 1.5, True, 10**30, [1], {"id": []}, [{"payment": 1}]]


def source(secret: Any = "whsec_sample", **values: Any) -> StripeSource:
    return StripeSource.model_validate({"kind": "stripe", "secret": secret, **values})


@pytest.mark.parametrize("name", names(FIXTURES))
def test_fixtures(name: str) -> None:
    made, values, expected = load(FIXTURES, name)
    assert delivery_key(made, source(**values)) == expected["delivery_key"]
    assert plain(parse(made, source(**values))) == expected["events"]


@pytest.mark.parametrize("name", OF_2023)
def test_fixtures_keep_stripes_contract(name: str) -> None:
    specs_folder()
    event = json.loads((FIXTURES / f"{name}.json").read_text())["body"]
    assert wrong_object(event) == ""
    assert wrong_object(event["data"]["object"]) == ""


def test_one_payment_is_told_once_whatever_of_its_events_come() -> None:
    for values in ({}, {"payments": "payment_intents"}):
        told = [
            event.type
            for name in ("intent_succeeded", "invoice_paid")
            for event in parse(load(FIXTURES, name)[0], source(**values))
        ]
        assert told.count("payment.received") == 1
        told = [
            event.type
            for name in ("intent_succeeded", "checkout_completed")
            for event in parse(load(FIXTURES, name)[0], source(**values))
        ]
        assert told.count("payment.received") == 1


@given(st.permutations(["invoice_paid", "invoice_finalized", "invoice_voided"]))
def test_of_one_second_the_state_counts_that_can_only_come_later(order: list[str]) -> None:
    records = [event.record for name in order for event in parse(load(FIXTURES, name)[0], source())]
    at = {one.fields["status"]: one.changed_at for one in records if one and one.type == "invoice" and one.changed_at}
    assert at["open"] < at["void"] < at["paid"]
    assert at["paid"] - at["open"] < timedelta(seconds=1)


# ------------------------------------------------------------------------------------------------------ signatures


def check(name: str = "stripe-v1", *, body: str = "", header: str = "", late: float = 0.0, secret: Any = None) -> str:
    known = vector(name)
    headers = {"Stripe-Signature": header or known["header_value"]}
    at = from_epoch(known.get("timestamp", 1_600_000_000)) + timedelta(seconds=late)
    return verify(request(body or known["body"], headers, received_at=at), source(secret or known["secret"]))


@pytest.mark.parametrize("name", ["stripe-v1", "stripe-two-v1-rotation"])
def test_stripes_vectors_pass_and_a_changed_byte_fails(name: str) -> None:
    assert check(name) == "signature ok"
    assert check(name, secret=["whsec_new", vector(name)["secret"]]) == "signature ok"
    with pytest.raises(NotAuthenticError, match="does not fit"):
        check(name, body=changed(vector(name)["body"]))
    with pytest.raises(NotAuthenticError, match="does not fit"):
        check(name, secret="whsec_another")
    with pytest.raises(NotAuthenticError, match="does not fit"):
        check(name, header=vector(name)["header_value"].replace("t=16", "t=17"))


@pytest.mark.parametrize("name", ["stripe-v0-only", "stripe-malformed"])
def test_stripes_bad_vectors_fail(name: str) -> None:
    with pytest.raises(NotAuthenticError, match="no time"):
        check(name)


@pytest.mark.parametrize(("late", "is_good"), [(299, True), (301, False), (-299, True), (-301, False)])
def test_the_window_is_five_minutes(late: float, is_good: bool) -> None:
    if is_good:
        assert check(late=late) == "signature ok"
        return
    with pytest.raises(NotAuthenticError, match="300 s off"):
        check(late=late)


def test_a_missing_signature_is_named() -> None:
    with pytest.raises(NotAuthenticError, match="Stripe-Signature is missing"):
        verify(request({}), source())


@given(st.text(max_size=80), st.binary(max_size=80))
def test_whatever_is_sent_there_is_no_other_error(header: str, body: bytes) -> None:
    made = request(body, {"Stripe-Signature": header})
    with pytest.raises(NotAuthenticError):
        verify(made, source())
    delivery_key(made, source())
    with suppress(MalformedError):
        parse(made, source())


def test_what_the_sandbox_sends_is_taken() -> None:
    at = datetime(2026, 3, 2, 10, 5, tzinfo=UTC)
    person = {"email": "zoe@example.com", "first_name": "Zoë", "last_name": "Groß", "company": "Groß & Co"}
    made = customer_created(person, "whsec_sample", key="k", at=at)
    arrived = request(made.body, made.headers, received_at=at)
    assert verify(arrived, source()) == "signature ok"
    (event,) = parse(arrived, source())
    assert event.submission is not None
    assert (event.submission.email, event.submission.name, event.submission.company) == (
        "zoe@example.com",
        "Zoë Groß",
        "Groß & Co",
    )
    late = signed({"id": "evt_1"}, "whsec_sample", at - timedelta(minutes=6))
    with pytest.raises(NotAuthenticError, match="300 s off"):
        verify(request(late.body, late.headers, received_at=at), source())


# -------------------------------------------------------------------------------------------------- hostile events


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every path into a payload."""
    if path:
        yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in entries:
        yield from places(each, (*path, key))


@pytest.mark.parametrize("name", names(FIXTURES))
def test_a_wrong_type_anywhere_is_a_clear_error_or_no_error(name: str) -> None:
    fixture = json.loads((FIXTURES / f"{name}.json").read_text())
    settings = source(**fixture["settings"])
    for path in places(fixture["body"]):
        for value in HOSTILE:
            body = copy.deepcopy(fixture["body"])
            at = body
            for part in path[:-1]:
                at = at[part]
            at[path[-1]] = value
            made = request(json.dumps(body))
            delivery_key(made, settings)
            with suppress(MalformedError):
                for event in parse(made, settings):
                    json.dumps(dict(event.data))
                    assert event.record is None or event.record == event.record.canonical()


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"id": "evt_1"}',
        '{"id": "evt_1", "type": "invoice.paid", "object": "event"}',
        '{"type": 1}',
    ],
)
def test_what_is_no_event_says_how_to_mend_it(body: str) -> None:
    with pytest.raises(MalformedError):
        parse(request(body), source())


def test_an_amount_of_another_type_is_named() -> None:
    body = json.loads((FIXTURES / "invoice_paid.json").read_text())["body"]
    body["data"]["object"]["amount_paid"] = "120.50"
    with pytest.raises(MalformedError, match=r"data\.object\.amount_paid is a text, not a whole number"):
        parse(request(body), source())


# ------------------------------------------------------------------------------------------------ customers are read


@pytest.fixture
async def vendor() -> Any:
    async with recording() as recorder:
        yield recorder


async def fetched(vendor: Recorder, event: Event, **values: Any) -> Event:
    settings = StripeConnection.model_validate({"connector": "stripe", "api_key": "rk_1", "base_url": vendor.url})
    async with open_session() as session:
        return await fetch(event, source(**values), Http(session, http_settings(settings)))


def customer() -> Any:
    return json.loads((FIXTURES / "customer_created.json").read_text())["body"]["data"]["object"]


async def test_a_customer_that_is_named_by_its_id_is_read(vendor: Recorder) -> None:
    (event,) = parse(load(FIXTURES, "subscription_created")[0], source(connection="stripe"))
    vendor.answer(customer())

    read = await fetched(vendor, event, connection="stripe")

    assert vendor.requests[0].path == "/v1/customers/cus_NffrFeUfNV2Hib"
    assert read.submission is not None
    assert (read.submission.email, read.submission.external_id) == ("Zoe.Gross@example.com", "cus_NffrFeUfNV2Hib")
    assert (read.type, read.data) == (event.type, event.data)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ({"id": "cus_1", "object": "customer", "deleted": True}, 200),
        ({"error": {"type": "invalid_request_error", "code": "resource_missing", "message": "No such customer"}}, 404),
        ({"id": "cus_1", "object": "customer", "email": [], "phone": 5.5, "metadata": 1, "name": {}}, 200),
    ],
)
async def test_a_customer_that_is_gone_leaves_the_event_without_one(vendor: Recorder, answer: Any, status: int) -> None:
    vendor.answer(answer, status=status)
    event = Event("subscription.deleted", data={"customer": "cus_1"})
    read = await fetched(vendor, event, connection="stripe")
    assert read.submission is None or read.submission.email == ""


@pytest.mark.parametrize(
    ("data", "values"),
    [({"customer": "cus_1"}, {}), ({}, {"connection": "stripe"}), ({"customer": 5}, {"connection": "stripe"})],
)
async def test_without_connection_or_id_nothing_is_read(
    vendor: Recorder, data: dict[str, Any], values: dict[str, Any]
) -> None:
    event = Event("subscription.deleted", data=data)
    assert await fetched(vendor, event, **values) == event
    assert vendor.requests == []


@pytest.mark.parametrize(
    ("secret", "mend"), [("sk_live_1", "API key"), ("", "empty"), (["whsec_1", "rk_1"], "API key")]
)
def test_a_secret_that_is_none_is_refused(secret: Any, mend: str) -> None:
    with pytest.raises(ValidationError, match=mend):
        source(secret)
