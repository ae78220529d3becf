"""Words and looks of monitors, their pings, and what they found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainstay.web.wording import Look

if TYPE_CHECKING:
    from mainstay.insight.canaries import CanaryRow
    from mainstay.insight.monitors import BreachRow, PingRow

_MONITOR_LOOKS = {
    "new": Look("quiet", "quiet", "Not heard of yet"),
    "running": Look("healing", "healing", "Running"),
    "up": Look("fine", "fine", "Up"),
    "late": Look("waiting", "waiting", "Late"),
    "down": Look("broken", "broken", "Down"),
}
_PING_LOOKS = {
    "success": Look("fine", "fine", "Good"),
    "start": Look("quiet", "healing", "Began"),
    "fail": Look("broken", "broken", "Failed"),
    "log": Look("quiet", "quiet", "Log"),
}


def monitor_look(state: str) -> Look:
    """Return how a monitor's state is shown."""
    return _MONITOR_LOOKS[state]


def ping_look(ping: PingRow) -> Look:
    """Return how a ping is shown."""
    return _PING_LOOKS[ping.signal]


DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_KINDS = {
    "ping": "Job elsewhere",
    "source": "Source",
    "outcome": "What becomes of leads",
    "canary": "Canary",
    "schedule": "Schedule",
    "queue": "Queue",
    "connection": "Connection",
    "access": "Access",
    "webhooks": "Webhooks",
}
_SEEN = {
    "source": "Last lead",
    "outcome": "Last lead looked at",
    "canary": "Last arrival",
    "schedule": "Fired last",
    "queue": "Oldest waiting since",
    "connection": "Last call answered",
    "access": "Renewed",
    "webhooks": "Last delivery",
}
_EXPECTED = {"source": "A lead is expected by", "schedule": "Fires next", "access": "Ends", "canary": "Flies next"}


def kind_word(kind: str) -> str:
    """Return what a kind of monitor is called."""
    return _KINDS.get(kind, kind)


def seen_word(kind: str) -> str:
    """Return what the time means at which a monitor was heard of last."""
    return _SEEN.get(kind, "Last heard of")


def expected_word(kind: str) -> str:
    """Return what the time means by which a monitor expects something."""
    return _EXPECTED.get(kind, "Expected by")


def what_comes(kind: str) -> str:
    """Return what a kind of monitor counts."""
    return "leads" if kind == "source" else "calls"


def rate(number: float) -> str:
    """Write how many are usual: ``24``, ``3.4``, ``0.25``."""
    return f"{number:.0f}" if number >= 10 else f"{number:.1f}" if number >= 1 else f"{number:.2f}"


def breach_look(breach: BreachRow) -> Look:
    """Return how a lead of which something was missing is shown."""
    if breach.is_met:
        return Look("healing", "healing", "Came late")
    return Look("quiet", "quiet", "Closed") if breach.closed_at else Look("broken", "broken", "Missing")


def canary_look(canary: CanaryRow) -> Look:
    """Return how a canary is shown."""
    return {
        "flying": Look("healing", "healing", "Under way"),
        "arrived": Look("fine", "fine", "Arrived"),
        "lost": Look("broken", "broken", "Lost"),
    }[canary.state]
