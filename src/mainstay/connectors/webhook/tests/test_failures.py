"""Reports of failures elsewhere: fixtures, proof, hostile payloads."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mainstay.connectors.webhook.failures import LayerFailureSettings, delivery_key, parse, verify
from mainstay.kit import MalformedError, NotAuthenticError, standard_webhooks
from tests.sources import RECEIVED, load, names, plain, request

FIXTURES = Path(__file__).parent / "fixtures"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
REPORT = {"scenario": "Lead to CRM", "error": "refused"}


def source(secret: Any = SECRET) -> LayerFailureSettings:
    return LayerFailureSettings.model_validate({"kind": "layer_failure", "secret": secret})


@pytest.mark.parametrize("name", names(FIXTURES))
def test_fixtures(name: str) -> None:
    made, _, expected = load(FIXTURES, name)
    assert delivery_key(made, source()) == expected["delivery_key"]
    assert plain(parse(made, source())) == expected["events"]


def test_a_report_proves_itself_by_signature_or_secret() -> None:
    body = b'{"scenario": "a", "error": "b"}'
    signed = standard_webhooks.sign([SECRET], "msg_1", RECEIVED, body)
    assert verify(request(body, signed), source(["other", SECRET])) == "signature ok"
    assert verify(request(body, {"X-Webhook-Secret": "plain"}), source("plain")) == "shared secret ok"
    for made, secret in (
        (request(body[:-1] + b" ", signed), SECRET),
        (request(body), SECRET),
        (request(body, {"X-Webhook-Secret": "plain"}), SECRET),
    ):
        with pytest.raises(NotAuthenticError):
            verify(made, source(secret))


@pytest.mark.parametrize("secret", ["", [], None])
def test_without_a_secret_anybody_could_raise_alarms(secret: Any) -> None:
    with pytest.raises(ValidationError, match="secret"):
        source(secret)


def test_several_at_once_have_keys_of_their_own() -> None:
    events = parse(request([REPORT, REPORT | {"error": "another"}], {"webhook-id": "m"}), source())
    assert [event.key for event in events] == ["m:0", "m:1"]


def test_a_name_is_one_line() -> None:
    (event,) = parse(request(REPORT | {"scenario": "Lead\r\nBcc: all@acme.example\u2028x"}), source())
    assert event.data["scenario"] == "Lead Bcc: all@acme.example x"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([], "the list is empty"),
        ([REPORT] * 101, "at most 100 at once"),
        ([1], "each failure should be a JSON object"),
        ("", "the body is empty"),
        ({"error": "x"}, "the report has no name: send one of scenario, zap, workflow, name"),
        ({"scenario": "x"}, "the report has no error: send one of error, message"),
        ({"scenario": {"name": "x"}, "error": "y"}, "an object at scenario"),
    ],
)
def test_what_cannot_be_read_says_why(body: Any, words: str) -> None:
    with pytest.raises(MalformedError, match=words):
        parse(request(body), source())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("https://["),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "error", "message", "url", "id", "execution"]), inner, max_size=4)
    ),
)


@given(
    report=st.dictionaries(
        st.sampled_from(["scenario", "error", "link", "when", "execution", "trigger", "workflow", "step"]), JSON
    )
)
@settings(max_examples=150, deadline=None)
def test_hostile_reports_are_events_or_malformed(report: Any) -> None:
    made = request(report)
    assert isinstance(delivery_key(made, source()), str)
    try:
        (event,) = parse(made, source())
    except MalformedError:
        return
    assert event.type == "layer.failed"
    assert event.data["scenario"]
    assert event.data["error"]


@given(body=st.binary(max_size=60))
@example(body=b"[]")
def test_hostile_bytes(body: bytes) -> None:
    assert delivery_key(request(body), source()) == ""
    with pytest.raises(MalformedError):
        parse(request(body), source())
