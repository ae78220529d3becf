"""Postmark's reports: fixtures, who may send them, hostile payloads."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mainstay.connectors.postmark.webhook import PostmarkSource, delivery_key, parse, verify
from mainstay.kit import MalformedError, NotAuthenticError
from tests.sources import load, names, plain, request

FIXTURES = Path(__file__).parent / "fixtures" / "reports"
SECRET = "9f2c-sample-of-a-secret"


def source(secret: Any = SECRET, **values: Any) -> PostmarkSource:
    return PostmarkSource(kind="postmark", secret=secret, **values)


def basic(text: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


@pytest.mark.parametrize("name", names(FIXTURES))
def test_fixtures(name: str) -> None:
    made, values, expected = load(FIXTURES, name)
    assert delivery_key(made, source(**values)) == expected["delivery_key"]
    assert plain(parse(made, source(**values))) == expected["events"]


@pytest.mark.parametrize(
    ("headers", "query", "is_ours"),
    [
        (basic(f"postmark:{SECRET}"), "", True),
        (basic(f":{SECRET}"), "", True),
        ({"X-Webhook-Secret": SECRET}, "", True),
        ({}, f"secret={SECRET}", True),
        (basic("postmark:other"), "", False),
        (basic(SECRET), "", False),
        (basic("postmark:"), "", False),
        # A good secret elsewhere does not mend a wrong password.
        (basic("postmark:other") | {"X-Webhook-Secret": SECRET}, "", False),
        ({"Authorization": "Basic !"}, "", False),
        ({"Authorization": "Basic /w=="}, "", False),
        ({"X-Webhook-Secret": SECRET[:-1]}, "", False),
        ({}, "", False),
    ],
)
def test_who_knows_the_secret_may_report(headers: dict[str, str], query: str, is_ours: bool) -> None:
    made = request({}, headers, query=query)
    if is_ours:
        assert verify(made, source(["an-older-one", SECRET])) == "shared secret ok"
        return
    with pytest.raises(NotAuthenticError) as caught:
        verify(made, source())
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("secret", ["", [], [""]])
def test_a_source_has_a_secret(secret: Any) -> None:
    with pytest.raises(ValidationError, match="secret"):
        source(secret)


def test_a_report_without_an_address_says_so() -> None:
    with pytest.raises(MalformedError, match="the Bounce has no Email"):
        parse(request({"RecordType": "Bounce", "Type": "HardBounce"}), source())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["a@b.co", "HardBounce", "ManualSuppression", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["mainstay_key", "x"]), inner),
)
KEYS = st.sampled_from(["Email", "Recipient", "Type", "Metadata", "BouncedAt", "SuppressSending", "SuppressionReason"])


@given(
    kind=st.sampled_from(["Bounce", "SpamComplaint", "SubscriptionChange", "Open"]), told=st.dictionaries(KEYS, JSON)
)
@settings(max_examples=100, deadline=None)
def test_hostile_reports_are_events_or_malformed(kind: str, told: dict[str, Any]) -> None:
    made = request({"RecordType": kind, **told})
    try:
        (event,) = parse(made, source())
    except MalformedError:
        return
    assert event.type in {"unsupported", "message.bounced", "message.complained", "message.unsubscribed"}
    assert event.key == delivery_key(made, source())
