"""Forms and JSON webhooks: fixtures, signatures and hostile bodies."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mainstay.connectors.form import CONNECTOR
from mainstay.connectors.form.settings import FormSettings
from mainstay.connectors.form.webhook import MAX_EVENTS, delivery_key, parse, verify
from mainstay.kit import MalformedError, NotAuthenticError, RawRequest
from mainstay.kit.signature import from_epoch
from tests.sources import changed, load, names, plain, request, vector

FIXTURES = Path(__file__).parent / "fixtures"


def source(**values: Any) -> FormSettings:
    return FormSettings(kind="form", **values)


@pytest.mark.parametrize("name", names(FIXTURES))
def test_fixtures(name: str) -> None:
    made, values, expected = load(FIXTURES, name)
    assert verify(made, source(**values)) == "unsigned"
    assert delivery_key(made, source(**values)) == expected["delivery_key"]
    assert plain(parse(made, source(**values))) == expected["events"]


def test_both_kinds_take_the_same_and_hide_their_secrets() -> None:
    assert [kind.name for kind in CONNECTOR.sources] == ["form", "json"]
    for kind in CONNECTOR.sources:
        assert {"authorization", "x-webhook-secret"} <= set(kind.secret_headers)
        assert kind.secret_params == ("secret",)


def signed(identifier: str, body: str = "") -> tuple[RawRequest, FormSettings]:
    known = vector(identifier)
    received = from_epoch(known.get("timestamp", 1614265330))
    made = request(body or known["body"], known["headers"], received_at=received)
    return made, source(secret=["whsec_b3RoZXI=", known["secret"]])


@pytest.mark.parametrize("identifier", ["webhook-v1", "webhook-multi"])
def test_standard_webhooks_vectors_pass_and_a_changed_byte_fails(identifier: str) -> None:
    assert verify(*signed(identifier)) == "signature ok"
    made, settings = signed(identifier, changed(vector(identifier)["body"]))
    with pytest.raises(NotAuthenticError, match="does not fit"):
        verify(made, settings)


def test_a_wrong_standard_webhooks_signature_fails() -> None:
    with pytest.raises(NotAuthenticError, match="does not fit"):
        verify(*signed("webhook-bad"))


def test_an_old_signature_fails() -> None:
    made, settings = signed("webhook-v1")
    late = RawRequest(made.method, made.url, made.headers, made.body, made.received_at + timedelta(minutes=6))
    with pytest.raises(NotAuthenticError, match="300 s off"):
        verify(late, settings)


def test_a_wrong_signature_is_not_rescued_by_the_shared_secret() -> None:
    made, settings = signed("webhook-bad")
    headers = {**made.headers, "x-webhook-secret": vector("webhook-bad")["secret"]}
    with pytest.raises(NotAuthenticError, match="does not fit"):
        verify(RawRequest(made.method, made.url, headers, made.body, made.received_at), settings)


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp"])
def test_a_signature_without_its_companions_fails(missing: str) -> None:
    made, settings = signed("webhook-v1")
    headers = {name: value for name, value in made.headers.items() if name != missing}
    with pytest.raises(NotAuthenticError, match=missing):
        verify(RawRequest(made.method, made.url, headers, made.body, made.received_at), settings)


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"x-webhook-secret": "old"}, ""),
        ({"authorization": "Bearer old"}, ""),
        ({"authorization": "bearer  new "}, ""),
        ({}, "utm=1&secret=new"),
    ],
)
def test_shared_secrets_pass_during_rotation_too(headers: dict[str, str], query: str) -> None:
    assert verify(request("{}", headers, query=query), source(secret=["new", "old"])) == "shared secret ok"


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({}, "secret is missing"),
        ({"authorization": "Basic b2xk"}, "secret is missing"),
        ({"x-webhook-secret": "öld"}, "not this source's"),
        ({"authorization": "Bearer olD"}, "not this source's"),
    ],
)
def test_a_wrong_or_missing_secret_fails(headers: dict[str, str], words: str) -> None:
    with pytest.raises(NotAuthenticError, match=words):
        verify(request("{}", headers), source(secret="old"))


@pytest.mark.parametrize("secret", ["", ["good", ""], "whsec_not base64!"])
def test_a_secret_that_cannot_work_is_refused_at_the_start(secret: Any) -> None:
    with pytest.raises(ValidationError) as error:
        source(secret=secret)
    assert "not base64" not in str(error.value)


def test_a_very_long_key_is_hashed() -> None:
    assert len(delivery_key(request("{}", {"idempotency-key": "k" * 5_000}), source())) == 64


@pytest.mark.parametrize(
    ("body", "content_type", "words"),
    [
        ("", "application/json", "the body is empty"),
        ("hello", "text/plain", "neither JSON nor a form"),
        ("[]", "application/json", "the list is empty"),
        ('"text"', "application/json", "should be a JSON object, but is a text"),
        ('[{"email": "a@b.co"}, 7]', "application/json", "entry 2 of 2"),
        ("[" + ",".join(["{}"] * (MAX_EVENTS + 1)) + "]", "application/json", "at most 1000"),
        ("", "application/x-www-form-urlencoded", "no fields"),
        ("colour=red", "application/x-www-form-urlencoded", 'the payload has "colour"'),
    ],
)
def test_what_cannot_be_read_says_why(body: str, content_type: str, words: str) -> None:
    with pytest.raises(MalformedError, match=words):
        parse(request(body, {"content-type": content_type}), source())


def test_json_under_a_form_content_type_is_read() -> None:
    made = request('{"email": "a@b.co"}', {"content-type": "application/x-www-form-urlencoded"})
    (event,) = parse(made, source())
    assert event.submission is not None
    assert event.submission.email == "a@b.co"


def test_an_empty_honeypot_is_dropped() -> None:
    (event,) = parse(request({"email": "a@b.co", "website": ""}), source(honeypot="website"))
    assert event.type == "contact.submitted"
    (event,) = parse(request({"email": "a@b.co", "website": ["x"]}), source(honeypot="website"))
    assert (event.type, event.reason) == ("unsupported", "honeypot")


TYPES = ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "text/plain", ""]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(body=st.one_of(st.binary(max_size=200), JSON), content_type=st.sampled_from(TYPES))
@settings(max_examples=100, deadline=None)
def test_hostile_bodies_are_events_or_malformed(body: Any, content_type: str) -> None:
    made = request(body, {"content-type": content_type})
    assert delivery_key(made, source()) == ""
    try:
        events = parse(made, source(honeypot="website"))
    except MalformedError:
        return
    assert {event.type for event in events} <= {"contact.submitted", "unsupported"}
