"""What Slack shows of its channels: their list, and their messages, the newest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from mainstay.sandbox.wire import Json, Reply, answer

Item = TypeVar("Item")
_USUAL_PAGE, _LARGEST_PAGE = 100, 999


def list_channels(ids: Mapping[str, str], query: Mapping[str, str]) -> Reply:
    """Answer ``conversations.list``; ``ids`` are the channels' by their names."""
    channels = [_channel(channel_id, name.removeprefix("#")) for name, channel_id in ids.items()]
    page, cursor = _page(channels, query)
    return answer(200, {"ok": True, "channels": page, "response_metadata": {"next_cursor": cursor}})


def read_history(messages: Sequence[Mapping[str, Json]], query: Mapping[str, str], bot: Mapping[str, str]) -> Reply:
    """Answer ``conversations.history`` of one channel, whose messages come the oldest first."""
    found = [each for each in reversed(messages) if float(each["ts"]) > float(query.get("oldest") or 0)]
    page, cursor = _page(found, query)
    has_metadata = query.get("include_all_metadata") in {"true", "1"}
    value: dict[str, Json] = {
        "ok": True,
        "messages": [_message(each, bot, has_metadata=has_metadata) for each in page],
        "has_more": bool(cursor),
        "pin_count": 0,
        "channel_actions_ts": None,
        "channel_actions_count": 0,
    }
    if cursor:
        value["response_metadata"] = {"next_cursor": cursor}
    return answer(200, value)


def _page(items: Sequence[Item], query: Mapping[str, str]) -> tuple[Sequence[Item], str]:
    limit = min(int(query.get("limit") or _USUAL_PAGE), _LARGEST_PAGE)
    start = int(query.get("cursor") or 0)
    end = start + limit
    return items[start:end], str(end) if end < len(items) else ""


def _message(message: Mapping[str, Json], bot: Mapping[str, str], *, has_metadata: bool) -> dict[str, Json]:
    shown = {"type": "message", "text": message.get("text") or "", "ts": message["ts"], **bot}
    for name in ("blocks", "thread_ts", *(["metadata"] if has_metadata else [])):
        if message.get(name):
            shown[name] = message[name]
    return shown


def _channel(channel_id: str, name: str) -> dict[str, Json]:
    written = {"creator": "U000SANDBOX", "last_set": 0, "value": ""}
    flags = dict.fromkeys(
        (
            "is_archived",
            "is_ext_shared",
            "is_general",
            "is_group",
            "is_im",
            "is_mpim",
            "is_org_shared",
            "is_private",
            "is_shared",
        ),
        False,
    )
    return {
        "id": channel_id,
        "name": name,
        "name_normalized": name,
        "created": 1_700_000_000,
        "creator": "U000SANDBOX",
        "is_channel": True,
        "is_member": True,
        "topic": written,
        "purpose": written,
        "unlinked": 0,
        **flags,
    }
