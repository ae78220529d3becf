from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mainstay.connectors.retell import CONNECTOR
from mainstay.connectors.retell.settings import RetellSource
from mainstay.connectors.retell.webhook import parse, verify
from mainstay.kit import NotAuthenticError, RawRequest
from mainstay.kit.signature import hmac_hex
from tests.connectors.voice_sources import Caller, SignedSource
from tests.sources import RECEIVED, request, vector

SECRET = "sample-webhook-secret"


def settings(**keys: Any) -> RetellSource:
    return RetellSource.model_validate({"kind": "retell", "api_key": SECRET} | keys)


class Retell:
    kind = CONNECTOR.sources[0]
    fixtures = Path(__file__).parent / "fixtures"

    def settings(self) -> RetellSource:
        return settings()

    def sign(self, body: bytes) -> Mapping[str, str]:
        stamp = str(round(RECEIVED.timestamp() * 1000))
        return {"x-retell-signature": f"v={stamp},d={hmac_hex(SECRET, body + stamp.encode())}"}


class TestSource(SignedSource):
    def make(self) -> Caller:
        return Retell()


def signed(body: str, *, key: str = SECRET, off: timedelta = timedelta(0)) -> RawRequest:
    stamp = str(round((RECEIVED + off).timestamp() * 1000))
    return request(body, {"X-Retell-Signature": f"v={stamp},d={hmac_hex(key, body.encode() + stamp.encode())}"})


def test_the_vendors_vector() -> None:
    one = vector("retell")
    at = datetime.fromtimestamp(one["timestamp_ms"] / 1000, UTC)
    config = settings(api_key=one["secret"])
    arrived = request(one["body"], {one["header"]: one["header_value"]}, received_at=at)
    assert verify(arrived, config) == "signature ok"
    for body, value in (
        (one["body"].replace("ended", "endeD", 1), one["header_value"]),
        (one["body"], one["header_value"].replace("v=16", "v=17")),
        (one["body"], one["header_value"][:-1] + ("0" if one["header_value"][-1] != "0" else "1")),
    ):
        with pytest.raises(NotAuthenticError, match="does not fit"):
            verify(request(body, {one["header"]: value}, received_at=at), config)


@pytest.mark.parametrize(("seconds", "is_good"), [(0, True), (299, True), (-299, True), (301, False), (-301, False)])
def test_the_replay_window_is_five_minutes(seconds: int, is_good: bool) -> None:
    arrived = signed("{}", off=timedelta(seconds=seconds))
    if is_good:
        assert verify(arrived, settings()) == "signature ok"
        return
    with pytest.raises(NotAuthenticError, match="is more than 300 s off"):
        verify(arrived, settings())


def test_a_key_may_be_replaced_by_another() -> None:
    config = settings(api_key=["new", "old"])
    assert verify(signed("{}", key="old"), config) == verify(signed("{}", key="new"), config) == "signature ok"


def test_the_end_and_the_analysis_are_two_events_and_two_deliveries() -> None:
    call = {"call_id": "c1", "direction": "outbound", "to_number": "+13125550147", "call_status": "ended"}
    kinds, keys = [], set()
    for event in ("call_ended", "call_analyzed"):
        arrived = request({"event": event, "call": call})
        kinds += [each.type for each in parse(arrived, settings())]
        keys.add(CONNECTOR.sources[0].delivery_key(arrived, settings()))
    assert kinds == ["call.ended", "call.analyzed"]
    assert len(keys) == 2
