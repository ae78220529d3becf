from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from mainstay.connectors.bland import CONNECTOR
from mainstay.connectors.bland.settings import BlandConnection, BlandSource
from mainstay.sandbox.senders import SignedRequest
from mainstay.sandbox.vendors.bland import report
from tests.connectors.voice_conformance import SECRET, TOKEN, Placed, VoiceConformance, VoiceVendor, bench, sandbox

__all__ = ["bench", "sandbox"]


class Bland:
    name = "bland"
    connector = CONNECTOR
    agent = "a0f0d4ed-f5f5-4f16-b3f9-22166594d7a7"
    unknown_id = "9d404c1b-6a23-4426-953a-a52c392ff8f1"
    outcomes: Mapping[str, Any] = {
        "answered": "human",
        "voicemail": "voicemail",
        "no_answer": "no-answer",
        "busy": "busy",
        "failed": "failed",
        "invalid": "invalid",
    }
    no_credit: Mapping[str, Any] = {"has_balance": False}
    owned: Mapping[str, Any] = {}
    disowned: Mapping[str, Any] = {}

    def settings(self, base_url: str) -> BlandConnection:
        keys = {"api_key": TOKEN, "pathway": self.agent, "base_url": base_url}
        return BlandConnection.model_validate({"connector": "bland", **keys})

    def source(self) -> BlandSource:
        return BlandSource.model_validate({"kind": "bland", "secret": SECRET})

    def calls(self, state: Mapping[str, Any]) -> list[Placed]:
        return [Placed(each["call_id"], each["to"], each["pathway_id"], each["variables"]) for each in state["calls"]]

    def report(self, call: Mapping[str, Any], outcome: Any) -> SignedRequest:
        return report(call, outcome, SECRET)


class TestConformance(VoiceConformance):
    @pytest.fixture
    def vendor(self) -> VoiceVendor:
        return Bland()


@pytest.fixture
def vendor() -> VoiceVendor:
    return Bland()
