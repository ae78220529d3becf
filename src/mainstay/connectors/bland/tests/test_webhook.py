from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mainstay.connectors.bland import CONNECTOR
from mainstay.connectors.bland.settings import BlandSource
from mainstay.connectors.bland.webhook import parse, verify
from mainstay.kit import NotAuthenticError
from mainstay.kit.signature import hmac_hex
from tests.connectors.voice_sources import Caller, SignedSource
from tests.sources import RECEIVED, request, vector

SECRET = "sample-webhook-secret"


def settings(**keys: Any) -> BlandSource:
    return BlandSource.model_validate({"kind": "bland", "secret": SECRET} | keys)


class Bland:
    kind = CONNECTOR.sources[0]
    fixtures = Path(__file__).parent / "fixtures"

    def settings(self) -> BlandSource:
        return settings()

    def sign(self, body: bytes) -> Mapping[str, str]:
        return {"x-webhook-signature": hmac_hex(SECRET, body)}


class TestSource(SignedSource):
    def make(self) -> Caller:
        return Bland()


def test_the_vendors_vector() -> None:
    one = vector("bland")
    config = settings(secret=one["secret"])
    assert verify(request(one["body"], {one["header"]: one["header_value"]}), config) == "signature ok"
    for body, value in (
        (one["body"].replace("true", "false"), one["header_value"]),
        (one["body"], one["header_value"][:-1] + ("0" if one["header_value"][-1] != "0" else "1")),
    ):
        with pytest.raises(NotAuthenticError, match="does not fit"):
            verify(request(body, {one["header"]: value}), config)


def test_the_signature_may_be_over_the_json_written_anew() -> None:
    one = vector("bland")
    config = settings(secret=one["secret"])
    spaced = one["body"].replace(":", " : ").replace(",", ",\n  ")
    assert verify(request(spaced, {one["header"]: one["header_value"]}), config) == "signature ok"
    unicode = '{"summary":"Grüße 👍","price":0.26}'
    header = {"X-Webhook-Signature": hmac_hex(SECRET, unicode.encode()).upper()}
    escaped = '{"summary": "Gr\\u00fc\\u00dfe \\ud83d\\udc4d", "price": 0.26}'
    assert verify(request(escaped, header), settings()) == "signature ok"


def test_a_secret_may_be_replaced_by_another() -> None:
    config = settings(secret=["new", "old"])
    for secret in ("new", "old"):
        assert verify(request("{}", {"X-Webhook-Signature": hmac_hex(secret, b"{}")}), config) == "signature ok"


def test_an_end_that_lies_ahead_is_none() -> None:
    call = {
        "call_id": "c1",
        "completed": True,
        "to": "+13125550147",
        "started_at": "2026-03-02T09:58:20+00:00",
        "corrected_duration": "60",
        "end_at": (RECEIVED.replace(year=RECEIVED.year + 1)).isoformat(),
    }
    [event] = parse(request(call), settings())
    assert event.time is not None
    assert event.time.isoformat() == "2026-03-02T09:59:20+00:00"
