from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from mainstay.sandbox import Sandbox
from tests.sandbox.wire import SLACK, Answer, call

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def post(sandbox: Sandbox, body: Any, headers: dict[str, str] | None = None) -> Answer:
    return call("POST", f"{sandbox.url('slack')}/chat.postMessage", body, SLACK | (headers or {}))


def test_a_message_is_posted_as_json_and_as_a_form(sandbox: Sandbox) -> None:
    metadata = {"event_type": "run", "event_payload": {"run": "7f3a"}}
    first = post(sandbox, {"channel": "C123456789", "text": "New lead", "metadata": metadata}).json()
    form = urlencode({"channel": "#leads", "text": "New lead", "metadata": json.dumps(metadata)}).encode()
    second = post(sandbox, form, FORM).json()
    assert (first["ok"], second["ok"]) == (True, True)
    assert first["ts"] < second["ts"]
    assert first["channel"] == "C123456789"
    assert [message["metadata"] for message in sandbox.messages("slack")] == [metadata, metadata]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"channel": "nowhere", "text": "x"}, "channel_not_found"),
        ({"text": "x"}, "channel_not_found"),
        ({"channel": "C123456789"}, "no_text"),
        ({"channel": "C123456789", "blocks": [{"no": "type"}]}, "invalid_blocks"),
        ({"channel": "C123456789", "text": "x" * 40_001}, "msg_too_long"),
    ],
)
def test_an_error_is_a_200_that_says_no(sandbox: Sandbox, body: dict[str, Any], error: str) -> None:
    answer = post(sandbox, body)
    assert (answer.status, answer.json()) == (200, {"ok": False, "error": error})
    assert sandbox.messages("slack") == []


@pytest.mark.parametrize(("token", "error"), [("", "not_authed"), ("Bearer invalid-1", "invalid_auth")])
def test_a_call_needs_a_token(sandbox: Sandbox, token: str, error: str) -> None:
    answer = post(sandbox, {"channel": "C123456789", "text": "x"}, {"Authorization": token})
    assert answer.json() == {"ok": False, "error": error}


def test_channels_can_be_listed_and_left(sandbox: Sandbox) -> None:
    sandbox.configure("slack", channels=["C123456789", "C987654321"], not_joined=["C987654321"])
    errors = [post(sandbox, {"channel": channel, "text": "x"}).json().get("error")
              for channel in ("C123456789", "C987654321", "C111111111")]  # fmt: skip
    assert errors == [None, "not_in_channel", "channel_not_found"]


def test_an_incoming_webhook_says_ok(sandbox: Sandbox) -> None:
    answer = call("POST", sandbox.slack_webhook_url(), {"text": "New lead"})
    assert (answer.status, answer.body) == (200, b"ok")
    assert [message["text"] for message in sandbox.messages("slack")] == ["New lead"]


def test_an_incoming_webhook_refuses_in_words(sandbox: Sandbox) -> None:
    url = sandbox.slack_webhook_url()
    assert call("POST", url, b"{").body == b"invalid_payload"
    assert call("POST", url, {"mrkdwn": True}).body == b"no_text"
    sandbox.configure("slack", webhooks=[])
    gone = call("POST", url, {"text": "x"})
    assert (gone.status, gone.body) == (404, b"no_service")


def test_one_message_a_second_in_a_channel_on_demand(sandbox: Sandbox) -> None:
    sandbox.configure("slack", rate_limit=True)
    answers = [post(sandbox, {"channel": "C123456789", "text": "x"}) for _ in range(10)]
    refused = next(answer for answer in answers if answer.status == 429)
    assert refused.headers["Retry-After"] == "1"
    assert refused.json() == {"ok": False, "error": "ratelimited"}
