"""Real HTTP calls to the sandbox, each held against the vendor's contract where that is asked for."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

GHL = {"Authorization": "Bearer pit-1", "Version": "2021-07-28"}
HUBSPOT = {"Authorization": "Bearer pat-1"}
SLACK = {"Authorization": "Bearer xoxb-1"}
TWILIO_ACCOUNT = "AC" + "0a" * 16
TWILIO = {
    "Authorization": "Basic " + base64.b64encode(f"{TWILIO_ACCOUNT}:token-1".encode()).decode(),
    "Content-Type": "application/x-www-form-urlencoded",
}
POSTMARK = {"X-Postmark-Server-Token": "server-1"}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def call(
    method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None, *, timeout: float = 5
) -> Answer:
    """Send ``body`` (bytes as they are, else as JSON) and return the answer."""
    parts = urlsplit(url)
    raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Content-Type": "application/json"} | dict(headers or {})
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
    try:
        connection.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), raw, sent)
        response = connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read())
    finally:
        connection.close()
