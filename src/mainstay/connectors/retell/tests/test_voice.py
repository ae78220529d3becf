from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from mainstay.connectors.retell import CONNECTOR
from mainstay.connectors.retell.settings import RetellConnection, RetellSource
from mainstay.sandbox.senders import SignedRequest
from mainstay.sandbox.vendors.retell import report
from tests.connectors.voice_conformance import SECRET, TOKEN, Placed, VoiceConformance, VoiceVendor, bench, sandbox
from tests.sources import RECEIVED

__all__ = ["bench", "sandbox"]
FROM = "+13125550100"


class Retell:
    name = "retell"
    connector = CONNECTOR
    agent = "agent_oBeDLoLOeuAbiuaMFXRtDOLriT1"
    unknown_id = "call_5a82f0a43ea0977566b1104fcfc"
    outcomes: Mapping[str, Any] = {
        "answered": "user_hangup",
        "voicemail": "voicemail_reached",
        "no_answer": "dial_no_answer",
        "busy": "dial_busy",
        "failed": "dial_failed",
        "invalid": "invalid",
    }
    no_credit: Mapping[str, Any] = {"has_credit": False}
    owned: Mapping[str, Any] = {"numbers": ["+13125550199", FROM]}
    disowned: Mapping[str, Any] = {"numbers": ["+13125550199"]}

    def settings(self, base_url: str) -> RetellConnection:
        keys = {"api_key": TOKEN, "from": FROM, "agent": self.agent, "base_url": base_url}
        return RetellConnection.model_validate({"connector": "retell", **keys})

    def source(self) -> RetellSource:
        return RetellSource.model_validate({"kind": "retell", "api_key": SECRET})

    def calls(self, state: Mapping[str, Any]) -> list[Placed]:
        return [
            Placed(each["call_id"], each["to_number"], each["agent_id"], each["retell_llm_dynamic_variables"])
            for each in state["calls"]
        ]

    def report(self, call: Mapping[str, Any], outcome: Any) -> SignedRequest:
        return report(call, outcome, SECRET, at=RECEIVED.timestamp())


class TestConformance(VoiceConformance):
    @pytest.fixture
    def vendor(self) -> VoiceVendor:
        return Retell()
