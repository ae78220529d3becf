"""Calendly: fixtures, signature and its age, hostile payloads."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mainstay.connectors.calendly.webhook import CalendlySettings, delivery_key, parse, verify
from mainstay.kit import MalformedError, NotAuthenticError
from mainstay.kit.signature import from_epoch
from tests.sources import changed, load, names, plain, request, vector

FIXTURES = Path(__file__).parent / "fixtures"


def source(signing_key: Any = "s", **values: Any) -> CalendlySettings:
    return CalendlySettings(kind="calendly", signing_key=signing_key, **values)


@pytest.mark.parametrize("name", names(FIXTURES))
def test_fixtures(name: str) -> None:
    made, values, expected = load(FIXTURES, name)
    assert delivery_key(made, source(**values)) == expected["delivery_key"]
    assert plain(parse(made, source(**values))) == expected["events"]


def check(*, body: str = "", header: str = "", late: timedelta = timedelta(0), key: Any = None) -> str:
    known = vector("calendly")
    headers = {"Calendly-Webhook-Signature": header or known["header_value"]}
    made = request(body or known["body"], headers, received_at=from_epoch(known["timestamp"]) + late)
    return verify(made, source(key or known["secret"]))


def test_the_vector_passes_also_beside_a_new_key_and_within_three_minutes() -> None:
    assert check() == "signature ok"
    assert check(key=["new", vector("calendly")["secret"]]) == "signature ok"
    assert check(late=timedelta(minutes=2, seconds=59)) == "signature ok"
    assert check(header=f" {vector('calendly')['header_value'].replace(',', ', v0=abc, ')} ") == "signature ok"


def test_a_changed_byte_another_key_or_an_old_time_fails() -> None:
    with pytest.raises(NotAuthenticError, match="does not fit"):
        check(body=changed(vector("calendly")["body"]))
    with pytest.raises(NotAuthenticError, match="does not fit"):
        check(key="another")
    with pytest.raises(NotAuthenticError, match="180 s off"):
        check(late=timedelta(minutes=3, seconds=1))
    with pytest.raises(NotAuthenticError, match="does not fit"):
        check(header=vector("calendly")["header_value"].replace("t=16", "t=17"))


@pytest.mark.parametrize("header", ["v1=abc", "t=1600000000", "nonsense", "t=,v1=abc"])
def test_an_incomplete_signature_fails(header: str) -> None:
    with pytest.raises(NotAuthenticError, match="lacks t= or v1="):
        check(header=header)


def test_a_missing_signature_is_named() -> None:
    with pytest.raises(NotAuthenticError, match="Calendly-Webhook-Signature is missing"):
        verify(request({}), source())


def test_the_number_of_an_outbound_call_is_the_invitees_and_of_an_inbound_one_is_not() -> None:
    def phone(kind: str) -> str:
        location = {"type": kind, "location": "+1 312 555 0147"}
        payload = {"uri": "u", "email": "a@b.co", "scheduled_event": {"location": location}}
        (event,) = parse(request({"event": "invitee.created", "payload": payload}), source())
        assert event.submission is not None
        return event.submission.phone

    assert phone("outbound_call") == "+1 312 555 0147"
    assert phone("inbound_call") == ""


def test_a_map_may_name_questions() -> None:
    answers = [{"question": "Gate code", "answer": "1234"}]
    payload = {"email": "a@b.co", "name": "Ann", "questions_and_answers": answers}
    made = request({"event": "invitee.created", "payload": payload})
    (event,) = parse(made, source(map={"custom.gate": "gate code", "source": "'calendly'"}))
    assert event.submission is not None
    assert (event.submission.email, event.submission.source) == ("a@b.co", "calendly")
    assert event.submission.custom == {"gate": "1234"}


@pytest.mark.parametrize("payload", [None, [], {}, {"email": None, "name": {"x": 1}}])
def test_a_booking_without_an_invitee_is_malformed(payload: Any) -> None:
    with pytest.raises(MalformedError):
        parse(request({"event": "invitee.created", "payload": payload}), source())


KEYS = ["email", "name", "first_name", "uri", "questions_and_answers", "question", "answer", "scheduled_event"]
KEYS += ["location", "type", "tracking"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("outbound_call"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
)


@given(payload=st.dictionaries(st.sampled_from(KEYS), JSON))
@settings(max_examples=100, deadline=None)
def test_hostile_payloads_are_events_or_malformed(payload: Any) -> None:
    made = request({"event": "invitee.created", "created_at": payload.get("uri"), "payload": payload})
    assert len(delivery_key(made, source())) <= 200
    try:
        (event,) = parse(made, source())
    except MalformedError:
        return
    assert event.submission is not None


@given(body=st.binary(max_size=100))
@example(body=b"{}")
def test_hostile_bytes(body: bytes) -> None:
    assert delivery_key(request(body), source()) == ""
    try:
        events = parse(request(body), source())
    except MalformedError:
        return
    assert {event.type for event in events} <= {"unsupported"}
