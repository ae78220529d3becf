"""Any system that takes signed webhooks (Standard Webhooks), and what scenarios elsewhere report of their failures."""

from mainstay.connectors.webhook.failures import LayerFailureSettings, delivery_key, parse, verify
from mainstay.connectors.webhook.layer import WebhookConnection, http_settings, make_layer
from mainstay.kit import Connector, SourceKind
from mainstay.kit.proving import SECRET_HEADERS, SECRET_PARAMS

CONNECTOR = Connector(
    name="webhook",
    title="Webhook",
    settings=WebhookConnection,
    http=http_settings,
    roles={"layer": make_layer},
    # A receiver by the standard takes a webhook-id once; no answer tells whether this one does.
    idempotency={"layer.send_event": "none"},
    sources=(
        SourceKind(
            name="layer_failure",
            title="Failures of scenarios elsewhere",
            settings=LayerFailureSettings,
            verify=verify,
            parse=parse,
            delivery_key=delivery_key,
            secret_headers=SECRET_HEADERS,
            secret_params=SECRET_PARAMS,
        ),
    ),
)

__all__ = ["CONNECTOR"]
