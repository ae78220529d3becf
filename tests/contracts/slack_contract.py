"""Where Slack has left its archived contract of 2021: JSON bodies, newer errors, incoming webhooks.

Each check returns what is wrong, or an empty string.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

# JSON types that Slack takes today where its file, which knows form bodies alone, says "string".
_JSON_TYPES: dict[str, type] = {"blocks": list, "attachments": list, "metadata": dict}
_SCHEMA_TYPES: dict[str, type] = {"string": str, "boolean": bool, "integer": int, "number": float}
# Errors of today's Slack that the file's list for each method lacks.
_NEW_ERRORS = frozenset({
    "ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout", "missing_scope",
    "token_revoked", "invalid_blocks", "method_deprecated", "unknown_method", "metadata_must_be_sent_from_app",
})  # fmt: skip
# The fields of chat.postMessage, and those that only a webhook takes.
_WEBHOOK_KEYS: dict[str, type] = {
    "text": str, "blocks": list, "attachments": list, "thread_ts": str, "metadata": dict, "response_type": str,
    "replace_original": bool, "delete_original": bool, "unfurl_links": bool, "unfurl_media": bool, "mrkdwn": bool,
    "link_names": bool, "channel": str, "username": str, "icon_emoji": str, "icon_url": str,
}  # fmt: skip
_WEBHOOK_ERRORS = frozenset({
    "no_service", "no_team", "no_text", "invalid_payload", "invalid_token", "action_prohibited", "channel_not_found",
    "channel_is_archived", "user_not_found", "rate_limited", "posting_to_general_channel_denied", "invalid_blocks",
    "too_many_attachments", "team_disabled", "internal_error",
})  # fmt: skip


def wrong_types(sent: Any, declared: Mapping[str, Any]) -> str:
    """Hold a JSON body against the types that the file declares for the form's fields."""
    if not isinstance(sent, dict):
        return "a JSON body is an object"
    for name, value in sent.items():
        known = _SCHEMA_TYPES.get(declared.get(name, {}).get("type", "string"), str)
        wanted = _JSON_TYPES.get(name, known)
        if not isinstance(value, wanted):
            return f"{name} is a {wanted.__name__} in a JSON body, not {value!r}"
    return ""


def as_declared(raw: bytes, status: int) -> tuple[bytes, int]:
    """Give a refusal, which is a 200 at Slack, to the contract as its `default` answer, and a new error as an old."""
    try:
        value = json.loads(raw)
    except ValueError:
        return raw, status
    if isinstance(value, dict) and isinstance(value.get("messages"), list):
        return _history_as_declared(value), status
    if isinstance(value, dict) and value.get("ok") is False:
        if value.get("error") in _NEW_ERRORS:
            value = value | {"error": "invalid_auth"}
        return json.dumps(value).encode(), 400
    return raw, status


def _history_as_declared(value: dict[str, Any]) -> bytes:
    """Give a channel's messages as of 2021: no metadata, no cursor, and at least one message."""
    messages = [{name: each[name] for name in each if name != "metadata"} for each in value["messages"]]
    known = {name: value[name] for name in value if name != "response_metadata"}
    some = messages or [{"type": "message", "text": "", "ts": "1700000000.000000"}]
    return json.dumps(known | {"messages": some}).encode()


def wrong_webhook(method: str, path: str, sent: Any) -> str:
    """Hold a request to an incoming webhook, which the file does not know."""
    if method != "post" or not re.fullmatch(r"/services/T\w+/B\w+/\w+", path):
        return "an incoming webhook is POST /services/T.../B.../..."
    if not isinstance(sent, dict) or not {"text", "blocks", "attachments"} & set(sent):
        return "an incoming webhook takes an object with text, blocks or attachments"
    for name, value in sent.items():
        if name not in _WEBHOOK_KEYS:
            return f"{name} is no field of an incoming webhook: {sorted(_WEBHOOK_KEYS)}"
        if not isinstance(value, _WEBHOOK_KEYS[name]):
            return f"{name} is a {_WEBHOOK_KEYS[name].__name__}, not {value!r}"
    return ""


def wrong_webhook_answer(status: int, text: str) -> str:
    """Hold an incoming webhook's answer: a word."""
    wanted = {"ok"} if status == 200 else _WEBHOOK_ERRORS
    return "" if text in wanted else f"an incoming webhook answers {status} with one of {sorted(wanted)}, not {text!r}"
