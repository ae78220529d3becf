"""Monitors: what has no source of Mainstay's (a cron job, a scenario in Make, Zapier or n8n) tells that it ran."""

from mainstay.monitors.pinging import KEPT, Monitors, Outcome
from mainstay.monitors.rules import BODY_BYTES, PING, Monitor, Ping, PingRefusedError, Signal, read_ping

__all__ = [
    "BODY_BYTES",
    "KEPT",
    "PING",
    "Monitor",
    "Monitors",
    "Outcome",
    "Ping",
    "PingRefusedError",
    "Signal",
    "read_ping",
]
