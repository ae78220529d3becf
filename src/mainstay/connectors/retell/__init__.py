"""Retell: AI callers that phone people, and answer them."""

from mainstay.connectors.retell.settings import RetellConnection, RetellSource
from mainstay.connectors.retell.voice import check, http_settings, make_voice
from mainstay.connectors.retell.webhook import delivery_key, parse, verify
from mainstay.kit import Connector, SourceKind

CONNECTOR = Connector(
    name="retell",
    title="Retell",
    settings=RetellConnection,
    http=http_settings,
    check=check,
    roles={"voice": make_voice},
    # Retell takes no idempotency key; a call carries our mark in its metadata, and is found by its number and the mark.
    idempotency={"voice.place_call": "lookup", "voice.stop_call": "state", "voice.fetch_call": "state"},
    lookup_after=20.0,
    sources=(
        SourceKind(
            name="retell",
            title="Retell",
            settings=RetellSource,
            verify=verify,
            parse=parse,
            delivery_key=delivery_key,
        ),
    ),
)

__all__ = ["CONNECTOR"]
