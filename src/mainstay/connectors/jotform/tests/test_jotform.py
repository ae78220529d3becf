"""Jotform: fixtures, the secret in the address, hostile payloads."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.connectors.jotform import CONNECTOR
from mainstay.connectors.jotform.webhook import JotformSettings, delivery_key, parse, verify
from mainstay.kit import MalformedError, NotAuthenticError
from tests.sources import load, names, plain, request

FIXTURES = Path(__file__).parent / "fixtures"
URLENCODED = {"content-type": "application/x-www-form-urlencoded"}


def source(secret: Any = "s3", **values: Any) -> JotformSettings:
    return JotformSettings(kind="jotform", secret=secret, **values)


@pytest.mark.parametrize("name", names(FIXTURES))
def test_fixtures(name: str) -> None:
    made, values, expected = load(FIXTURES, name)
    assert verify(made, source(**values)) == "shared secret ok"
    assert delivery_key(made, source(**values)) == expected["delivery_key"]
    assert plain(parse(made, source(**values))) == expected["events"]


def test_the_secret_of_the_address() -> None:
    assert verify(request("", query="secret=a%2Bb"), source(["new", "a+b"])) == "shared secret ok"
    with pytest.raises(NotAuthenticError, match="not this source's"):
        verify(request("", query="secret=A%2Bb"), source("a+b"))
    with pytest.raises(NotAuthenticError, match="is missing"):
        verify(request(""), source("a+b"))


def test_the_secret_is_never_stored() -> None:
    assert CONNECTOR.sources[0].secret_params == ("secret",)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "rawRequest is missing"),
        ({"rawRequest": "{"}, "rawRequest: the body is not valid JSON"),
        ({"rawRequest": "[]"}, "rawRequest: the body should be a JSON object"),
        ({"rawRequest": '{"q1_typeA": "red", "event_id": "x"}'}, 'the payload has "typeA"'),
    ],
)
def test_what_cannot_be_read_says_why(fields: dict[str, str], words: str) -> None:
    with pytest.raises(MalformedError, match=words):
        parse(request(urlencode(fields), URLENCODED), source())


KEYS = ["q3_name", "q4_email", "q5_phoneNumber", "q6_", "q7_fullName7", "submitDate", "first", "last", "full", "area"]
KEYS += ["phone", "country", "year", "month", "day", "other"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
)


@given(answers=st.dictionaries(st.sampled_from(KEYS), JSON), submission_id=st.text())
@settings(max_examples=100, deadline=None)
def test_hostile_answers_are_events_or_malformed(answers: Any, submission_id: str) -> None:
    body = urlencode({"submissionID": submission_id, "rawRequest": json.dumps(answers)}, errors="replace")
    made = request(body, URLENCODED)
    assert len(delivery_key(made, source())) <= 200
    try:
        (event,) = parse(made, source())
    except MalformedError:
        return
    assert event.submission is not None


@given(body=st.binary(max_size=100), content_type=st.sampled_from(["multipart/form-data; boundary=b", "text/plain"]))
def test_hostile_bytes(body: bytes, content_type: str) -> None:
    made = request(body, {"content-type": content_type})
    assert delivery_key(made, source()) == ""
    with pytest.raises(MalformedError):
        parse(made, source())
