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
from openapi_schema_validator import OAS31Validator

from mainstay.connectors.xero import CONNECTOR
from mainstay.connectors.xero.api import http_settings
from mainstay.connectors.xero.settings import XeroConnection, XeroSource
from mainstay.connectors.xero.webhook import challenge, delivery_key, fetch, parse, verify
from mainstay.errors import VendorError
from mainstay.kit import Event, Http, MalformedError, NotAuthenticError, RawRequest
from mainstay.kit.http import open_session
from mainstay.kit.signature import hmac_base64
from tests.contracts.vendor_specs import specs_folder
from tests.kit.recorder import Recorder
from tests.kit.test_signature import vector

FIXTURES = Path(__file__).parent / "fixtures"
AT = datetime(2026, 11, 27, 10, 5, tzinfo=UTC)
KEY, TENANT = "signing-key", "aef86862-2015-4b6b-88bc-d89032cecc50"
ID, OTHER = "55d84274-a3da-4829-a7c0-0cab601b95cc", "430fa14a-f945-44d3-9f97-5df5e28441b8"


def source(**keys: Any) -> XeroSource:
    given = {"kind": "xero", "connection": "books", "signing_key": KEY, "tenant_id": TENANT, **keys}
    return XeroSource.model_validate(given)


def arrived(body: Any, signature: str = "") -> RawRequest:
    raw = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    headers = {"content-type": "application/json", "x-xero-signature": signature or hmac_base64(KEY, raw)}
    return RawRequest("POST", "https://mainstay.example/in/acme/books", headers, raw, AT)


def event(category: str = "CONTACT", kind: str = "UPDATE", record: str = ID, **keys: Any) -> dict[str, Any]:
    noun = {"CONTACT": "Contacts", "INVOICE": "Invoices"}.get(category, "CreditNotes")
    return {
        "resourceUrl": f"https://api.xero.com/api.xro/2.0/{noun}/{record}",
        "resourceId": record,
        "eventDateUtc": "2026-11-27T10:04:05.923",
        "eventType": kind,
        "eventCategory": category,
        "tenantId": TENANT,
        "tenantType": "ORGANISATION",
        **keys,
    }


def told(*events: dict[str, Any], entropy: str = "FXNGWLCCGVANWHKILRUB") -> dict[str, Any]:
    return {"events": list(events), "firstEventSequence": 1, "lastEventSequence": len(events), "entropy": entropy}


# -------------------------------------------------------------------------------------------- intent to receive


@pytest.mark.parametrize(("name", "status"), [("xero-intent-to-receive", 200), ("xero-intent-bad", 401)])
def test_the_intent_to_receive(name: str, status: int) -> None:
    case = vector(name)
    reply = challenge(arrived(case["body"], case["header_value"]), source(signing_key=["new", case["secret"]]))
    assert reply is not None
    assert (reply.status, reply.body, dict(reply.headers)) == (status, b"", {})


def test_a_changed_byte_is_401_exactly() -> None:
    case = vector("xero-intent-to-receive")
    settings = source(signing_key=case["secret"])
    good = arrived(case["body"], case["header_value"])
    for changed in (
        replace(good, body=good.body.replace(b"S0m3", b"S0m4")),
        replace(good, body=good.body + b" "),
        replace(good, headers={**good.headers, "x-xero-signature": case["header_value"][::-1]}),
        replace(good, headers={}),
    ):
        reply = challenge(changed, settings)
        assert reply is not None
        assert (reply.status, reply.body) == (401, b"")
        with pytest.raises(NotAuthenticError, match="x-xero-signature"):
            verify(changed, settings)


@pytest.mark.parametrize("body", [told(event()), "", "{", "[]", "{}", '{"events": null}', '{"events": {}}'])
def test_a_delivery_is_no_handshake(body: Any) -> None:
    assert challenge(arrived(body), source()) is None
    assert challenge(replace(arrived(told()), method="GET"), source()) is None


def test_a_delivery_is_answered_without_a_body() -> None:
    (kind,) = CONNECTOR.sources
    assert kind.receipt is not None
    assert (kind.receipt.status, kind.receipt.body) == (200, b"")


# ------------------------------------------------------------------------------------------------------ reading


def test_what_is_read_keeps_xeros_contract() -> None:
    schema = json.loads((specs_folder() / "xero_webhooks.json").read_bytes())
    body = json.loads((FIXTURES / "events.json").read_text())
    errors = OAS31Validator(schema["components"]["schemas"]["WebhookEvent"]).iter_errors(body)
    assert [error.message for error in errors] == []
    request = arrived(body)
    assert verify(request, source()) == "signature ok"
    events = parse(request, source())
    expected = json.loads((FIXTURES / "events.expected.json").read_text())
    assert [[each.type, each.data.get("id"), each.reason] for each in events] == expected
    assert events[0].time == datetime(2026, 11, 27, 10, 4, 6, tzinfo=UTC)


def test_a_delivery_sent_again_is_known_by_its_changes() -> None:
    first, second = event(), event("INVOICE", record=OTHER)
    key = delivery_key(arrived(told(first, second)), source())
    assert key == delivery_key(arrived(told(second, first, entropy="ANOTHER")), source())
    assert key != delivery_key(arrived(told(first)), source())
    assert delivery_key(arrived(told()), source()) == delivery_key(arrived("{"), source()) == ""


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("", "empty"),
        ("[]", "should be a JSON object"),
        ({}, "events should be a JSON list"),
        (told(7), "should be a JSON object"),  # type: ignore[arg-type]
        (told(event(record="../x")), "is no UUID"),
        (told(event(eventType={})), "should be a text"),
        (told(*[event()] * 1001), "more than 1000"),
    ],
)
def test_what_is_none_of_xeros_says_why(body: Any, why: str) -> None:
    with pytest.raises(MalformedError, match=why):
        parse(arrived(body), source())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from([*event().values(), "x"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["events", *event()]), inner, max_size=7)
    ),
    max_leaves=20,
)


@given(st.binary(max_size=60) | JSON)
def test_whatever_arrives_there_is_no_other_error(body: Any) -> None:
    request = arrived(body)
    challenge(request, source())
    delivery_key(request, source())
    with suppress(MalformedError):
        parse(request, source())


# -------------------------------------------------------------------------------------------------------- fetch

PHONE = {"PhoneType": "DEFAULT", "PhoneNumber": "555 0147", "PhoneAreaCode": "312", "PhoneCountryCode": "1"}
CONTACT = {
    "ContactID": ID,
    "Name": "Rohre & Söhne",
    "FirstName": "Zoë",
    "LastName": "李",
    "EmailAddress": "zoe@example.com",
    "Phones": [{"PhoneType": "MOBILE", "PhoneNumber": ""}, PHONE],
    "UpdatedDateUTC": "/Date(1552327126117+0000)/",
    "IsCustomer": True,
    "IsSupplier": True,
}
INVOICE = {
    "InvoiceID": OTHER,
    "Type": "ACCREC",
    "Status": "PAID",
    "InvoiceNumber": "INV-0007",
    "Reference": "JOB-1",
    "Total": 40.0,
    "AmountPaid": 30.0,
    "AmountCredited": 10.0,
    "CurrencyCode": "NZD",
    "Contact": CONTACT,
}


async def fetched(vendor: Recorder, notice: Event) -> Event:
    given = {"connector": "xero", "base_url": vendor.url, "access_token": "t"}
    async with open_session() as session:
        http = Http(session, http_settings(XeroConnection.model_validate(given)))
        return await fetch(notice, source(), http)


def notice(kind: str, record: str) -> Event:
    return Event(kind, key="k", data={"id": record, "tenant_id": TENANT, "at": "2026-11-27T10:04:05"})


async def test_a_customer_is_read(vendor: Recorder) -> None:
    vendor.answer({"Contacts": [CONTACT]})
    said = (await fetched(vendor, notice("customer.created", ID))).submission
    assert said is not None
    assert (said.email, said.phone, said.first_name, said.last_name, said.company) == (
        "zoe@example.com", "+13125550147", "Zoë", "李", "Rohre & Söhne",
    )  # fmt: skip
    assert said.occurred_at == datetime(2019, 3, 11, 17, 58, 46, 117000, tzinfo=UTC)
    assert vendor.requests[0].headers["xero-tenant-id"] == TENANT


async def test_an_invoice_is_that_of_its_customer(vendor: Recorder) -> None:
    vendor.answer({"Invoices": [INVOICE]})
    found = await fetched(vendor, notice("invoice.updated", OTHER))
    assert found.submission is not None
    assert found.submission.email == "zoe@example.com"
    assert {key: found.data[key] for key in ("number", "status", "total", "paid", "reference", "customer_id")} == {
        "number": "INV-0007",
        "status": "paid",
        "total": "40.00",
        "paid": "40.00",
        "reference": "JOB-1",
        "customer_id": ID,
    }


@pytest.mark.parametrize(
    ("kind", "status", "body", "why"),
    [
        ("customer.updated", 200, {"Contacts": [CONTACT | {"IsCustomer": False}]}, "a supplier"),
        ("invoice.updated", 200, {"Invoices": [INVOICE | {"Type": "ACCPAY"}]}, "a bill from a supplier"),
        ("invoice.updated", 404, {}, "does not exist any more"),
        ("customer.updated", 200, {"Contacts": []}, "does not exist any more"),
    ],
)
async def test_what_is_nothing_to_us(vendor: Recorder, kind: str, status: int, body: Any, why: str) -> None:
    vendor.answer(body, status=status)
    found = await fetched(vendor, notice(kind, OTHER))
    assert (found.type, found.submission) == ("unsupported", None)
    assert why in found.reason


@pytest.mark.parametrize("wrong", [{"Contact": 7}, {"Total": []}, {"Status": 7}, {"Contact": {"Phones": [7, {}]}}])
async def test_a_record_of_wrong_types_is_no_error_of_ours(vendor: Recorder, wrong: dict[str, Any]) -> None:
    vendor.answer({"Invoices": [INVOICE | wrong]})
    with suppress(VendorError):
        assert (await fetched(vendor, notice("invoice.updated", OTHER))).submission is None


@pytest.mark.parametrize("keys", [{"tenant_id": "acme"}, {"signing_key": ""}, {"connection": ""}])
def test_settings_of_a_source_say_what_is_wrong(keys: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(keys))):
        source(**keys)
