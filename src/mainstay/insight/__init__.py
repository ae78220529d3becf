"""Read-only answers for every screen and command; each is about one workspace and is quick however much is stored."""

from mainstay.insight.contacts import (
    ContactDetail,
    Counterpart,
    Identifier,
    contact_detail,
    list_contacts,
    search_contacts,
)
from mainstay.insight.counting import Count
from mainstay.insight.deliveries import (
    DeliveryRow,
    QuarantineRow,
    RawDelivery,
    delivery_detail,
    find_deliveries,
    list_deliveries,
    list_quarantine,
    quarantine_detail,
)
from mainstay.insight.incidents import IncidentRow, incident_detail, open_incidents, resolved_incidents
from mainstay.insight.paging import Page, resolve_short_id
from mainstay.insight.rules import BROKEN, FINE, HEALING, Healed, Thing, advice
from mainstay.insight.runs import RunDetail, RunFilter, RunRow, Step, list_runs, run_detail, runs_of_delivery
from mainstay.insight.tallies import (
    ConnectionOverview,
    SourceDay,
    SourceOverview,
    connection_overview,
    source_overview,
    workflows_seen,
)
from mainstay.insight.timeline import ContactChange, ContactEvent, Entry, timeline
from mainstay.insight.verdict import OldestRun, SourceCount, Verdict, verdict

__all__ = [
    "BROKEN",
    "FINE",
    "HEALING",
    "ConnectionOverview",
    "ContactChange",
    "ContactDetail",
    "ContactEvent",
    "Count",
    "Counterpart",
    "DeliveryRow",
    "Entry",
    "Healed",
    "Identifier",
    "IncidentRow",
    "OldestRun",
    "Page",
    "QuarantineRow",
    "RawDelivery",
    "RunDetail",
    "RunFilter",
    "RunRow",
    "SourceCount",
    "SourceDay",
    "SourceOverview",
    "Step",
    "Thing",
    "Verdict",
    "advice",
    "connection_overview",
    "contact_detail",
    "delivery_detail",
    "find_deliveries",
    "incident_detail",
    "list_contacts",
    "list_deliveries",
    "list_quarantine",
    "list_runs",
    "open_incidents",
    "quarantine_detail",
    "resolve_short_id",
    "resolved_incidents",
    "run_detail",
    "runs_of_delivery",
    "search_contacts",
    "source_overview",
    "timeline",
    "verdict",
    "workflows_seen",
]
