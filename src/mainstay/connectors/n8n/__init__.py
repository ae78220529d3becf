"""n8n: a workflow is told of events by its Webhook node."""

from mainstay.connectors.n8n.layer import N8nConnection, http_settings, make_layer
from mainstay.kit import Connector

CONNECTOR = Connector(
    name="n8n",
    title="n8n",
    settings=N8nConnection,
    http=http_settings,
    roles={"layer": make_layer},
    # The id is the same each time, but whether a workflow looks at it is up to whoever built it.
    idempotency={"layer.send_event": "none"},
)

__all__ = ["CONNECTOR"]
