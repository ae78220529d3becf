"""Monitors: what should be heard of, and by when. Silence is an incident.

What has no source of Mainstay's (a cron job, a scenario in Make, Zapier or n8n) pings; of a source leads are expected.
"""

from mainstay.monitors.canaries import Canaries
from mainstay.monitors.canary_rules import CANARY_KIND, Canary
from mainstay.monitors.checking import Checking
from mainstay.monitors.expecting import LEARNED, SOURCE, Expectation, SourceRule, read_expectation
from mainstay.monitors.listening import Listening
from mainstay.monitors.outcome_rules import OUTCOME, OutcomeRule, read_want
from mainstay.monitors.outcomes import Outcomes
from mainstay.monitors.pinging import KEPT, Monitors, Outcome
from mainstay.monitors.rules import BODY_BYTES, PING, Monitor, Ping, PingRefusedError, Signal, read_ping

__all__ = [
    "BODY_BYTES",
    "CANARY_KIND",
    "KEPT",
    "LEARNED",
    "OUTCOME",
    "PING",
    "SOURCE",
    "Canaries",
    "Canary",
    "Checking",
    "Expectation",
    "Listening",
    "Monitor",
    "Monitors",
    "Outcome",
    "OutcomeRule",
    "Outcomes",
    "Ping",
    "PingRefusedError",
    "Signal",
    "SourceRule",
    "read_expectation",
    "read_ping",
    "read_want",
]
