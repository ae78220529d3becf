"""Bland: AI callers that phone people, and answer them."""

from mainstay.connectors.bland.settings import BlandConnection, BlandSource
from mainstay.connectors.bland.voice import check, http_settings, make_voice
from mainstay.connectors.bland.webhook import delivery_key, parse, verify
from mainstay.kit import Connector, SourceKind

CONNECTOR = Connector(
    name="bland",
    title="Bland",
    settings=BlandConnection,
    http=http_settings,
    check=check,
    roles={"voice": make_voice},
    # Bland tells of no idempotency key; a call carries our mark in its metadata, and is found by its number and age.
    idempotency={"voice.place_call": "lookup", "voice.stop_call": "state", "voice.fetch_call": "state"},
    # How far its list of calls lags is told nowhere.
    lookup_after=30.0,
    sources=(
        SourceKind(
            name="bland",
            title="Bland",
            settings=BlandSource,
            verify=verify,
            parse=parse,
            delivery_key=delivery_key,
        ),
    ),
)

__all__ = ["CONNECTOR"]
