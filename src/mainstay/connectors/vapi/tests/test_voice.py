from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from mainstay.connectors.vapi import CONNECTOR
from mainstay.connectors.vapi.settings import VapiConnection, VapiSource
from mainstay.sandbox.senders import SignedRequest
from mainstay.sandbox.vendors.vapi import report
from tests.connectors.voice_conformance import SECRET, TOKEN, Placed, VoiceConformance, VoiceVendor, bench, sandbox

__all__ = ["bench", "sandbox"]
NUMBER = "42b4b25d-031e-4786-857f-63b346c9580f"


class Vapi:
    name = "vapi"
    connector = CONNECTOR
    agent = "5b0a4a08-133c-4146-9315-0984f8c6be80"
    unknown_id = "7420f27a-30fd-4f49-a995-5549ae7cc00d"
    outcomes: Mapping[str, Any] = {
        "answered": "customer-ended-call",
        "voicemail": "voicemail",
        "no_answer": "customer-did-not-answer",
        "busy": "customer-busy",
        "failed": "twilio-failed-to-connect-call",
        "invalid": "invalid",
    }
    no_credit: Mapping[str, Any] = {"has_credit": False}
    owned: Mapping[str, Any] = {"numbers": ["another", NUMBER]}
    disowned: Mapping[str, Any] = {"numbers": ["another"]}

    def settings(self, base_url: str) -> VapiConnection:
        keys = {"api_key": TOKEN, "phone_number_id": NUMBER, "assistant": self.agent, "base_url": base_url}
        return VapiConnection.model_validate({"connector": "vapi", **keys})

    def source(self) -> VapiSource:
        return VapiSource.model_validate({"kind": "vapi", "secret": SECRET})

    def calls(self, state: Mapping[str, Any]) -> list[Placed]:
        return [
            Placed(
                each["id"],
                each["customer"]["number"],
                each["assistantId"],
                each["assistantOverrides"]["variableValues"],
            )
            for each in state["calls"]
        ]

    def report(self, call: Mapping[str, Any], outcome: Any) -> SignedRequest:
        return report(call, outcome, SECRET)


class TestConformance(VoiceConformance):
    @pytest.fixture
    def vendor(self) -> VoiceVendor:
        return Vapi()
