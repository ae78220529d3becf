"""Words and looks of monitors and their pings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainstay.web.wording import Look

if TYPE_CHECKING:
    from mainstay.insight.monitors import PingRow

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
