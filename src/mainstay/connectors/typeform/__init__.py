"""Typeform: answers as they are submitted."""

from mainstay.connectors.typeform.webhook import TypeformSettings, compose, delivery_key, parse, verify
from mainstay.kit import Connector, SourceKind

CONNECTOR = Connector(
    name="typeform",
    title="Typeform",
    sources=(
        SourceKind(
            name="typeform",
            title="Typeform",
            settings=TypeformSettings,
            verify=verify,
            parse=parse,
            delivery_key=delivery_key,
            compose=compose,
        ),
    ),
)
