from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.connectors.linear.settings import LinearSource
from mainstay.connectors.linear.webhook import delivery_key, parse, verify
from mainstay.kit import MalformedError, NotAuthenticError, RawRequest
from mainstay.kit.signature import hmac_hex
from tests.sources import changed, names, plain, request, vector

FIXTURES = Path(__file__).parent / "fixtures"
SECRET = "sample-secret"
SOURCE = LinearSource.model_validate({"kind": "linear", "secret": SECRET})
_STAMP = 1_700_000_000_000


def signed(body: Any, headers: Mapping[str, str] = MappingProxyType({}), at: int = _STAMP) -> RawRequest:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"Linear-Signature": hmac_hex(SECRET, content), **headers}
    return request(content, given, received_at=datetime.fromtimestamp(at / 1000, UTC))


def fixture(name: str) -> Any:
    return json.loads((FIXTURES / f"{name}.json").read_text("utf-8"))


def test_linears_own_vector() -> None:
    case = vector("linear")
    source = LinearSource.model_validate({"kind": "linear", "secret": ["new", case["secret"]]})
    sent = datetime.fromtimestamp(case["timestamp_ms"] / 1000, UTC)
    arrived = request(case["body"], {case["header"]: case["header_value"]}, received_at=sent)
    assert verify(arrived, source) == "signature ok"
    assert verify(replace(arrived, received_at=sent + timedelta(seconds=59)), source) == "signature ok"
    for forged in (
        replace(arrived, body=changed(case["body"]).encode()),
        replace(arrived, headers={**arrived.headers, "linear-signature": case["header_value"][::-1]}),
    ):
        with pytest.raises(NotAuthenticError, match="Linear-Signature does not fit"):
            verify(forged, source)
    for late in (61, -61):
        with pytest.raises(NotAuthenticError, match="more than 60 s off"):
            verify(replace(arrived, received_at=sent + timedelta(seconds=late)), source)
    (event,) = parse(arrived, source)
    assert (event.type, event.reason) == ("unsupported", "create of Comment")


def test_without_a_time_in_the_body_the_headers_counts() -> None:
    assert verify(signed({"type": "Issue"}, {"Linear-Timestamp": str(_STAMP)}), SOURCE) == "signature ok"
    for headers in ({}, {"Linear-Timestamp": "now"}, {"Linear-Timestamp": str(_STAMP - 61_000)}):
        with pytest.raises(NotAuthenticError, match="signed time"):
            verify(signed({"type": "Issue"}, headers), SOURCE)


def test_without_a_signature_it_is_not_taken() -> None:
    with pytest.raises(NotAuthenticError, match="Linear-Signature is missing"):
        verify(request({}), SOURCE)


@pytest.mark.parametrize("name", names(FIXTURES))
def test_what_is_read(name: str) -> None:
    body = fixture(name)
    arrived = signed(body, at=body["webhookTimestamp"])
    assert verify(arrived, SOURCE) == "signature ok"
    events = plain(parse(arrived, SOURCE))
    assert {event.pop("key") for event in events} == {delivery_key(arrived, SOURCE)}
    assert events == fixture(f"{name}.expected")


def test_sent_again_it_is_the_same_delivery_and_a_later_change_another() -> None:
    body = fixture("updated")
    first = delivery_key(signed(body), SOURCE)
    assert delivery_key(signed(body | {"webhookTimestamp": 1}, {"Linear-Delivery": "other"}), SOURCE) == first
    assert delivery_key(signed(body | {"createdAt": "2026-03-02T10:05:00.000Z"}), SOURCE) != first


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"data": None}, "should be a JSON object"), ({"data": {}}, "has no id"), ({"data": {"id": []}}, "has no id")],
)
def test_what_is_no_issue_says_so(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(MalformedError, match=reason):
        parse(signed(fixture("created") | changes), SOURCE)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "type", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.sampled_from(["data", "type", "action", "updatedFrom", "url", "createdAt", "webhookTimestamp"]), _VALUES)
def test_a_wrong_type_anywhere_is_a_clear_error(key: str, value: Any) -> None:
    arrived = signed(fixture("completed") | {key: value})
    with suppress(NotAuthenticError):
        verify(arrived, SOURCE)
    with suppress(MalformedError):
        parse(arrived, SOURCE)
    inside = fixture("completed")
    for name in inside["data"]:
        with suppress(MalformedError):
            parse(signed(inside | {"data": inside["data"] | {name: value}}), SOURCE)


@given(st.binary(max_size=200))
def test_whatever_arrives_there_is_no_other_error(body: bytes) -> None:
    arrived = signed(body)
    for read in (verify, delivery_key, parse):
        with suppress(MalformedError, NotAuthenticError):
            read(arrived, SOURCE)
