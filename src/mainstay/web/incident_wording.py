"""Words and looks of incidents and of what was told of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainstay.web.wording import Look

if TYPE_CHECKING:
    from mainstay.insight.incidents import AlertRow

_LOOKS = {
    "open": Look("broken", "broken", "Open"),
    "acknowledged": Look("waiting", "waiting", "Acknowledged"),
    "recovering": Look("healing", "healing", "Recovering"),
    "resolved": Look("fine", "fine", "Resolved"),
}
_KINDS = {
    "opened": "It broke",
    "reopened": "It came back",
    "worse": "It became critical",
    "escalated": "Nobody had acknowledged it",
    "acknowledged": "Somebody sees to it",
    "recovered": "It is over",
}


def incident_look(life: str) -> Look:
    """Return how an incident's place in its life is shown."""
    return _LOOKS[life]


def alert_words(kind: str) -> str:
    """Say what an alert told."""
    return _KINDS.get(kind, kind)


def alert_look(row: AlertRow) -> Look:
    """Return how far an alert has come."""
    if row.told_at:
        return Look("fine", "fine", "Told")
    return Look("broken", "broken", "Not told") if row.error else Look("waiting", "waiting", "On its way")
