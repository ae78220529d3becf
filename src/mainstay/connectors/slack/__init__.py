"""Slack: posting to channels, by a bot token or an incoming webhook."""

from mainstay.connectors.slack.chat import SlackConnection, check, http_settings, make_chat, rates
from mainstay.kit import Connector

CONNECTOR = Connector(
    name="slack",
    title="Slack",
    settings=SlackConnection,
    http=http_settings,
    check=check,
    roles={"chat": make_chat},
    # Slack takes no idempotency key; by the one sent as metadata a lost post is found. A webhook finds nothing.
    idempotency={"chat.post": "lookup"},
    lookup_after=5.0,
    rates=rates,
    own_channel=lambda settings: bool(settings.webhook_url.get_secret_value() or settings.channel),
)

__all__ = ["CONNECTOR"]
