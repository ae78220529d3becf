"""Calendly: whoever books a meeting."""

from mainstay.connectors.calendly.webhook import CalendlySettings, delivery_key, parse, verify
from mainstay.kit import Connector, SourceKind

CONNECTOR = Connector(
    name="calendly",
    title="Calendly",
    sources=(
        SourceKind(
            name="calendly",
            title="Calendly",
            settings=CalendlySettings,
            verify=verify,
            parse=parse,
            delivery_key=delivery_key,
        ),
    ),
)
