from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.connectors.asana.account import http_settings
from mainstay.connectors.asana.settings import AsanaConnection, AsanaSource
from mainstay.connectors.asana.webhook import challenge, delivery_key, fetch, parse, verify
from mainstay.kit import Event, Http, MalformedError, NotAuthenticError, RawRequest, TransientError
from mainstay.kit.http import open_session
from mainstay.kit.signature import hmac_hex
from tests.kit.recorder import recording
from tests.sources import changed, names, plain, request, vector

FIXTURES = Path(__file__).parent / "fixtures"
SECRET = "sample-secret"
SOURCE = AsanaSource.model_validate({"kind": "asana", "connection": "work", "secret": SECRET})
NEW = AsanaSource.model_validate({"kind": "asana", "connection": "work"})


def signed(body: Any) -> RawRequest:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return request(content, {"X-Hook-Signature": hmac_hex(SECRET, content)})


def fixture(name: str) -> Any:
    return json.loads((FIXTURES / f"{name}.json").read_text("utf-8"))


async def read(events: Any, answers: list[Any]) -> list[Event]:
    told = {"connector": "asana", "token": "t", "workspace": "12"}
    async with recording() as vendor, open_session() as session:
        connection = AsanaConnection.model_validate(told | {"base_url": vendor.url})
        for status, body in answers:
            vendor.answer(body, status=status)
        return [await fetch(event, SOURCE, Http(session, http_settings(connection))) for event in events]


def test_the_documented_scheme() -> None:
    case = vector("asana")
    source = AsanaSource.model_validate({"kind": "asana", "connection": "w", "secret": ["new", case["secret"]]})
    arrived = request(case["body"], {case["header"]: case["header_value"]})
    assert verify(arrived, source) == "signature ok"
    for forged in (
        replace(arrived, body=changed(case["body"]).encode()),
        replace(arrived, headers={**arrived.headers, "x-hook-signature": case["header_value"][::-1]}),
    ):
        with pytest.raises(NotAuthenticError, match="X-Hook-Signature does not fit"):
            verify(forged, source)
    with pytest.raises(NotAuthenticError, match="no secret yet"):
        verify(arrived, NEW)
    with pytest.raises(NotAuthenticError, match="X-Hook-Signature is missing"):
        verify(request(case["body"]), source)
    (event,) = parse(arrived, source)
    assert (event.type, event.data["task"], event.data["changed"]) == ("task.updated", "1337", ["due_on"])


@pytest.mark.parametrize("source", [SOURCE, NEW])
def test_the_handshake_gives_the_secret_back(source: AsanaSource) -> None:
    reply = challenge(request(b"", {"X-Hook-Secret": "b537207f"}), source)
    assert reply is not None
    assert (reply.status, reply.body, reply.headers) == (200, b"", {"X-Hook-Secret": "b537207f"})


@pytest.mark.parametrize("secret", ["", "a b", "a\nb", "ä", "x" * 201])
def test_what_is_no_handshake_is_a_delivery(secret: str) -> None:
    assert challenge(request({"events": []}, {"X-Hook-Secret": secret} if secret else {}), SOURCE) is None
    assert challenge(request(b"", {"X-Hook-Secret": "a"}, method="GET"), SOURCE) is None


@pytest.mark.parametrize("name", names(FIXTURES))
async def test_what_is_read(name: str) -> None:
    case = fixture(name)
    arrived = signed(case["body"])
    assert verify(arrived, SOURCE) == "signature ok"
    events = parse(arrived, SOURCE)
    if "answers" in case:
        events = await read(events, case["answers"])
    told = plain(events)
    assert all(event.pop("key").startswith(delivery_key(arrived, SOURCE)) for event in told)
    assert told == fixture(f"{name}.expected")


def test_the_keys_of_one_delivery_differ() -> None:
    resource = {"resource_type": "task"}
    events = [{"action": "changed", "resource": resource | {"gid": str(number)}} for number in range(3)]
    assert len({event.key for event in parse(signed({"events": events}), SOURCE)}) == 3


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, "events should be a JSON list"),
        ({"events": {}}, "events should be a JSON list"),
        ({"events": [1]}, "an event should be a JSON object"),
        ({"events": [{"resource": None}]}, "an event's resource should be"),
        ({"events": [{"resource": {"resource_type": "task", "gid": "x"}}]}, "gid should be a number"),
        ({"events": [{"resource": {"resource_type": "task"}}]}, "gid should be a number"),
    ],
)
def test_what_is_no_event_says_so(body: Any, reason: str) -> None:
    with pytest.raises(MalformedError, match=reason):
        parse(signed(body), SOURCE)


async def test_a_task_that_cannot_be_read_now_is_read_later() -> None:
    events = parse(signed(fixture("completed")["body"]), SOURCE)
    with pytest.raises(TransientError):
        await read(events, [(503, {"errors": [{"phrase": "6 sad squid"}]})])


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["gid", "resource_type", "field", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.sampled_from(["action", "resource", "change", "created_at", "parent", "user"]), _VALUES)
def test_a_wrong_type_anywhere_is_a_clear_error(key: str, value: Any) -> None:
    event = fixture("completed")["body"]["events"][0] | {key: value}
    with suppress(MalformedError):
        for each in parse(signed({"events": [event]}), SOURCE):
            json.dumps(dict(each.data))
    with suppress(MalformedError):
        parse(signed({"events": value}), SOURCE)


@given(st.binary(max_size=200))
def test_whatever_arrives_there_is_no_other_error(body: bytes) -> None:
    arrived = signed(body)
    for read_it in (verify, delivery_key, parse):
        with suppress(MalformedError, NotAuthenticError):
            read_it(arrived, SOURCE)
