"""Meta's leadgen webhook: fixtures, handshake, signature, hostile payloads."""

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mainstay.connectors.facebook_lead_ads.settings import FacebookLeadAdsSettings
from mainstay.connectors.facebook_lead_ads.webhook import MAX_CHANGES, challenge, delivery_key, parse, verify
from mainstay.kit import MalformedError, NotAuthenticError
from tests.sources import changed, load, names, plain, request, vector

FIXTURES = Path(__file__).parent / "fixtures"


def source(app_secret: Any = "s", **values: Any) -> FacebookLeadAdsSettings:
    known = {"verify_token": "v-token", "page_token": "p-token"} | values
    return FacebookLeadAdsSettings(kind="facebook_lead_ads", app_secret=app_secret, **known)


@pytest.mark.parametrize("name", names(FIXTURES))
def test_fixtures(name: str) -> None:
    made, values, expected = load(FIXTURES, name)
    assert delivery_key(made, source(**values)) == expected["delivery_key"]
    assert plain(parse(made, source(**values))) == expected["events"]


def handshake(**query: str) -> tuple[int, bytes]:
    reply = challenge(request("", query=urlencode(query), method="GET"), source())
    assert reply is not None
    assert reply.content_type.startswith("text/plain")
    return reply.status, reply.body


def test_the_handshake_is_answered_with_its_challenge() -> None:
    subscribe = {"hub.mode": "subscribe", "hub.challenge": "1158201444"}
    assert handshake(**subscribe, **{"hub.verify_token": "v-token"}) == (200, b"1158201444")
    assert handshake(**subscribe, **{"hub.verify_token": "other"})[0] == 403
    assert handshake(**subscribe)[0] == 403
    assert handshake(**{"hub.verify_token": "v-token"})[0] == 400


def test_a_post_is_no_handshake() -> None:
    assert challenge(request({}), source()) is None


def test_the_vector_passes_also_beside_a_new_secret_and_a_changed_byte_fails() -> None:
    known = vector("meta-leadgen")
    headers = {"X-Hub-Signature-256": known["header_value"]}
    assert verify(request(known["body"], headers), source(["new", known["secret"]])) == "signature ok"
    for body, secret in ((changed(known["body"]), known["secret"]), (known["body"], "another")):
        with pytest.raises(NotAuthenticError, match="does not fit"):
            verify(request(body, headers), source(secret))
    with pytest.raises(NotAuthenticError, match="X-Hub-Signature-256 is missing"):
        verify(request(known["body"]), source(known["secret"]))


def test_the_schemes_published_example_passes() -> None:
    known = vector("x-hub-github")
    header = known.get("header_value") or known["headers"]["X-Hub-Signature-256"]
    assert verify(request(known["body"], {"X-Hub-Signature-256": header}), source(known["secret"])) == "signature ok"


def announce(leadgen_id: Any) -> dict[str, Any]:
    change = {"field": "leadgen", "value": {"leadgen_id": leadgen_id}}
    return {"object": "page", "entry": [{"changes": [change]}]}


@pytest.mark.parametrize("leadgen_id", [9007199254740993, "9007199254740993"], ids=["number", "text"])
def test_ids_beyond_what_a_float_holds_stay_whole(leadgen_id: Any) -> None:
    (event,) = parse(request(announce(leadgen_id)), source())
    assert event.key == event.data["leadgen_id"] == "9007199254740993"


@pytest.mark.parametrize("leadgen_id", [None, 1.5, True, "../me", "12a", "", "1" * 41, "٣", -1])
def test_an_id_that_is_none_is_malformed(leadgen_id: Any) -> None:
    with pytest.raises(MalformedError, match="leadgen_id should be a lead's number"):
        parse(request(announce(leadgen_id)), source())


def test_the_key_of_many_leads_is_short_and_stable() -> None:
    changes = [{"field": "leadgen", "value": {"leadgen_id": 10**15 + number}} for number in range(50)]
    made = request({"object": "page", "entry": [{"changes": changes}]})
    assert len(parse(made, source())) == 50
    assert len(delivery_key(made, source())) == 64
    assert delivery_key(made, source()) == delivery_key(made, source())


def test_too_many_changes_are_refused() -> None:
    entry = {"changes": [{"field": "feed"}] * 600}
    with pytest.raises(MalformedError, match=f"more than {MAX_CHANGES} changes"):
        parse(request({"object": "page", "entry": [entry, entry]}), source())


def test_settings_ask_for_what_is_needed_and_show_no_secret() -> None:
    with pytest.raises(ValidationError) as error:
        FacebookLeadAdsSettings(kind="facebook_lead_ads", app_secret="top", api_version="23")  # type: ignore[call-arg, arg-type]
    message = str(error.value)
    assert {"verify_token", "page_token", "api_version"} <= set(message.split())
    assert "top" not in message
    assert "p-token" not in repr(source())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["leadgen", "page"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["changes", "field", "value", "leadgen_id", "created_time"]), inner, max_size=5
        )
    ),
)


@given(entry=JSON)
@settings(max_examples=100, deadline=None)
def test_hostile_payloads_are_events_or_malformed(entry: Any) -> None:
    made = request({"object": "page", "entry": entry})
    assert len(delivery_key(made, source())) <= 200
    try:
        events = parse(made, source())
    except MalformedError:
        return
    assert {event.type for event in events} <= {"contact.submitted", "unsupported"}


@given(body=st.binary(max_size=100))
@example(body=b"{}")
def test_hostile_bytes(body: bytes) -> None:
    assert delivery_key(request(body), source()) == ""
    try:
        events = parse(request(body), source())
    except MalformedError:
        return
    assert {event.type for event in events} <= {"unsupported"}
