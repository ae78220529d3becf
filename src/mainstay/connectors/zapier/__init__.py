"""Zapier: a Zap is told of events by its catch hook."""

from mainstay.connectors.zapier.layer import ZapierConnection, http_settings, make_layer, rates
from mainstay.kit import Connector

CONNECTOR = Connector(
    name="zapier",
    title="Zapier",
    settings=ZapierConnection,
    http=http_settings,
    roles={"layer": make_layer},
    # A catch hook takes a repeat for another event; the id is the same, for a Zap that looks at it.
    idempotency={"layer.send_event": "none"},
    rates=rates,
)

__all__ = ["CONNECTOR"]
