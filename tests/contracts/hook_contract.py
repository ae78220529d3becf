"""What a call to a hook keeps: Standard Webhooks, and our own envelope. None of the layers publishes a contract."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from tests.contracts.contract import Sent

_SIGNATURES = re.compile(r"v1,[A-Za-z0-9+/]{43}=( v1,[A-Za-z0-9+/]{43}=)*")


@dataclass(frozen=True)
class HookChecks:
    """``answers`` are the statuses that the layer is known to give."""

    answers: frozenset[int] = frozenset({200, 204, 400, 401, 403, 404, 405, 410, 413, 429, 500, 502, 503, 504})

    def wrong_request(self, sent: Sent) -> str:
        """Hold the headers against the standard, and the body against our envelope."""
        if sent.method.upper() != "POST" or sent.content_type != "application/json":
            return "an event is a POST of application/json"
        if not _SIGNATURES.fullmatch(sent.headers.get("webhook-signature", "")):
            return "webhook-signature holds v1,<base64>, several apart by spaces"
        if not sent.headers.get("webhook-timestamp", "").isdigit():
            return "webhook-timestamp is in whole seconds"
        try:
            body = json.loads(sent.body)
        except ValueError:
            return "the body is no JSON"
        if not isinstance(body, dict) or set(body) != {"event", "id", "data"} or not isinstance(body["data"], dict):
            return 'the body is {"event", "id", "data"}'
        if body["id"] != sent.headers.get("webhook-id") or "." in body["id"] or not body["id"]:
            return "webhook-id is the body's id, and has no dot, which parts what is signed"
        return ""

    def wrong_answer(self, sent: Sent, status: int, headers: Mapping[str, str], body: bytes) -> str:
        """Hold the status against those that are known."""
        return "" if status in self.answers else f"a hook does not answer {status}"
