"""n8n: a workflow is told of events by its Webhook node; what failed there is asked of its API."""

from mainstay.connectors.n8n.layer import N8nConnection, check, http_settings, make_layer
from mainstay.kit import Connector

CONNECTOR = Connector(
    name="n8n",
    title="n8n",
    settings=N8nConnection,
    http=http_settings,
    check=check,
    roles={"layer": make_layer},
    idempotency={
        # The id is the same each time, but whether a workflow looks at it is up to whoever built it.
        "layer.send_event": "none",
        "layer.pull_failures": "state",
        "layer.retry_execution": "lookup",
    },
    can_pull=lambda settings: bool(settings.api_key.get_secret_value()),
)

__all__ = ["CONNECTOR"]
