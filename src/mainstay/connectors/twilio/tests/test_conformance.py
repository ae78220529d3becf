from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainstay.connectors.twilio import CONNECTOR
from tests.connectors.message_conformance import TOKEN, MessageVendor, SMSConformance, sandbox

__all__ = ["sandbox"]
KEYS = {"account_sid": "AC" + "0a" * 16, "auth_token": TOKEN, "from": "+13125550100"}


def texts(state: Mapping[str, Any]) -> list[str]:
    return [each["body"] for each in state["messages"]]


class TestConformance(SMSConformance):
    vendor = MessageVendor("twilio", CONNECTOR, KEYS, texts, page=50)
