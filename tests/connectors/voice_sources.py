"""What the source of every AI caller keeps: its fixtures, its signature, and whatever a stranger may send.

::

    class TestSource(VoiceSource):
        @pytest.fixture
        def caller(self) -> Caller: ...
"""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainstay.kit import Event, MalformedError, NotAuthenticError, RawRequest, Reply, SourceKind, SourceSettings
from tests import sources

HOSTILE: tuple[Any, ...] = (
    None, True, 0, -1, 1e300, 10**30, "", "\x00", "x" * 5000, "+" * 30, [], [None], {}, {"a": {"a": []}}, "9" * 400,
    "👍",
)  # fmt: skip


class Caller(Protocol):
    """What the suite asks about one vendor."""

    kind: SourceKind
    fixtures: Path

    def settings(self) -> SourceSettings:
        """The source's settings."""
        ...

    def sign(self, body: bytes) -> Mapping[str, str]:
        """The headers of an authentic delivery, sent when ``tests.sources`` receives it."""
        ...


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything in a JSON value."""
    found = [at] if at else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        found += places(child, (*at, key))
    return found


def put(value: Any, at: tuple[Any, ...], other: Any) -> Any:
    """The value with something else at a path."""
    made = copy.deepcopy(value)
    holder = made
    for key in at[:-1]:
        holder = holder[key]
    holder[at[-1]] = other
    return made


class VoiceSource:
    """The tests. A subclass gives the fixture ``caller``."""

    def bodies(self, caller: Caller) -> list[tuple[str, Any, Any]]:
        found = []
        for name in sources.names(caller.fixtures):
            body = json.loads((caller.fixtures / f"{name}.json").read_text("utf-8"))["body"]
            expected = json.loads((caller.fixtures / f"{name}.expected.json").read_text("utf-8"))
            found.append((name, body, expected))
        return found

    def delivered(self, caller: Caller, body: Any) -> RawRequest:
        raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        return sources.request(raw, caller.sign(raw))

    def read(self, caller: Caller, request: RawRequest) -> list[Event]:
        """Everything that intake does with a delivery."""
        made = caller.settings()
        if caller.kind.challenge is not None:
            reply = caller.kind.challenge(request, made)
            assert reply is None or isinstance(reply, Reply)
        caller.kind.verify(request, made)
        assert len(caller.kind.delivery_key(request, made)) <= 200
        return list(caller.kind.parse(request, made))

    def test_every_fixture_is_read_as_expected(self, caller: Caller) -> None:
        for name, body, expected in self.bodies(caller):
            arrived = self.delivered(caller, body)
            assert sources.plain(self.read(caller, arrived)) == expected["events"], name
            assert caller.kind.delivery_key(arrived, caller.settings()) == expected["delivery_key"], name

    @pytest.mark.parametrize("value", ["", " ", "x", "v=,d=", "v=1,d=zz", "Bearer", "ü", "0" * 64])
    def test_a_bad_header_is_not_authentic(self, caller: Caller, value: str) -> None:
        _, body, _ = self.bodies(caller)[0]
        arrived = self.delivered(caller, body)
        headers = dict.fromkeys(caller.sign(b""), value)
        with pytest.raises(NotAuthenticError):
            caller.kind.verify(sources.request(arrived.body, headers), caller.settings())
        with pytest.raises(NotAuthenticError):
            caller.kind.verify(sources.request(arrived.body), caller.settings())

    @pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b"\xff\xfe", b"1", b'"x"', b"[" * 5000])
    def test_what_is_no_report_is_a_clear_error(self, caller: Caller, body: bytes) -> None:
        with pytest.raises(MalformedError):
            self.read(caller, self.delivered(caller, body))

    def test_a_wrong_type_anywhere_is_a_clear_error_or_left_out(self, caller: Caller) -> None:
        body = max((body for _, body, _ in self.bodies(caller)), key=lambda body: len(places(body)))
        for at in places(body):
            for other in HOSTILE:
                with contextlib.suppress(MalformedError):
                    events = self.read(caller, self.delivered(caller, put(body, at, other)))
                    assert json.dumps(sources.plain(events))

    @settings(suppress_health_check=[HealthCheck.differing_executors], max_examples=60, deadline=None)
    @given(
        body=st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
            lambda inner: (
                st.lists(inner, max_size=4)
                | st.dictionaries(
                    st.sampled_from(["message", "call", "event", "type", "status", "call_id", "id", "completed", "to"])
                    | st.text(max_size=4),
                    inner,
                    max_size=6,
                )
            ),
            max_leaves=20,
        )
    )
    def test_any_json_is_a_clear_error_or_read(self, body: Any) -> None:
        caller = self.make()
        with contextlib.suppress(MalformedError):
            events = self.read(caller, self.delivered(caller, json.dumps(body).encode()))
            assert json.dumps(sources.plain(events))

    def make(self) -> Caller:
        """The vendor, where a fixture cannot be had."""
        raise NotImplementedError

    @pytest.fixture
    def caller(self) -> Caller:
        return self.make()


class SignedSource(VoiceSource):
    """The same of a vendor that signs the body, rather than to show a secret."""

    def test_a_changed_byte_is_not_authentic(self, caller: Caller) -> None:
        _, body, _ = self.bodies(caller)[0]
        arrived = self.delivered(caller, body)
        for changed in (arrived.body.replace(b"+1312", b"+1313"), arrived.body[:-1] + b" }", b""):
            forged = sources.request(changed, arrived.headers)
            with pytest.raises(NotAuthenticError, match="does not fit"):
                caller.kind.verify(forged, caller.settings())
