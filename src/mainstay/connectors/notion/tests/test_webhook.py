from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.connectors.notion.account import http_settings
from mainstay.connectors.notion.settings import NotionConnection, NotionSource
from mainstay.connectors.notion.webhook import delivery_key, fetch, parse, verify
from mainstay.kit import Event, Http, MalformedError, NotAuthenticError, RawRequest
from mainstay.kit.http import open_session
from mainstay.kit.signature import hmac_hex
from tests.kit.recorder import recording
from tests.sources import changed, names, plain, request, vector

FIXTURES = Path(__file__).parent / "fixtures"
TOKEN = "secret_sample"
SOURCE = NotionSource.model_validate({"kind": "notion", "connection": "work", "verification_token": TOKEN})
NEW = NotionSource.model_validate({"kind": "notion", "connection": "work"})


def signed(body: Any, token: str = TOKEN) -> RawRequest:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return request(content, {"X-Notion-Signature": f"sha256={hmac_hex(token, content)}"})


def with_token(token: str) -> NotionSource:
    return NotionSource.model_validate({"kind": "notion", "connection": "w", "verification_token": ["new", token]})


def fixture(name: str) -> Any:
    return json.loads((FIXTURES / f"{name}.json").read_text("utf-8"))


@pytest.mark.parametrize("name", ["notion", "notion-handshake"])
def test_notions_own_vectors(name: str) -> None:
    case = vector(name)
    arrived = request(case["body"], {case["header"]: case["header_value"]})
    assert verify(arrived, with_token(case["secret"])) == "signature ok"
    upper = "sha256=" + case["header_value"].removeprefix("sha256=").upper()
    raised = replace(arrived, headers={**arrived.headers, "x-notion-signature": upper})
    assert verify(raised, with_token(case["secret"])) == "signature ok"
    for forged in (
        replace(arrived, body=changed(case["body"]).encode()),
        replace(arrived, headers={**arrived.headers, "x-notion-signature": case["header_value"][:-1] + "_"}),
    ):
        with pytest.raises(NotAuthenticError, match="X-Notion-Signature does not fit"):
            verify(forged, with_token(case["secret"]))


def test_without_its_prefix_a_signature_is_none() -> None:
    case = vector("notion-no-prefix")
    with pytest.raises(NotAuthenticError, match="does not fit"):
        verify(request(case["body"], {case["header"]: case["header_value"]}), with_token(case["secret"]))
    with pytest.raises(NotAuthenticError, match="X-Notion-Signature is missing"):
        verify(request(case["body"]), SOURCE)


def test_the_token_is_kept_for_a_person_until_it_is_set() -> None:
    case = vector("notion-handshake")
    arrived = request(case["body"], {case["header"]: case["header_value"]})
    for each in (arrived, request(case["body"])):
        assert verify(each, NEW) == "verification token, not yet set"
        (event,) = parse(each, NEW)
        assert event.type == "unsupported"
        assert "paste it from this body into Notion" in event.reason
        assert case["secret"] not in event.reason
    with pytest.raises(NotAuthenticError, match="does not fit the token that it comes with"):
        verify(signed(json.loads(case["body"]), "another"), NEW)
    # Once it is set nobody else's is taken.
    with pytest.raises(NotAuthenticError, match="does not fit"):
        verify(arrived, SOURCE)


@pytest.mark.parametrize("body", [{"id": "e", "type": "page.created"}, {"verification_token": ""}, [], {}])
def test_without_a_token_nothing_else_is_taken(body: Any) -> None:
    with pytest.raises(NotAuthenticError, match="no verification_token yet"):
        verify(signed(body), NEW)


@pytest.mark.parametrize("name", names(FIXTURES))
async def test_what_is_read(name: str) -> None:
    case = fixture(name)
    arrived = signed(case["body"])
    assert verify(arrived, SOURCE) == "signature ok"
    events: Any = parse(arrived, SOURCE)
    if "answers" in case:
        async with recording() as vendor, open_session() as session:
            for status, body in case["answers"]:
                vendor.answer(body, status=status)
            told = {"connector": "notion", "token": "t", "base_url": vendor.url}
            http = Http(session, http_settings(NotionConnection.model_validate(told)))
            source = NotionSource.model_validate({"kind": "notion", "connection": "w", **case.get("settings", {})})
            events = [await fetch(event, source, http) for event in events]
            assert len(vendor.requests) == len(case["answers"])
    told_events = plain(events)
    assert [event.pop("key") for event in told_events] == [delivery_key(arrived, SOURCE)] == [case["body"]["id"]]
    assert told_events == fixture(f"{name}.expected")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"entity": None}, "entity should be a JSON object"),
        ({"entity": {"type": "page"}}, "the id of a page"),
        ({"entity": {"id": "../x"}}, "the id of a page"),
    ],
)
def test_what_names_no_page_says_so(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(MalformedError, match=reason):
        parse(signed(fixture("completed")["body"] | changes), SOURCE)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "type", "updated_properties", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.sampled_from(["id", "type", "entity", "data", "timestamp", "verification_token"]), _VALUES)
def test_a_wrong_type_anywhere_is_a_clear_error(key: str, value: Any) -> None:
    arrived = signed(fixture("completed")["body"] | {key: value})
    delivery_key(arrived, SOURCE)
    with suppress(MalformedError):
        for event in parse(arrived, SOURCE):
            assert isinstance(event, Event)
            json.dumps(dict(event.data))
    for source in (SOURCE, NEW):
        with suppress(NotAuthenticError):
            verify(signed({key: value}), source)


@given(st.binary(max_size=200))
def test_whatever_arrives_there_is_no_other_error(body: bytes) -> None:
    arrived = signed(body)
    for source in (SOURCE, NEW):
        for read in (verify, delivery_key, parse):
            with suppress(MalformedError, NotAuthenticError):
                read(arrived, source)
