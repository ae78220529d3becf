from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.connectors.quickbooks.api import http_settings
from mainstay.connectors.quickbooks.settings import QuickBooksConnection, QuickBooksSource
from mainstay.connectors.quickbooks.webhook import delivery_key, fetch, parse, verify
from mainstay.errors import VendorError
from mainstay.kit import Access, Event, Http, MalformedError, NotAuthenticError, RawRequest
from mainstay.kit.http import open_session
from mainstay.kit.signature import hmac_base64
from tests.kit.recorder import Recorder
from tests.kit.test_signature import vector

FIXTURES = Path(__file__).parent / "fixtures"
AT = datetime(2026, 11, 27, 10, 5, tzinfo=UTC)
REALM, TOKEN = "9341455600000000", "verifier-token"


def source(**keys: Any) -> QuickBooksSource:
    given = {"kind": "quickbooks", "connection": "books", "verifier_token": TOKEN, "realm_id": REALM, **keys}
    return QuickBooksSource.model_validate(given)


def arrived(body: Any, signature: str = "") -> RawRequest:
    raw = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    headers = {"content-type": "application/json", "intuit-signature": signature or hmac_base64(TOKEN, raw)}
    return RawRequest("POST", "https://mainstay.example/in/acme/books", headers, raw, AT)


def fixture(name: str) -> Any:
    return json.loads((FIXTURES / name).read_text())


@pytest.mark.parametrize("name", ["quickbooks-cloudevents-payload", "quickbooks-legacy-payload"])
def test_intuits_own_vectors(name: str) -> None:
    case = vector(name)
    request = arrived(case["body"], case["header_value"])
    assert verify(request, source(verifier_token=case["secret"])) == "signature ok"
    settings = source(verifier_token=["new", case["secret"]], realm_id=["1185883450", REALM]["cloud" in name])
    assert verify(request, settings) == "signature ok"
    (event,) = parse(request, settings)
    assert event.type == ("customer.updated" if "cloud" in name else "customer.created")
    for changed in (
        replace(request, body=request.body.replace(b"1", b"2", 1)),
        replace(request, body=request.body + b" "),
        replace(request, headers={"intuit-signature": case["header_value"][::-1]}),
    ):
        with pytest.raises(NotAuthenticError, match="intuit-signature does not fit"):
            verify(changed, settings)


def test_without_a_signature_it_is_not_taken() -> None:
    with pytest.raises(NotAuthenticError, match="intuit-signature is missing"):
        verify(replace(arrived([]), headers={}), source())


@pytest.mark.parametrize("name", ["cloud_events", "notifications"])
def test_what_is_read(name: str) -> None:
    request = arrived(fixture(f"{name}.json"))
    events = parse(request, source())
    told = [[each.type, each.key, each.data.get("id"), each.reason] for each in events]
    assert told == fixture(f"{name}.expected.json")
    assert all(each.time is not None and each.data["realm_id"] == REALM for each in events if not each.reason)


def test_a_delivery_sent_again_is_known_by_its_changes() -> None:
    body = fixture("cloud_events.json")
    first = delivery_key(arrived(body), source())
    assert first == delivery_key(arrived(body[::-1]), source())
    assert first != delivery_key(arrived(body[:-1]), source())
    assert delivery_key(arrived([]), source()) == delivery_key(arrived("{"), source()) == ""


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("", "empty"),
        ("{", "not valid JSON"),
        ("7", "should be a JSON object"),
        ({}, "eventNotifications should be a JSON list"),
        ({"eventNotifications": [7]}, "should be a JSON object"),
        ({"eventNotifications": [{"realmId": REALM, "dataChangeEvent": 7}]}, "dataChangeEvent should be"),
        ({"eventNotifications": [{"realmId": REALM, "dataChangeEvent": {"entities": 7}}]}, "entities should be"),
        ([7], "event 0 should be"),
        ([{"type": "qbo.customer.created.v1", "intuitaccountid": REALM, "intuitentityid": "../1"}], "is no number"),
        ([{"type": {}, "intuitaccountid": REALM}], "type should be a text"),
        ([{"type": "x"}] * 1001, "more than 1000"),
    ],
)
def test_what_is_none_of_intuits_says_why(body: Any, why: str) -> None:
    with pytest.raises(MalformedError, match=why):
        parse(arrived(body), source())


def test_notices_without_changes_are_nothing() -> None:
    assert parse(arrived([]), source()) == []
    assert parse(arrived({"eventNotifications": [{"realmId": REALM}]}), source()) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
    | st.sampled_from([REALM, "58", "qbo.invoice.updated.v1", "Customer", "Create", "2026-03-02T10:04:05Z"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["type", "time", "id", "intuitentityid", "intuitaccountid", "eventNotifications", "realmId", "name",
             "dataChangeEvent", "entities", "operation", "lastUpdated"]
        ),
        inner,
        max_size=6,
    ),
    max_leaves=20,
)  # fmt: skip


@given(st.binary(max_size=60) | JSON)
def test_whatever_arrives_there_is_no_other_error(body: Any) -> None:
    request = arrived(body)
    delivery_key(request, source())
    with suppress(MalformedError):
        parse(request, source())


# -------------------------------------------------------------------------------------------------------- fetch

CUSTOMER = {
    "Id": "58",
    "GivenName": "Zoë",
    "FamilyName": "李",
    "CompanyName": "Rohre & Söhne",
    "PrimaryEmailAddr": {"Address": "zoe@example.com, office@example.com"},
    "PrimaryPhone": {"FreeFormNumber": "(312) 555-0147"},
    "MetaData": {"LastUpdatedTime": "2026-11-27T02:04:05-08:00"},
}
INVOICE = {
    "Id": "130",
    "DocNumber": "1038",
    "TotalAmt": 362.07,
    "Balance": 0,
    "CurrencyRef": {"value": "USD"},
    "CustomerRef": {"value": "58"},
    "PrivateNote": "Reference: JOB-1",
}
PAYMENT = {
    "Id": "77",
    "TotalAmt": 362.07,
    "TxnDate": "2026-11-27",
    "PaymentRefNum": "pi_1",
    "CurrencyRef": {"value": "USD"},
    "CustomerRef": {"value": "58"},
    "Line": [{"Amount": 362.07, "LinkedTxn": [{"TxnId": "130", "TxnType": "Invoice"}, {"TxnType": "CreditMemo"}]}, 7],
}


async def fetched(vendor: Recorder, event: Event, facts: dict[str, str] | None = None) -> Event:
    given = {"connector": "quickbooks", "base_url": vendor.url, "access_token": "t", "realm_id": REALM}
    async with open_session() as session:
        http = Http(session, http_settings(QuickBooksConnection.model_validate(given)))
        http.access = Access("", facts or {})
        return await fetch(event, source(), http)


def notice(kind: str, record_id: str) -> Event:
    return Event(kind, key="k", data={"id": record_id, "realm_id": REALM, "at": "2026-11-27T10:04:05Z"})


async def test_an_invoice_is_that_of_its_customer(vendor: Recorder) -> None:
    vendor.answer({"Invoice": INVOICE})
    vendor.answer({"Customer": CUSTOMER})
    event = await fetched(vendor, notice("invoice.updated", "130"))
    said = event.submission
    assert said is not None
    assert (said.email, said.phone, said.first_name, said.last_name, said.company) == (
        "zoe@example.com", "(312) 555-0147", "Zoë", "李", "Rohre & Söhne",
    )  # fmt: skip
    assert said.occurred_at == datetime(2026, 11, 27, 10, 4, 5, tzinfo=UTC)
    assert (event.type, event.key) == ("invoice.updated", "k")
    assert {key: event.data[key] for key in ("number", "status", "total", "paid", "reference", "customer_id")} == {
        "number": "1038",
        "status": "paid",
        "total": "362.07",
        "paid": "362.07",
        "reference": "JOB-1",
        "customer_id": "58",
    }


async def test_a_payment_says_of_which_invoices_it_is(vendor: Recorder) -> None:
    vendor.answer({"Payment": PAYMENT})
    vendor.answer({"Customer": {"Id": "58", "DisplayName": "Nobody in particular"}})
    event = await fetched(vendor, notice("payment.created", "77"))
    assert event.submission is None
    assert (event.data["reference"], event.data["amount"], event.data["invoice_ids"]) == ("pi_1", "362.07", ["130"])


async def test_what_is_gone_is_told_by_its_id(vendor: Recorder) -> None:
    assert (await fetched(vendor, notice("customer.deleted", "58"))).type == "customer.deleted"
    assert vendor.requests == []
    vendor.answer({"Fault": {"Error": [{"Message": "Object Not Found", "code": "610"}]}}, status=400)
    event = await fetched(vendor, notice("customer.updated", "58"))
    assert (event.type, event.reason) == ("unsupported", "customer 58 does not exist any more")


async def test_a_connection_of_another_company_reads_nothing_into_it(vendor: Recorder) -> None:
    vendor.answer({"Customer": CUSTOMER})
    event = await fetched(vendor, notice("customer.updated", "58"), {"realm_id": "1"})
    assert (event.type, event.submission) == ("unsupported", None)
    assert "of company 1" in event.reason


@pytest.mark.parametrize("wrong", [{"TotalAmt": []}, {"CustomerRef": 7}, {"Line": 7}, {"Line": [{"LinkedTxn": [7]}]}])
@pytest.mark.parametrize("kind", ["invoice", "payment"])
async def test_a_record_of_wrong_types_is_no_error_of_ours(vendor: Recorder, kind: str, wrong: dict[str, Any]) -> None:
    record = (INVOICE if kind == "invoice" else PAYMENT) | wrong
    vendor.answer({kind.capitalize(): record})
    vendor.answer({"Customer": {"Id": "58", "PrimaryEmailAddr": 7, "MetaData": []}})
    with suppress(VendorError):
        assert (await fetched(vendor, notice(f"{kind}.updated", "130"))).submission is None


@pytest.mark.parametrize("keys", [{"realm_id": "acme"}, {"verifier_token": ""}, {"connection": ""}])
def test_settings_of_a_source_say_what_is_wrong(keys: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(keys))):
        source(**keys)
