from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mainstay.connectors.hubspot import CONNECTOR
from mainstay.connectors.hubspot.webhook import HubSpotSource, delivery_key, fetch, parse, verify
from mainstay.kit import Event, Http, MalformedError, NotAuthenticError, RawRequest, TransientError
from mainstay.kit.signature import hmac_base64
from mainstay.sandbox import SandboxProcess
from tests import sources
from tests.connectors.crm_conformance import TOKEN, sandbox

__all__ = ["sandbox"]
FIXTURES = Path(__file__).parent / "fixtures"
SECRET = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
V3 = "x-hubspot-signature-v3"


def settings(**more: Any) -> HubSpotSource:
    given = {"kind": "hubspot", "connection": "crm", "client_secret": SECRET}
    return HubSpotSource.model_validate(given | more)


def of_vector(vector: dict[str, Any]) -> RawRequest:
    milliseconds = vector.get("timestamp_ms", 1_772_445_845_000)
    received_at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    request = sources.request(vector["body"], vector["headers"], received_at=received_at)
    return replace(request, method=vector["method"] or "POST", url=vector["url"] or request.url)


def signed(request: RawRequest, url: str | None = None) -> RawRequest:
    stamp = str(int(request.received_at.timestamp() * 1000))
    message = (request.method + (url or request.url)).encode() + request.body + stamp.encode()
    headers = {V3: hmac_base64(SECRET, message), "x-hubspot-request-timestamp": stamp}
    return replace(request, headers={**request.headers, **headers})


@pytest.mark.parametrize("name", sources.names(FIXTURES))
def test_real_payloads(name: str) -> None:
    request, wanted, expected = sources.load(FIXTURES, name)
    assert sources.plain(parse(request, settings(**wanted))) == expected["events"]


@pytest.mark.parametrize(
    "identifier",
    [
        "hubspot-v3",
        "hubspot-v2-post-python",
        "hubspot-v2-get",
        "hubspot-v2-post-node",
        "hubspot-v1-python",
        "hubspot-v1-node",
    ],
)
def test_published_vectors(identifier: str) -> None:
    vector = sources.vector(identifier)
    request = of_vector(vector)
    source = settings(signatures=["v3", "v2", "v1"], client_secret=["before", vector["secret"]])

    assert verify(request, source).startswith("signature ok")
    with pytest.raises(NotAuthenticError, match="does not match"):
        verify(replace(request, body=request.body[:-1] + b"~"), source)
    with pytest.raises(NotAuthenticError, match="does not match"):
        verify(request, settings(signatures=["v3", "v2", "v1"], client_secret="other"))


@pytest.mark.parametrize("identifier", ["hubspot-v2-get", "hubspot-v1-node"])
def test_older_signatures_only_by_setting(identifier: str) -> None:
    request = of_vector(sources.vector(identifier))
    other = ["v1"] if "v2" in identifier else ["v2"]

    with pytest.raises(NotAuthenticError, match="X-HubSpot-Signature-v3 is missing"):
        verify(request, settings())
    with pytest.raises(NotAuthenticError, match="is not taken"):
        verify(request, settings(signatures=other))


def test_a_wrong_v3_is_rescued_by_nothing() -> None:
    request = of_vector(sources.vector("hubspot-v1-node"))
    request = replace(request, headers={**request.headers, V3: "AAAA", "x-hubspot-request-timestamp": "1772445845000"})
    with pytest.raises(NotAuthenticError, match="v3 does not match"):
        verify(request, settings(signatures=["v3", "v2", "v1"]))


@pytest.mark.parametrize("minutes", [-6, 6])
def test_an_old_delivery_is_a_replay(minutes: int) -> None:
    request = signed(sources.request("[]"))
    assert verify(request, settings()) == "signature ok"
    with pytest.raises(NotAuthenticError, match="more than 300 s off"):
        verify(replace(request, received_at=request.received_at + timedelta(minutes=minutes)), settings())


@pytest.mark.parametrize("stamp", ["", "soon", "9" * 400, "-1"])
def test_a_timestamp_that_is_none_is_refused(stamp: str) -> None:
    request = sources.request("[]")
    message = f"POST{request.url}[]{stamp}".encode()
    headers = {V3: hmac_base64(SECRET, message), "x-hubspot-request-timestamp": stamp}
    with pytest.raises(NotAuthenticError):
        verify(replace(request, headers=headers), settings())


def test_the_documented_escapes_of_an_address_are_decoded() -> None:
    request = sources.request("[]", query="to=a%40b.example&at=10%3a30&x=%20%26")
    decoded = request.url.replace("%40", "@").replace("%3a", ":")

    assert verify(signed(request, decoded), settings()) == "signature ok"
    assert verify(signed(request), settings()) == "signature ok"


def test_the_method_and_the_address_are_part_of_the_signature() -> None:
    request = signed(sources.request("[]"))
    for moved in (replace(request, method="PUT"), replace(request, url=request.url.replace("acme", "other"))):
        with pytest.raises(NotAuthenticError, match="mainstay.example/in/"):
            verify(moved, settings())


def test_the_settings_name_a_connection() -> None:
    with pytest.raises(ValidationError, match="connection"):
        HubSpotSource.model_validate({"kind": "hubspot", "client_secret": SECRET})


def test_a_batch_sent_again_has_the_same_key_and_another_has_not() -> None:
    notice = {"eventId": 1, "subscriptionId": 2, "objectId": 3, "occurredAt": 4, "attemptNumber": 0}
    other = notice | {"eventId": 5}
    first = delivery_key(sources.request([notice, other]), settings())

    assert first
    assert delivery_key(sources.request([other, notice | {"attemptNumber": 3}]), settings()) == first
    assert delivery_key(sources.request([notice]), settings()) != first
    assert delivery_key(sources.request("[]"), settings()) == ""


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ("", "empty"),
        (b"\xff", "not valid JSON"),
        ({}, "should be a JSON list"),
        ([1], "a notice should be a JSON object"),
        ([{"subscriptionType": "contact.creation"}], "objectId is not the number"),
        ([{"subscriptionType": "contact.creation", "objectId": "1/../2"}], "objectId is not the number"),
        ([{"subscriptionType": "contact.creation", "objectId": 1.5}], "objectId of a notice is a number, not"),
        ([{"subscriptionType": ["contact.creation"], "objectId": 1}], "subscriptionType of a notice is a list"),
    ],
)
def test_what_cannot_be_read_says_why(payload: Any, message: str) -> None:
    with pytest.raises(MalformedError, match=message):
        parse(sources.request(payload), settings())


SCALAR = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["contact.creation", "deal.creation", "7"])
)
JSON = st.recursive(SCALAR, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
KEYS = st.sampled_from(["eventId", "subscriptionType", "objectId", "objectTypeId", "occurredAt", "portalId"])
PAYLOAD = JSON | st.lists(st.dictionaries(KEYS, JSON))


@given(PAYLOAD.map(json.dumps) | st.text() | st.binary())
def test_no_payload_breaks_anything(body: str | bytes) -> None:
    request = sources.request(body)
    assert isinstance(delivery_key(request, settings()), str)
    try:
        events = parse(request, settings())
    except MalformedError:
        return
    known = {"contact.submitted", "unsupported"}
    known |= {f"{noun}.{verb}" for noun in ("deal", "company") for verb in ("created", "updated", "deleted")}
    assert {event.type for event in events} <= known


@given(
    st.binary(), st.dictionaries(st.sampled_from([V3, "x-hubspot-signature", "x-hubspot-signature-version"]), st.text())
)
def test_no_request_is_taken_without_proof(body: bytes, headers: dict[str, str]) -> None:
    stamp = {"x-hubspot-request-timestamp": "1772445900000"}
    with pytest.raises(NotAuthenticError):
        verify(sources.request(body, headers | stamp), settings(signatures=["v3", "v2", "v1"]))


# ----------------------------------------------------------------------------------------------------- fetch

NOTICE = Event("contact.submitted", key="1", time=sources.RECEIVED, data={"external_id": "10001"})


@pytest.fixture
async def http(sandbox: SandboxProcess) -> AsyncIterator[Http]:
    await sandbox.aio.reset()
    await sandbox.aio.configure("hubspot", properties=["mainstay_tags", "job_type"])
    assert CONNECTOR.settings is not None
    assert CONNECTOR.http is not None
    connection = CONNECTOR.settings.model_validate(
        {"connector": "hubspot", "token": TOKEN, "base_url": sandbox.url("hubspot")}
    )
    async with aiohttp.ClientSession() as session:
        yield Http(session, CONNECTOR.http(connection))


async def test_fetch_fills_the_submission(http: Http, sandbox: SandboxProcess) -> None:
    record = {"email": "Zoe@Example.com", "phone": "(312) 555-0147", "firstname": "Zoë", "lastname": "李"}
    more = {"company": "Doe & Söhne", "job_type": "Boiler", "mainstay_tags": "vip; new lead;"}
    await sandbox.aio.seed("hubspot", "contacts", [record | more])

    event = await fetch(NOTICE, settings(properties={"job": "job_type"}), http)

    assert (event.type, event.key) == ("contact.submitted", "1")
    assert sources.plain([event])[0]["submission"] == {
        "email": "zoe@example.com",
        "phone": "(312) 555-0147",
        "first_name": "Zoë",
        "last_name": "李",
        "company": "Doe & Söhne",
        "tags": ["vip", "new lead"],
        "custom": {"job": "Boiler"},
        "occurred_at": "2026-03-02T10:05:00+00:00",
        "connection": "crm",
        "external_id": "10001",
    }


async def test_an_opt_out_of_email_is_an_opt_out(http: Http, sandbox: SandboxProcess) -> None:
    await sandbox.aio.configure("hubspot", properties=["mainstay_tags", "hs_email_optout"])
    await sandbox.aio.seed("hubspot", "contacts", [{"email": "zoe@example.com", "hs_email_optout": "true"}])
    event = await fetch(NOTICE, settings(), http)
    assert event.submission is not None
    assert event.submission.do_not_contact


async def test_fetch_of_a_contact_deleted_meanwhile(http: Http) -> None:
    event = await fetch(NOTICE, settings(), http)
    assert (event.type, event.reason) == ("unsupported", "contact 10001 does not exist any more")


async def test_fetch_is_tried_again_when_hubspot_is_busy(http: Http, sandbox: SandboxProcess) -> None:
    await sandbox.aio.set_fault("hubspot", "status", status=429, retry_after=3, count=1)
    with pytest.raises(TransientError) as caught:
        await fetch(NOTICE, settings(), http)
    assert caught.value.retry_after == 3
