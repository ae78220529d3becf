"""Tally: fixtures, signature, hostile payloads."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mainstay.connectors.tally.webhook import TallySettings, delivery_key, parse, verify
from mainstay.kit import MalformedError, NotAuthenticError
from tests.sources import changed, load, names, plain, request, vector

FIXTURES = Path(__file__).parent / "fixtures"


def source(secret: Any = "s", **values: Any) -> TallySettings:
    return TallySettings(kind="tally", secret=secret, **values)


def response(*fields: Any) -> dict[str, Any]:
    return {"eventId": 7, "eventType": "FORM_RESPONSE", "data": {"fields": list(fields)}}


@pytest.mark.parametrize("name", names(FIXTURES))
def test_fixtures(name: str) -> None:
    made, values, expected = load(FIXTURES, name)
    assert delivery_key(made, source(**values)) == expected["delivery_key"]
    assert plain(parse(made, source(**values))) == expected["events"]


def test_the_vector_passes_also_beside_a_new_secret_and_a_changed_byte_fails() -> None:
    known = vector("tally")
    headers = {known["header"]: known["header_value"]}
    assert verify(request(known["body"], headers), source(["new", known["secret"]])) == "signature ok"
    for number in range(0, len(known["body"]), 7):
        body = known["body"][:number] + "\x00" + known["body"][number + 1 :]
        with pytest.raises(NotAuthenticError, match="does not fit"):
            verify(request(body, headers), source(known["secret"]))
    with pytest.raises(NotAuthenticError, match="does not fit"):
        verify(request(changed(known["body"]), headers), source(known["secret"]))
    with pytest.raises(NotAuthenticError, match="does not fit"):
        verify(request(known["body"], headers), source("another"))
    with pytest.raises(NotAuthenticError, match="Tally-Signature is missing"):
        verify(request(known["body"]), source(known["secret"]))


def test_the_vector_is_read() -> None:
    (event,) = parse(request(vector("tally")["body"]), source())
    assert event.submission is not None
    assert event.submission.email == "alice@example.com"
    assert event.key == "a4cb511e-d513-4fa5-baee-b815d718dfd1"


def test_a_secret_is_asked_for() -> None:
    with pytest.raises(ValidationError, match="secret"):
        TallySettings(kind="tally")  # type: ignore[call-arg]
    with pytest.raises(ValidationError, match="the secret is empty"):
        source(" ")


def test_two_questions_of_one_label_are_both_kept() -> None:
    (event,) = parse(
        request(
            response(
                {"type": "INPUT_EMAIL", "value": "a@b.co"},
                {"type": "TEXTAREA", "label": "Note", "value": "one"},
                {"type": "TEXTAREA", "label": "Note", "value": "two"},
            )
        ),
        source(),
    )
    assert event.submission is not None
    assert event.submission.custom == {"Note": "one", "Note (2)": "two"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([], "the body should be a JSON object"),
        ({"eventType": "FORM_RESPONSE"}, "data should be a JSON object, but is null"),
        ({"eventType": "FORM_RESPONSE", "data": {}}, "data.fields should be a JSON list, but is null"),
        (response(), "no e-mail, phone or name"),
        (response(1), r"data.fields\[0\] should be"),
        (response(*[{}] * 1001), "1001 answers, more than 1000"),
    ],
)
def test_what_cannot_be_read_says_why(body: Any, words: str) -> None:
    with pytest.raises(MalformedError, match=words):
        parse(request(body), source())


WORDS = ["INPUT_EMAIL", "INPUT_PHONE_NUMBER", "CHECKBOXES", "MATRIX", "FILE_UPLOAD", "a@b.co", "x"]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["type", "key", "label", "value", "options", "rows", "columns", "id", "text", "url"]),
            inner,
            max_size=6,
        )
    ),
)


@given(data=st.dictionaries(st.sampled_from(["fields", "createdAt", "formId", "responseId"]), JSON))
@settings(max_examples=100, deadline=None)
def test_hostile_responses_are_events_or_malformed(data: Any) -> None:
    made = request({"eventType": "FORM_RESPONSE", "eventId": 7, "data": data})
    assert delivery_key(made, source()) == "7"
    try:
        (event,) = parse(made, source())
    except MalformedError:
        return
    assert event.submission is not None


@given(fields=st.lists(st.dictionaries(st.sampled_from(["type", "label", "value", "options"]), JSON), max_size=4))
@settings(max_examples=100, deadline=None)
def test_hostile_answers_do_no_harm_to_the_others(fields: Any) -> None:
    made = request(response({"type": "INPUT_EMAIL", "label": "Mail", "value": "zoe@example.com"}, *fields))
    (event,) = parse(made, source())
    assert event.submission is not None
    assert event.submission.email == "zoe@example.com"


@given(body=st.binary(max_size=100))
@example(body=b"{}")
def test_hostile_bytes(body: bytes) -> None:
    assert delivery_key(request(body), source()) == ""
    try:
        events = parse(request(body), source())
    except MalformedError:
        return
    assert {event.type for event in events} <= {"unsupported"}
