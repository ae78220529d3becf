"""Slack: posting to channels, by a bot token or an incoming webhook."""

from mainstay.connectors.slack.chat import SlackConnection, http_settings, make_chat, rates
from mainstay.kit import Connector

CONNECTOR = Connector(
    name="slack",
    title="Slack",
    settings=SlackConnection,
    http=http_settings,
    roles={"chat": make_chat},
    # Slack takes no idempotency key; the one sent as metadata only lets a lost post be found.
    idempotency={"chat.post": "none"},
    rates=rates,
)

__all__ = ["CONNECTOR"]
