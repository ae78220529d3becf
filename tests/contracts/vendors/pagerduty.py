"""pagerduty: the Events API v2 as its documentation has it; there is no contract file."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tests.contracts.contract import Sent

_KEYS = {"routing_key", "event_action", "dedup_key", "payload", "links", "images", "client", "client_url"}
_PAYLOAD = {"summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"}


class Checks:
    """Holds an event's keys and sizes against the documentation."""

    def wrong_request(self, sent: Sent) -> str:
        """Look at one event."""
        if sent.method.upper() != "POST" or not sent.path.endswith("/v2/enqueue"):
            return "events are posted to /v2/enqueue"
        body = json.loads(sent.body)
        if unknown := set(body) - _KEYS:
            return f"an event has no {unknown}"
        if len(body.get("dedup_key", "")) > 255:
            return "dedup_key has 255 characters at most"
        if body["event_action"] != "trigger":
            return "" if body.get("dedup_key") else "dedup_key is missing"
        payload = body["payload"]
        if unknown := set(payload) - _PAYLOAD:
            return f"a payload has no {unknown}"
        if not {"summary", "source", "severity"} <= set(payload) or len(payload["summary"]) > 1024:
            return "a payload has summary (1024 characters at most), source and severity"
        return ""

    def wrong_answer(self, sent: Sent, status: int, headers: Mapping[str, str], body: bytes) -> str:
        """Look at one answer."""
        return "" if status in {202, 400, 429, 500, 502, 503, 504} else f"it does not answer {status}"


CHECKS = Checks()
