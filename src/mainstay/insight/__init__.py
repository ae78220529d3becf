"""Read-only answers for every screen and command; each is about one workspace and is quick however much is stored."""

from mainstay.insight.access import AccessRow, list_access
from mainstay.insight.comparison import Line, compare, has_choice
from mainstay.insight.contacts import (
    ContactDetail,
    Counterpart,
    Identifier,
    contact_detail,
    identifiers_of,
    list_contacts,
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
from mainstay.insight.gates import GateRow, Window, list_gates
from mainstay.insight.incidents import (
    AlertRow,
    IncidentRow,
    count_newer_incidents,
    incident_detail,
    list_alerts,
    open_incidents,
    resolved_incidents,
)
from mainstay.insight.lineage import Lineage, Saying
from mainstay.insight.merges import MergeRow
from mainstay.insight.paging import Page, resolve_short_id
from mainstay.insight.pulls import PullRow, list_pulls
from mainstay.insight.reviews import Review, SuggestionRow, find_suggestion, list_decided, list_suggestions, review
from mainstay.insight.rules import BROKEN, FINE, HEALING, Healed, Missed, Thing, advice, guard_words
from mainstay.insight.runs import (
    RunDetail,
    RunFilter,
    RunRow,
    Step,
    count_newer_runs,
    list_runs,
    newest_run,
    run_detail,
    runs_of_delivery,
)
from mainstay.insight.search import search_contacts
from mainstay.insight.suggestions import Twin, learned_from, suggestions_waiting
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
    "AccessRow",
    "AlertRow",
    "ConnectionOverview",
    "ContactChange",
    "ContactDetail",
    "ContactEvent",
    "Count",
    "Counterpart",
    "DeliveryRow",
    "Entry",
    "GateRow",
    "Healed",
    "Identifier",
    "IncidentRow",
    "Line",
    "Lineage",
    "MergeRow",
    "Missed",
    "OldestRun",
    "Page",
    "PullRow",
    "QuarantineRow",
    "RawDelivery",
    "Review",
    "RunDetail",
    "RunFilter",
    "RunRow",
    "Saying",
    "SourceCount",
    "SourceDay",
    "SourceOverview",
    "Step",
    "SuggestionRow",
    "Thing",
    "Twin",
    "Verdict",
    "Window",
    "advice",
    "compare",
    "connection_overview",
    "contact_detail",
    "count_newer_incidents",
    "count_newer_runs",
    "delivery_detail",
    "find_deliveries",
    "find_suggestion",
    "guard_words",
    "has_choice",
    "identifiers_of",
    "incident_detail",
    "learned_from",
    "list_access",
    "list_alerts",
    "list_contacts",
    "list_decided",
    "list_deliveries",
    "list_gates",
    "list_pulls",
    "list_quarantine",
    "list_runs",
    "list_suggestions",
    "newest_run",
    "open_incidents",
    "quarantine_detail",
    "resolve_short_id",
    "resolved_incidents",
    "review",
    "run_detail",
    "runs_of_delivery",
    "search_contacts",
    "source_overview",
    "suggestions_waiting",
    "timeline",
    "verdict",
    "workflows_seen",
]
