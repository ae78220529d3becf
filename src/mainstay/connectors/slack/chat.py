"""The chat role on Slack."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from mainstay.connectors.slack.errors import classify_api, classify_webhook
from mainstay.kit import (
    ConnectionSettings,
    Http,
    HttpSettings,
    PermanentError,
    Rate,
    RecordStore,
    Response,
    Sent,
    TransientError,
)
from mainstay.kit.roles import Button

API = "https://slack.com/api"
PAGE = "200"
MOST_PAGES = 10
SLACK_OF_CLOCKS = 60.0
_CHANNEL_ID = re.compile(r"[CGD][A-Z0-9]{8,}")
_LONGEST_BLOCK, _LONGEST_LABEL, _LONGEST_URL, _MOST_BUTTONS = 3000, 75, 3000, 25
_EMPTY = SecretStr("")
_JSON = "application/json; charset=utf-8"


class SlackConnection(ConnectionSettings):
    """``{ connector = "slack", token = "${SLACK_TOKEN}" }`` or ``webhook_url = "${SLACK_WEBHOOK}"``."""

    webhook_url: SecretStr = Field(_EMPTY, description="Address of an incoming webhook; it posts to one channel.")
    token: SecretStr = Field(_EMPTY, description="Bot token (xoxb-...) with the scope chat:write.")
    channel: str = Field("", description="Channel for posts that name none; only with a token.")

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        url, token = self.webhook_url.get_secret_value(), self.token.get_secret_value()
        if bool(url) == bool(token):
            message = "give either token (a bot's, xoxb-...) or webhook_url (an incoming webhook's address)"
            raise ValueError(message)
        if url:
            parts = urlsplit(url)
            if parts.scheme not in {"http", "https"} or not parts.netloc or not parts.path.strip("/"):
                message = "webhook_url must be a whole address, like https://hooks.slack.com/services/T000/B000/XXXX"
                raise ValueError(message)
            if self.channel:
                message = (
                    "channel has no effect with webhook_url: an incoming webhook posts to the channel it was made for"
                )
                raise ValueError(message)
        return self


async def check(settings: SlackConnection, http: Http) -> str:
    """Ask who the token is; of a webhook nothing can be asked without a post."""
    if settings.webhook_url.get_secret_value():
        return "an incoming webhook; Slack tells nothing of it before a post"
    answer = (await http.request("GET", "/auth.test")).data
    told = answer if isinstance(answer, dict) else {}
    return f"{told.get('user', 'a bot')} in the Slack workspace {told.get('team', 'without a name')}"


def http_settings(settings: SlackConnection) -> HttpSettings:
    """Return how to reach Slack; a webhook keeps its path alone under ``base_url`` (taken without its ``/api``)."""
    headers = {"Content-Type": _JSON}
    url = settings.webhook_url.get_secret_value()
    if not url:
        token = settings.token.get_secret_value()
        return HttpSettings(
            base_url=settings.base_url or API,
            headers={**headers, "Authorization": f"Bearer {token}"},
            secrets=(token,),
            classify=classify_api,
        )
    parts = urlsplit(url)
    path = parts.path
    return HttpSettings(
        base_url=settings.base_url.rstrip("/").removesuffix("/api") or f"{parts.scheme}://{parts.netloc}",
        headers=headers,
        secrets=(path.removeprefix("/services/").strip("/"), path.rpartition("/")[2]),
        classify=classify_webhook,
    )


def rates(settings: SlackConnection) -> tuple[Rate, ...]:
    """Return what Slack takes: a post a second in each channel; of a bot, which may have several, short bursts too."""
    return (Rate(1, 1),) if settings.webhook_url.get_secret_value() else (Rate(60, 60),)


def make_chat(settings: SlackConnection, http: Http, _store: RecordStore | None = None) -> SlackWebhook | SlackChat:
    """Build the role for one attempt."""
    url = settings.webhook_url.get_secret_value()
    return SlackWebhook(urlsplit(url).path, http) if url else SlackChat(settings.channel, http)


class SlackChat:
    """Posts as a bot, by ``chat.postMessage``."""

    def __init__(self, channel: str, http: Http) -> None:
        self._channel = channel
        self._http = http

    async def post(self, channel: str, text: str, buttons: Sequence[Button] = ()) -> Sent:
        """Post ``text`` to ``channel`` (a name or an id); the id given back is ``channel id/ts``."""
        channel = channel.strip() or self._channel
        if not channel:
            message = "no channel: name one in the post, or set channel on the connection"
            raise PermanentError(message)
        body: dict[str, object] = {"channel": channel, **_content(text, buttons)}
        if self._http.idempotency_key:
            body["metadata"] = {"event_type": "mainstay", "event_payload": {"key": self._http.idempotency_key}}
        answer = (await self._http.request("POST", "/chat.postMessage", json=body)).data
        return Sent(f"{answer.get('channel', channel)}/{answer.get('ts', '')}")

    async def find_post(
        self,
        channel: str,
        text: str,  # noqa: ARG002 found by its metadata
        buttons: Sequence[Button] = (),  # noqa: ARG002
    ) -> Sent | None:
        """Look for a post that an earlier try of this step left; None when the channel does not have it."""
        channel_id = await self._channel_id(channel.strip() or self._channel)
        query = {"channel": channel_id, "include_all_metadata": "true", "limit": PAGE}
        for _ in range(MOST_PAGES):
            response = await self._http.request("GET", "/conversations.history", params=query)
            messages = _list(response, "messages")
            for message in messages:
                if _key(message) == self._http.idempotency_key:
                    return Sent(f"{channel_id}/{message.get('ts', '')}")
            cursor = _cursor(response)
            if not cursor or (messages and self._is_older(messages[-1], response)):
                return None
            query["cursor"] = cursor
        raise PermanentError(f"the post is not among the newest {MOST_PAGES * int(PAGE)} of {channel}")

    def _is_older(self, message: Mapping[str, Any], response: Response) -> bool:
        """Tell whether a message was there before this step was first tried; the newest come first."""
        try:
            made = float(message.get("ts", ""))
        except ValueError:
            return False
        return response.moment.timestamp() - made > self._http.tried_ago + SLACK_OF_CLOCKS

    async def _channel_id(self, channel: str) -> str:
        """Return a channel's id: that is what it is read by, and a post may name it by its name."""
        if _CHANNEL_ID.fullmatch(channel):
            return channel
        query = {"types": "public_channel,private_channel", "exclude_archived": "true", "limit": PAGE}
        for _ in range(MOST_PAGES):
            response = await self._http.request("GET", "/conversations.list", params=query)
            for found in _list(response, "channels"):
                if found.get("name") == channel.removeprefix("#"):
                    return str(found.get("id", ""))
            cursor = _cursor(response)
            if not cursor:
                break
            query["cursor"] = cursor
        raise PermanentError(f"{channel} is not among the channels that the bot can list")


def _list(response: Response, name: str) -> list[Mapping[str, Any]]:
    found = response.data.get(name)
    if not isinstance(found, list):
        raise TransientError(f"{response.status}: the answer has no {name} in it", status=response.status)
    return [each for each in found if isinstance(each, dict)]


def _cursor(response: Response) -> str:
    metadata = response.data.get("response_metadata")
    return str(metadata.get("next_cursor") or "") if isinstance(metadata, dict) else ""


def _key(message: Mapping[str, Any]) -> object:
    metadata = message.get("metadata")
    payload = metadata.get("event_payload") if isinstance(metadata, dict) else None
    return payload.get("key") if isinstance(payload, dict) else None


class SlackWebhook:
    """Posts by an incoming webhook, which has one fixed channel and gives no id back."""

    def __init__(self, path: str, http: Http) -> None:
        self._path = path
        self._http = http

    async def post(
        self,
        channel: str,  # noqa: ARG002 Slack ignores a channel here
        text: str,
        buttons: Sequence[Button] = (),
    ) -> Sent:
        """Post ``text`` to the webhook's own channel."""
        await self._http.request("POST", self._path, json=_content(text, buttons))
        return Sent()


def _content(text: str, buttons: Sequence[Button]) -> dict[str, object]:
    """Return what a post says. With blocks Slack shows the text in notifications alone, so it is in a block as well."""
    content: dict[str, object] = {"text": escape(text)}
    if buttons:
        shown = [
            {"type": "button", "text": {"type": "plain_text", "text": each.text[:_LONGEST_LABEL]}, "url": each.url}
            for each in buttons[:_MOST_BUTTONS]
            if len(each.url) <= _LONGEST_URL
        ]
        section = {"type": "section", "text": {"type": "plain_text", "text": text[:_LONGEST_BLOCK]}}
        content["blocks"] = [section, *([{"type": "actions", "elements": shown}] if shown else [])]
    return content


def escape(text: str) -> str:
    """Escape the three characters that Slack reads as markup, so that nobody's name becomes ``<!channel>``."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
