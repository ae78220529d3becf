"""SendGrid's reports: fixtures, signature, hostile payloads."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mainstay.connectors.sendgrid.settings import SendgridSource
from mainstay.connectors.sendgrid.webhook import delivery_key, parse, verify
from mainstay.kit import MalformedError, NotAuthenticError
from tests.sources import changed, load, names, plain, request, vector

FIXTURES = Path(__file__).parent / "fixtures"
KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eN"
    "Ec6wEA3F+g=="
)


def source(**values: Any) -> SendgridSource:
    return SendgridSource(**{"kind": "sendgrid", "public_key": KEY, **values})


def arrived(known: dict[str, Any], body: str | None = None, late: timedelta = timedelta(0)) -> Any:
    at = datetime.fromtimestamp(known["timestamp"], UTC) + late
    return request(known["body"] if body is None else body, known["headers"], received_at=at)


@pytest.mark.parametrize("name", names(FIXTURES))
def test_fixtures(name: str) -> None:
    made, values, expected = load(FIXTURES, name)
    assert delivery_key(made, source(**values)) == expected["delivery_key"]
    assert plain(parse(made, source(**values))) == expected["events"]


def test_the_vector_passes_and_a_changed_byte_fails() -> None:
    known = vector("sendgrid-event-webhook")
    assert known["public_key_base64_der"] == KEY
    assert verify(arrived(known), source()) == "signature ok"
    for body in (changed(known["body"]), known["body"].rstrip("\r\n"), known["body"] + " "):
        with pytest.raises(NotAuthenticError, match="does not fit"):
            verify(arrived(known, body), source())
    assert parse(arrived(known), source())[0].type == "message.dropped"


def test_a_wrong_signature_fails() -> None:
    with pytest.raises(NotAuthenticError, match="does not fit"):
        verify(arrived(vector("sendgrid-bad-signature")), source())


@pytest.mark.parametrize("given", ["", "!", "AAAA", "a" * 5])
def test_a_signature_that_is_none_fails(given: str) -> None:
    known = vector("sendgrid-event-webhook")
    headers = known["headers"] | {"X-Twilio-Email-Event-Webhook-Signature": given}
    with pytest.raises(NotAuthenticError, match="Webhook-Signature"):
        verify(arrived(known | {"headers": headers}), source())


def test_how_old_a_signature_may_be_is_a_setting() -> None:
    known = vector("sendgrid-event-webhook")
    assert verify(arrived(known, late=timedelta(hours=23)), source()) == "signature ok"
    for late, values in ((timedelta(hours=25), {}), (timedelta(minutes=6), {"tolerance": "5m"})):
        with pytest.raises(NotAuthenticError, match="s off"):
            verify(arrived(known, late=late), source(**values))


@pytest.mark.parametrize("key", ["", "x", KEY[:-8], "QUJD"])
def test_a_key_is_whole(key: str) -> None:
    with pytest.raises(ValidationError, match="is no Verification Key"):
        source(public_key=key)


def test_a_batch_is_known_by_its_events_in_any_order() -> None:
    one, two = {"sg_event_id": "a"}, {"sg_event_id": "b"}
    assert delivery_key(request([one, two]), source()) == delivery_key(request([two, one]), source())
    assert delivery_key(request([one]), source()) == "a"
    assert delivery_key(request([one, {}]), source()) == ""


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "the body should be a JSON list"),
        ([], "the body has 0 events"),
        ([{}] * 1001, "the body has 1001 events"),
        ([1], "event 1 should be a JSON object"),
        ([{"event": "bounce"}], "the event bounce has no email"),
    ],
)
def test_what_cannot_be_read_says_why(body: Any, words: str) -> None:
    with pytest.raises(MalformedError, match=words):
        parse(request(body), source())


JSON = st.none() | st.booleans() | st.integers() | st.floats() | st.just("bounce") | st.lists(st.none())


@given(told=st.lists(st.dictionaries(st.sampled_from(["event", "email", "timestamp", "sg_event_id", "reason"]), JSON)))
@settings(max_examples=100, deadline=None)
def test_hostile_reports_are_events_or_malformed(told: Any) -> None:
    assert isinstance(delivery_key(request(told), source()), str)
    try:
        events = parse(request(told), source())
    except MalformedError:
        return
    assert {event.type for event in events} <= {"unsupported", "message.bounced"}
