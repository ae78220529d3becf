"""Tally: answers as they are submitted."""

from mainstay.connectors.tally.webhook import TallySettings, delivery_key, parse, verify
from mainstay.kit import Connector, SourceKind

CONNECTOR = Connector(
    name="tally",
    title="Tally",
    sources=(
        SourceKind(
            name="tally",
            title="Tally",
            settings=TallySettings,
            verify=verify,
            parse=parse,
            delivery_key=delivery_key,
        ),
    ),
)
