"""Vapi: AI callers that phone people, and answer them."""

from mainstay.connectors.vapi.settings import VapiConnection, VapiSource
from mainstay.connectors.vapi.voice import check, http_settings, make_voice
from mainstay.connectors.vapi.webhook import answer, delivery_key, parse, verify
from mainstay.kit import Connector, SourceKind

CONNECTOR = Connector(
    name="vapi",
    title="Vapi",
    settings=VapiConnection,
    http=http_settings,
    check=check,
    roles={"voice": make_voice},
    # Vapi takes no idempotency key; a call carries our mark in its name and its metadata, and is found by it.
    idempotency={"voice.place_call": "lookup", "voice.stop_call": "state", "voice.fetch_call": "state"},
    lookup_after=20.0,
    sources=(
        SourceKind(
            name="vapi",
            title="Vapi",
            settings=VapiSource,
            verify=verify,
            parse=parse,
            delivery_key=delivery_key,
            challenge=answer,
            secret_headers=("x-vapi-secret", "authorization"),
        ),
    ),
)

__all__ = ["CONNECTOR"]
