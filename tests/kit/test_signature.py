from __future__ import annotations

import hashlib
import hmac
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.errors import NotAuthenticError
from mainstay.kit import signature

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def vector(name: str) -> dict[str, Any]:
    path = Path(__file__).resolve().parents[2].parent / "shared" / "vendors" / "signature_vectors.json"
    if not path.is_file():
        reason = f"the vendors' signature vectors are not at {path}"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(f"CI never skips signature vectors, and {reason}", pytrace=False)
        pytest.skip(reason)
    found: list[dict[str, Any]] = [v for v in json.loads(path.read_bytes())["vectors"] if v["id"] == name]
    return found[0]


def test_hmac_hex_on_githubs_published_example() -> None:
    case = vector("x-hub-github")
    body = case["body"].encode()
    assert f"sha256={signature.hmac_hex(case['secret'], body)}" == case["header_value"]
    assert f"sha256={signature.hmac_hex(case['secret'], body + b'!')}" != case["header_value"]


@pytest.mark.parametrize("name", ["slack-v0", "slack-modified-body"])
def test_hmac_hex_on_slacks_published_examples(name: str) -> None:
    case = vector(name)
    base = f"v0:{case['headers']['X-Slack-Request-Timestamp']}:{case['body']}".encode()
    is_good = f"v0={signature.hmac_hex(case['secret'], base)}" == case["headers"]["X-Slack-Signature"]
    assert is_good == case.get("valid", True)


def test_hmac_base64_on_twilios_published_example() -> None:
    case = vector("twilio-form")
    message = case["url"] + "".join(key + value for key, value in sorted(case["params"].items()))
    assert signature.hmac_base64(case["secret"], message.encode(), "sha1") == case["header_value"]


def test_hmac_base64_takes_a_binary_key() -> None:
    assert signature.hmac_base64(b"\xff\x00", b"x") == signature.hmac_base64(b"\xff\x00", b"x")
    assert signature.hmac_base64("key", b"x") == signature.hmac_base64(b"key", b"x")
    assert signature.hmac_base64(b"\xff\x00", b"x") != signature.hmac_base64(b"\xff\x01", b"x")


def test_sha256_hex_on_hubspots_published_example() -> None:
    case = vector("hubspot-v1-python")
    text = (case["secret"] + case["body"]).encode()
    assert signature.sha256_hex(text) == case["headers"]["X-HubSpot-Signature"]


@given(st.text(max_size=80), st.binary(max_size=200))
def test_hmac_agrees_with_the_standard_library(secret: str, message: bytes) -> None:
    assert signature.hmac_hex(secret, message) == hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


@given(st.binary(min_size=1, max_size=100), st.data())
def test_a_changed_byte_changes_the_signature(message: bytes, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(message) - 1))
    flipped = data.draw(st.integers(1, 255))
    changed = message[:position] + bytes([message[position] ^ flipped]) + message[position + 1 :]
    assert not signature.equal(signature.hmac_hex("key", changed), signature.hmac_hex("key", message))


@given(st.text(st.characters()), st.text(st.characters()))
def test_equal_bears_any_text(given_text: str, expected: str) -> None:
    assert signature.equal(given_text, expected) == (given_text == expected)
    assert signature.equal(given_text, given_text)


def test_equal_bears_lone_surrogates() -> None:
    assert not signature.equal("\ud800", "abc")


@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_header_is_named(value: str | None) -> None:
    with pytest.raises(NotAuthenticError, match="the header X-Slack-Signature is missing"):
        signature.require_header(value, "X-Slack-Signature")


def test_a_header_is_given_back() -> None:
    assert signature.require_header("v0=abc", "X-Slack-Signature") == "v0=abc"


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_a_fresh_time_passes(seconds: int) -> None:
    signature.require_fresh(NOW + timedelta(seconds=seconds), NOW, timedelta(minutes=5))


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_stale_or_future_time_is_refused(seconds: int) -> None:
    with pytest.raises(NotAuthenticError, match="is more than 300 s off"):
        signature.require_fresh(NOW + timedelta(seconds=seconds), NOW, timedelta(minutes=5))


def test_from_epoch() -> None:
    assert signature.from_epoch("1772366400") == NOW
    assert signature.from_epoch(1772366400000, milliseconds=True) == NOW


@given(st.text() | st.integers() | st.just("9" * 5_000))
def test_from_epoch_gives_a_time_or_refuses(value: str | int) -> None:
    try:
        moment = signature.from_epoch(value)
    except NotAuthenticError:
        return
    assert moment.tzinfo is UTC


@pytest.mark.parametrize("value", [None, [], {}, float("inf"), float("nan")])
def test_from_epoch_refuses_what_a_hostile_body_may_hold(value: Any) -> None:
    with pytest.raises(NotAuthenticError):
        signature.from_epoch(value)
