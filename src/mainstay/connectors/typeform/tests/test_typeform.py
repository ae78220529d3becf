"""Typeform: fixtures, signature, hostile payloads."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mainstay.connectors.typeform.webhook import TypeformSettings, delivery_key, parse, verify
from mainstay.kit import MalformedError, NotAuthenticError
from tests.sources import changed, load, names, plain, request, vector

FIXTURES = Path(__file__).parent / "fixtures"


def source(secret: Any = "s", **values: Any) -> TypeformSettings:
    return TypeformSettings(kind="typeform", secret=secret, **values)


@pytest.mark.parametrize("name", names(FIXTURES))
def test_fixtures(name: str) -> None:
    made, values, expected = load(FIXTURES, name)
    assert delivery_key(made, source(**values)) == expected["delivery_key"]
    assert plain(parse(made, source(**values))) == expected["events"]


def test_the_vector_passes_also_beside_a_new_secret_and_a_changed_byte_fails() -> None:
    known = vector("typeform")
    headers = {"Typeform-Signature": known["header_value"]}
    assert verify(request(known["body"], headers), source(["new", known["secret"]])) == "signature ok"
    with pytest.raises(NotAuthenticError, match="does not fit"):
        verify(request(changed(known["body"]), headers), source(known["secret"]))
    with pytest.raises(NotAuthenticError, match="does not fit"):
        verify(request(known["body"], headers), source("another"))
    with pytest.raises(NotAuthenticError, match="Typeform-Signature is missing"):
        verify(request(known["body"]), source(known["secret"]))


def test_a_secret_is_asked_for() -> None:
    with pytest.raises(ValidationError, match="secret"):
        TypeformSettings(kind="typeform")  # type: ignore[call-arg]


def test_without_an_event_id_the_token_is_the_key() -> None:
    made = request({"event_type": "form_response", "form_response": {"token": "t1"}})
    assert delivery_key(made, source()) == "t1"


def test_two_questions_of_one_title_are_both_kept() -> None:
    answers = [
        {"type": "email", "email": "a@b.co", "field": {"ref": "e"}},
        {"type": "text", "text": "one", "field": {"ref": "x", "title": "Note"}},
        {"type": "text", "text": "two", "field": {"ref": "y", "title": "Note"}},
    ]
    (event,) = parse(request({"event_type": "form_response", "form_response": {"answers": answers}}), source())
    assert event.submission is not None
    assert event.submission.custom == {"Note": "one", "Note (2)": "two"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([], "the body should be a JSON object"),
        ({"event_type": "form_response"}, "form_response should be a JSON object, but is null"),
        ({"event_type": "form_response", "form_response": {"answers": {}}}, "no e-mail, phone or name"),
        ({"event_type": "form_response", "form_response": {"answers": "x"}}, "answers should be a JSON list"),
        ({"event_type": "form_response", "form_response": {"answers": [{}] * 1001}}, "1001 answers, more than 1000"),
        ({"event_type": "form_response", "form_response": {"answers": [1]}}, r"answers\[0\] should be"),
    ],
)
def test_what_cannot_be_read_says_why(body: Any, words: str) -> None:
    with pytest.raises(MalformedError, match=words):
        parse(request(body), source())


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["text", "email", "a@b.co", "first_name"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["type", "email", "field", "ref", "id", "title", "fields", "properties", "labels", "text"]),
            inner,
            max_size=5,
        )
    ),
)


@given(response=st.dictionaries(st.sampled_from(["answers", "definition", "hidden", "submitted_at", "token"]), JSON))
@settings(max_examples=100, deadline=None)
def test_hostile_responses_are_events_or_malformed(response: Any) -> None:
    made = request({"event_type": "form_response", "event_id": 7, "form_response": response})
    assert delivery_key(made, source()) == "7"
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
