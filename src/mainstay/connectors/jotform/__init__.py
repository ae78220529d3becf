"""Jotform: form submissions."""

from mainstay.connectors.jotform.webhook import JotformSettings, delivery_key, parse, verify
from mainstay.kit import Connector, SourceKind

CONNECTOR = Connector(
    name="jotform",
    title="Jotform",
    sources=(
        SourceKind(
            name="jotform",
            title="Jotform",
            settings=JotformSettings,
            verify=verify,
            parse=parse,
            delivery_key=delivery_key,
            secret_params=("secret",),
        ),
    ),
)
