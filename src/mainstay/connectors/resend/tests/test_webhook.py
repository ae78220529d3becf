"""Resend's reports: fixtures, signature, hostile payloads."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mainstay.connectors.resend.settings import ResendSource
from mainstay.connectors.resend.webhook import delivery_key, parse, verify
from mainstay.kit import MalformedError, NotAuthenticError
from tests.sources import changed, load, names, plain, request, vector

FIXTURES = Path(__file__).parent / "fixtures"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def source(secret: Any = SECRET, **values: Any) -> ResendSource:
    return ResendSource(kind="resend", secret=secret, **values)


@pytest.mark.parametrize("name", names(FIXTURES))
def test_fixtures(name: str) -> None:
    made, values, expected = load(FIXTURES, name)
    assert delivery_key(made, source(**values)) == expected["delivery_key"]
    assert plain(parse(made, source(**values))) == expected["events"]


def test_the_vector_passes_also_beside_a_new_secret_and_a_changed_byte_fails() -> None:
    known = vector("svix-v1")
    at = datetime.fromtimestamp(known["timestamp"], UTC)
    made = request(known["body"], known["headers"], received_at=at)
    assert verify(made, source(["whsec_" + "QUJD" * 8, known["secret"]])) == "signature ok"
    assert delivery_key(made, source()) == known["headers"]["svix-id"]
    with pytest.raises(NotAuthenticError, match="svix-signature does not fit"):
        verify(request(changed(known["body"]), known["headers"], received_at=at), source(known["secret"]))
    for name in known["headers"]:
        lacking = {key: value for key, value in known["headers"].items() if key != name}
        with pytest.raises(NotAuthenticError, match=f"{name} is missing"):
            verify(request(known["body"], lacking, received_at=at), source(known["secret"]))
    late = request(known["body"], known["headers"], received_at=at + timedelta(seconds=301))
    with pytest.raises(NotAuthenticError, match="more than 300 s off"):
        verify(late, source(known["secret"]))


@pytest.mark.parametrize("secret", ["", "re_123", "whsec_!", []])
def test_the_secret_is_the_webhooks(secret: Any) -> None:
    with pytest.raises(ValidationError, match="secret"):
        source(secret)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([], "the body should be a JSON object"),
        ({"type": "email.bounced"}, "data should be a JSON object"),
        ({"type": "email.bounced", "data": {}}, "data.to should be a list"),
        ({"type": "email.bounced", "data": {"to": ["a@b.co"] * 51}}, "1 to 50 addresses"),
    ],
)
def test_what_cannot_be_read_says_why(body: Any, words: str) -> None:
    with pytest.raises(MalformedError, match=words):
        parse(request(body), source())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["a@b.co", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["to", "bounce", "type", "message", "suppressed"]), inner, max_size=5)
    ),
)


@given(kind=st.sampled_from(["email.bounced", "email.suppressed", "x"]), data=JSON, at=JSON)
@settings(max_examples=100, deadline=None)
def test_hostile_reports_are_events_or_malformed(kind: str, data: Any, at: Any) -> None:
    try:
        events = parse(request({"type": kind, "data": data, "created_at": at}), source())
    except MalformedError:
        return
    assert {event.type for event in events} <= {"unsupported", "message.bounced", "message.dropped"}
