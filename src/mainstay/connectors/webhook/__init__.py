"""Any system that takes signed webhooks (Standard Webhooks)."""

from mainstay.connectors.webhook.layer import WebhookConnection, http_settings, make_layer
from mainstay.kit import Connector

CONNECTOR = Connector(
    name="webhook",
    title="Webhook",
    settings=WebhookConnection,
    http=http_settings,
    roles={"layer": make_layer},
    # A receiver by the standard takes a webhook-id once; no answer tells whether this one does.
    idempotency={"layer.send_event": "none"},
)

__all__ = ["CONNECTOR"]
