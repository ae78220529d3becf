"""A simulator of Slack's chat.postMessage and incoming webhooks."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from mainstay.sandbox.state import Configurable, Effects, Ids, RateWindow, token_is_good
from mainstay.sandbox.vendors.slack_reading import list_channels, read_history
from mainstay.sandbox.wire import FORM, Json, Reply, Request, SettingError, answer, text

_CHANNEL_ID = re.compile(r"[CGD][A-Z0-9]{8,}")
_CHANNEL_NAME = re.compile(r"#[a-z0-9_-]{1,80}")
_WEBHOOK = re.compile(r"/services/(T\w+)/(B\w+)/(\w+)")
_LONGEST = 40_000
USUAL_CHANNELS = ("#general", "#leads", "#alerts")
_BOT = {"bot_id": "B000SANDBOX", "user": "U000SANDBOX", "team": "T000SANDBOX"}


@dataclass(frozen=True)
class Settings:
    """``PUT /_control/config/slack``.

    ``tokens``, ``channels`` and ``webhooks`` (paths such as ``/services/T1/B1/x``) list what exists; None admits
    anything of the right form, and a channel by ``#name`` too; listed are then a few usual ones and those posted to.
    ``not_joined`` channels answer not_in_channel. ``rate_limit`` enforces one message a second in each channel.
    ``scopes`` lists what the tokens may do (None: all): chat:write posts, channels:read lists channels,
    channels:history reads them.
    """

    tokens: list[str] | None = None
    channels: list[str] | None = None
    webhooks: list[str] | None = None
    not_joined: list[str] | None = None
    rate_limit: bool = False
    scopes: list[str] | None = None


class Slack(Configurable):
    """Slack's Web API (posting, reading and listing channels, ``auth.test``) and incoming webhooks."""

    name = "slack"

    def __init__(self) -> None:
        """Start empty."""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.settings = Settings()
        self._ids = Ids(self.name)
        self._effects = Effects()
        self._messages: list[dict[str, Json]] = []
        self._channel_ids: dict[str, str] = {}
        self._windows: dict[str, RateWindow] = {}

    def state(self) -> dict[str, Json]:
        """Return every message in order, with the fields as sent, and the effects."""
        return {"messages": self._messages, "effects": self._effects.listing()}

    def seed(self, kind: str, records: list[dict[str, Json]]) -> int:  # noqa: ARG002
        """Refuse: Slack has no records to seed."""
        raise SettingError(f"slack has no {kind} to seed; channels and webhooks are settings")

    def handle(self, request: Request) -> Reply:
        """Answer one request."""
        if request.path.startswith("/services/"):
            return self._webhook(request)
        fields = _fields(request)
        if fields is None:
            return _refused("invalid_json" if request.content_type != FORM else "invalid_form_data")
        token = request.bearer or str(fields.pop("token", ""))
        if not token:
            return _refused("not_authed")
        if not token_is_good(token, self.settings.tokens):
            return _refused("invalid_auth")
        return self._api(request, fields)

    def _api(self, request: Request, fields: dict[str, Json]) -> Reply:
        match request.method, request.path:
            case "POST", "/api/chat.postMessage":
                return self._missing("chat:write") or self._post(request, fields)
            case "GET", "/api/conversations.list":
                return self._missing("channels:read") or self._list(dict(request.query))
            case "GET", "/api/conversations.history":
                return self._missing("channels:history") or self._history(dict(request.query))
            case _, "/api/auth.test":
                identity = {"url": "https://sandbox.slack.com/", "team": "Sandbox", "user": "mainstay"}
                ids = {"team_id": _BOT["team"], "user_id": _BOT["user"], "bot_id": _BOT["bot_id"]}
                return answer(200, {"ok": True, **identity, **ids})
            case _:
                return _refused("unknown_method")

    def failure(self, request: Request, status: int, retry_after: float | None) -> Reply:
        """Return Slack's error shape: JSON with ok=false, or a word alone for an incoming webhook."""
        headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
        if request.path.startswith("/services/"):
            return text(status, "rate_limited" if status == 429 else "internal_error", headers)
        error = "ratelimited" if status == 429 else "internal_error" if status >= 500 else "invalid_auth"
        return answer(status, {"ok": False, "error": error}, headers)

    def _post(self, request: Request, fields: dict[str, Json]) -> Reply:
        channel = self._channel(fields.get("channel"))
        if channel is None:
            return _refused("channel_not_found")
        if channel in (self.settings.not_joined or ()):
            return _refused("not_in_channel")
        if problem := _problem(fields):
            return _refused(problem)
        if self._is_too_fast(channel):
            return self.failure(request, 429, 1)
        ts = self._keep(request, "chat.postMessage", channel, fields)
        message = {"type": "message", "text": fields.get("text") or "", "ts": ts, **_BOT}
        if fields.get("blocks"):
            message["blocks"] = fields["blocks"]
        if fields.get("thread_ts"):
            message["thread_ts"] = fields["thread_ts"]
        return answer(200, {"ok": True, "channel": channel, "ts": ts, "message": message})

    def _list(self, query: dict[str, str]) -> Reply:
        for name in self.settings.channels or USUAL_CHANNELS:
            self._channel(name)
        return list_channels(self._channel_ids, query)

    def _history(self, query: dict[str, str]) -> Reply:
        channel = query.get("channel", "")
        if not _CHANNEL_ID.fullmatch(channel) or self._channel(channel) is None:
            return _refused("channel_not_found")
        if channel in (self.settings.not_joined or ()):
            return _refused("not_in_channel")
        messages = [each for each in self._messages if each["channel"] == channel and each["via"] != "webhook"]
        return read_history(messages, query, _BOT)

    def _missing(self, scope: str) -> Reply | None:
        if self.settings.scopes is None or scope in self.settings.scopes:
            return None
        provided = ",".join(self.settings.scopes)
        return answer(200, {"ok": False, "error": "missing_scope", "needed": scope, "provided": provided})

    def _webhook(self, request: Request) -> Reply:
        known = self.settings.webhooks
        if not _WEBHOOK.fullmatch(request.path) or (known is not None and request.path not in known):
            return text(404, "no_service")
        fields = _fields(request)
        if fields is not None and "payload" in fields:
            fields = _object(fields["payload"])
        if request.method != "POST" or fields is None:
            return text(400, "invalid_payload")
        if problem := _problem(fields):
            return text(400, problem)
        if self._is_too_fast(request.path):
            return self.failure(request, 429, 1)
        self._keep(request, "webhook", request.path, fields)
        return Reply(200, b"ok", "text/html")

    def _keep(self, request: Request, via: str, channel: str, fields: dict[str, Json]) -> str:
        number = self._ids.number("message")
        # The microseconds tell one message from the next, as Slack makes them do; the seconds are its clock.
        ts = f"{int(time.time())}.{number % 1_000_000:06d}"
        self._messages.append({**fields, "ts": ts, "via": via, "channel": channel})
        correlation: dict[str, str] = {}
        metadata = fields.get("metadata")
        if isinstance(metadata, dict):
            correlation["metadata"] = orjson.dumps(metadata, option=orjson.OPT_SORT_KEYS).decode()
        if isinstance(fields.get("client_msg_id"), str):
            correlation["client_msg_id"] = fields["client_msg_id"]
        self._effects.add("message.posted", ts, request, correlation)
        return ts

    def _channel(self, given: Json) -> str | None:
        if not isinstance(given, str):
            return None
        if self.settings.channels is not None and given not in {*self.settings.channels, *self._channel_ids.values()}:
            return None
        if _CHANNEL_ID.fullmatch(given):
            return given
        if not _CHANNEL_NAME.fullmatch(given):
            return None
        if given not in self._channel_ids:
            self._channel_ids[given] = f"C{self._ids.number('channel'):010d}"
        return self._channel_ids[given]

    def _is_too_fast(self, channel: str) -> bool:
        if not self.settings.rate_limit:
            return False
        return not self._windows.setdefault(channel, RateWindow(1, 1)).take()


def _fields(request: Request) -> dict[str, Json] | None:
    if request.content_type == FORM:
        fields: dict[str, Json] = dict(request.form())
        for name in ("blocks", "attachments", "metadata"):
            if name in fields:
                try:
                    fields[name] = orjson.loads(fields[name])
                except ValueError:
                    fields[name] = None
        return fields
    return _object(request.body) if request.body else {}


def _object(raw: Json) -> dict[str, Json] | None:
    try:
        value = orjson.loads(raw)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _problem(fields: Mapping[str, Json]) -> str | None:
    blocks = fields.get("blocks")
    if "blocks" in fields and not _are_blocks(blocks):
        return "invalid_blocks"
    if not (fields.get("text") or blocks or fields.get("attachments")):
        return "no_text"
    if len(str(fields.get("text") or "")) > _LONGEST:
        return "msg_too_long"
    return None


def _are_blocks(value: Json) -> bool:
    return isinstance(value, list) and all(isinstance(block, dict) and "type" in block for block in value)


def _refused(error: str) -> Reply:
    # An API error is a 200 at Slack.
    return answer(200, {"ok": False, "error": error})


SIMULATOR = Slack
