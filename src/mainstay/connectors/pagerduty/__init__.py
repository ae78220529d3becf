"""PagerDuty, and whatever takes its events: calls whoever is on duty."""

from mainstay.connectors.pagerduty.pager import PagerDutyConnection, http_settings, make_pager
from mainstay.kit import Connector

CONNECTOR = Connector(
    name="pagerduty",
    title="PagerDuty",
    settings=PagerDutyConnection,
    http=http_settings,
    roles={"pager": make_pager},
    # By its key an event that comes twice is the same alert.
    idempotency={"pager.page": "state"},
)

__all__ = ["CONNECTOR"]
