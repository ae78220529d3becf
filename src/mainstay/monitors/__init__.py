"""Monitors: what should be heard of, and by when. Silence is an incident.

What has no source of Mainstay's (a cron job, a scenario in Make, Zapier or n8n) pings; of a source leads are expected.
"""

from mainstay.monitors.expecting import SOURCE, Expectation, SourceRule, read_expectation
from mainstay.monitors.listening import Listening
from mainstay.monitors.pinging import KEPT, Monitors, Outcome
from mainstay.monitors.rules import BODY_BYTES, PING, Monitor, Ping, PingRefusedError, Signal, read_ping

__all__ = [
    "BODY_BYTES",
    "KEPT",
    "PING",
    "SOURCE",
    "Expectation",
    "Listening",
    "Monitor",
    "Monitors",
    "Outcome",
    "Ping",
    "PingRefusedError",
    "Signal",
    "SourceRule",
    "read_expectation",
    "read_ping",
]
