"""Make: a scenario is told of events by its custom webhook."""

from mainstay.connectors.make.layer import MakeConnection, http_settings, make_layer, rates
from mainstay.kit import Connector

CONNECTOR = Connector(
    name="make",
    title="Make",
    settings=MakeConnection,
    http=http_settings,
    roles={"layer": make_layer},
    # The id is the same each time, but whether a scenario looks at it is up to whoever built it.
    idempotency={"layer.send_event": "none"},
    rates=rates,
)

__all__ = ["CONNECTOR"]
