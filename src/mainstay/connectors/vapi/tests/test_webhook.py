from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from mainstay.connectors.vapi import CONNECTOR
from mainstay.connectors.vapi.settings import VapiSource
from mainstay.connectors.vapi.webhook import answer, delivery_key, verify
from mainstay.kit import NotAuthenticError, RawRequest
from mainstay.kit.signature import hmac_hex
from tests.connectors.voice_sources import Caller, VoiceSource
from tests.sources import RECEIVED, request

SECRET = "sample-webhook-secret"


def settings(**keys: Any) -> VapiSource:
    return VapiSource.model_validate({"kind": "vapi", "secret": SECRET} | keys)


class Vapi:
    kind = CONNECTOR.sources[0]
    fixtures = Path(__file__).parent / "fixtures"

    def settings(self) -> VapiSource:
        return settings()

    def sign(self, body: bytes) -> Mapping[str, str]:
        return {"x-vapi-secret": SECRET}


class TestSource(VoiceSource):
    def make(self) -> Caller:
        return Vapi()


def asked(kind: str, **more: Any) -> RawRequest:
    return request({"message": {"type": kind, "call": {"id": "c1"}, **more}}, {"X-Vapi-Secret": SECRET})


@pytest.mark.parametrize(
    ("header", "value", "is_good"),
    [
        ("X-Vapi-Secret", SECRET, True),
        ("Authorization", f"Bearer {SECRET}", True),
        ("Authorization", SECRET, True),
        ("X-Vapi-Secret", SECRET + "x", False),
        ("Authorization", f"Basic {SECRET}", False),
        ("X-Other", SECRET, False),
    ],
)
def test_the_secret_comes_in_one_of_two_headers(header: str, value: str, is_good: bool) -> None:
    arrived = request("{}", {header: value})
    if is_good:
        assert verify(arrived, settings()) == "secret ok"
        return
    with pytest.raises(NotAuthenticError):
        verify(arrived, settings())


def test_an_hmac_over_the_body() -> None:
    config = settings(signed_by="hmac")
    good = hmac_hex(SECRET, b"{}")
    for value in (good, f"sha256={good}"):
        assert verify(request("{}", {"X-Signature": value}), config) == "signature ok"
    for body, value in (("{ }", good), ("{}", good[:-1] + "x"), ("{}", SECRET)):
        with pytest.raises(NotAuthenticError, match="x-signature does not fit"):
            verify(request(body, {"X-Signature": value}), config)
    with pytest.raises(NotAuthenticError, match="x-signature is missing"):
        verify(request("{}", {"X-Vapi-Secret": SECRET}), config)


@pytest.mark.parametrize("unit", ["seconds", "milliseconds", "iso"])
@pytest.mark.parametrize(("off", "is_good"), [(0, True), (299, True), (-299, True), (301, False), (-301, False)])
def test_an_hmac_with_a_time(unit: str, off: int, is_good: bool) -> None:
    config = settings(
        signed_by="hmac",
        header="X-Sig",
        algorithm="sha512",
        timestamp_header="X-Time",
        payload="{timestamp}.{body}",
    )
    at = RECEIVED + timedelta(seconds=off)
    stamp = {
        "seconds": str(round(at.timestamp())),
        "milliseconds": str(round(at.timestamp() * 1000)),
        "iso": at.isoformat(),
    }[unit]
    signature = hmac_hex(SECRET, f"{stamp}.{{}}".encode(), "sha512")
    arrived = request("{}", {"X-Sig": signature, "X-Time": stamp})
    if is_good:
        assert verify(arrived, config) == "signature ok"
        return
    with pytest.raises(NotAuthenticError, match="is more than 300 s off"):
        verify(arrived, config)


@pytest.mark.parametrize("stamp", ["", "x", "-1", "9" * 40, "²"])
def test_a_signed_time_that_is_none(stamp: str) -> None:
    config = settings(signed_by="hmac", timestamp_header="X-Time", payload="{timestamp}.{body}")
    headers = {"X-Signature": hmac_hex(SECRET, f"{stamp}.{{}}".encode()), "X-Time": stamp}
    with pytest.raises(NotAuthenticError):
        verify(request("{}", headers), config)


@pytest.mark.parametrize(
    ("keys", "mend"),
    [
        ({"secret": ""}, "the secret is empty"),
        ({"payload": "{timestamp}"}, "must contain {body}"),
        ({"header": "X-Sig"}, 'for signed_by = "hmac"'),
        ({"timestamp_header": "X-Time"}, 'for signed_by = "hmac"'),
        ({"signed_by": "hmac", "timestamp_header": "X-Time"}, "go together"),
        ({"signed_by": "hmac", "payload": "{timestamp}.{body}"}, "go together"),
        ({"signed_by": "magic"}, "signed_by"),
    ],
)
def test_settings_say_what_is_wrong(keys: dict[str, Any], mend: str) -> None:
    with pytest.raises(ValidationError, match=mend):
        settings(**keys)


@pytest.mark.parametrize(
    ("kind", "more", "answer_body"),
    [
        (
            "tool-calls",
            {"toolCallList": [{"id": "t1"}, {"id": "t2"}, {}, None]},
            {
                "results": [
                    {"toolCallId": "t1", "error": "this is not supported here"},
                    {"toolCallId": "t2", "error": "this is not supported here"},
                ]
            },
        ),
        ("tool-calls", {"toolCallList": 7}, {"results": []}),
        ("transfer-destination-request", {}, {"error": "this is not supported here"}),
        ("handoff-destination-request", {}, {"error": "this is not supported here"}),
        ("knowledge-base-request", {}, {"documents": []}),
        ("speech-update", {}, {}),
        ("conversation-update", {}, {}),
        ('transcript[transcriptType="final"]', {}, {}),
    ],
)
def test_what_wants_an_answer_has_one_and_is_no_delivery(kind: str, more: dict[str, Any], answer_body: Any) -> None:
    reply = answer(asked(kind, **more), settings())
    assert reply is not None
    assert (reply.status, json.loads(reply.body)) == (200, answer_body)
    assert reply.content_type.startswith("application/json")


def test_who_phones_an_assistant_that_is_not_chosen_hears_a_sentence() -> None:
    reply = answer(asked("assistant-request"), settings())
    assert reply is not None
    assert "try again later" in json.loads(reply.body)["error"]


@pytest.mark.parametrize("kind", ["end-of-call-report", "status-update", "hang", "", "anything"])
def test_what_else_comes_is_a_delivery(kind: str) -> None:
    assert answer(asked(kind), settings()) is None


def test_a_stranger_has_no_answer() -> None:
    assert answer(request({"message": {"type": "tool-calls"}}, {"X-Vapi-Secret": "wrong"}), settings()) is None
    assert answer(request("{}"), settings()) is None


def test_only_a_report_has_a_key() -> None:
    keys = [delivery_key(asked(kind), settings()) for kind in ("end-of-call-report", "status-update")]
    assert keys == ["c1:end-of-call-report", ""]
