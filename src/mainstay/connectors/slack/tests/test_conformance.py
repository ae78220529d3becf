from __future__ import annotations

from collections.abc import Mapping
from html import unescape
from typing import Any

from mainstay.connectors.slack import CONNECTOR
from tests.connectors.message_conformance import TOKEN, ChatConformance, MessageVendor, sandbox

__all__ = ["sandbox"]


def texts(state: Mapping[str, Any]) -> list[str]:
    """Return what people read: Slack undoes the escapes."""
    return [unescape(each["text"]) for each in state["messages"]]


class TestConformance(ChatConformance):
    vendor = MessageVendor("slack", CONNECTOR, {"token": TOKEN}, texts, page=200)
