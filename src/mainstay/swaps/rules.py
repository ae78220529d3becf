"""Where a swap stands, and what speaks against going on. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

State = Literal["running", "over", "back"]
"""The new system is fed beside the old one; it is the system of record; the swap was taken back."""
Phase = Literal["check", "restart", "backfill", "compare", "ready", "over", "back"]
"""Nothing was done yet; no process knows the mirror yet; it is being filled; it is to be compared; it may take over; it
has; the swap was taken back."""
FRESH = timedelta(days=1)
"""A comparison counts so long: so far goes the first pull of a new system of record back for what changed there."""
MANY_BEHIND = 1000


@dataclass(frozen=True, slots=True)
class Swap:
    """One swap, as it is kept. ``despite`` is what stood against its cut-over, which a person made all the same."""

    id: UUID
    old: str
    new: str
    state: State
    began_at: datetime
    began_by: str
    over_at: datetime | None
    over_by: str
    ended_at: datetime | None
    despite: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How a mirror stands that is to become the system of record; ``behind`` and ``open_drifts`` are counted so far."""

    loaded: int
    to_load: int | None
    loaded_at: datetime | None
    compared_at: datetime | None
    is_comparing: bool
    behind: int
    open_drifts: int
    run_state: str
    error: str


def phase_of(state: State | None, standing: Standing | None, now: datetime) -> Phase:
    """Return in which phase a swap is; ``state`` is None before it has begun."""
    if state is None:
        return "check"
    if state != "running":
        return state
    if standing is None:
        return "restart"
    if standing.loaded_at is None:
        return "backfill"
    return "compare" if obstacles(standing, now) else "ready"


def obstacles(standing: Standing | None, now: datetime) -> list[str]:
    """Say what speaks against letting a mirror take over."""
    if standing is None or standing.loaded_at is None:
        return ["not all contacts are in it yet"]
    found = []
    if standing.run_state == "failed":
        found.append(f"it has stopped: {standing.error}")
    if standing.behind >= MANY_BEHIND:
        found.append(f"{standing.behind:,} or more changes are still to be written to it")
    if standing.compared_at is None or standing.compared_at < standing.loaded_at:
        found.append("it was not compared since all is in it")
    elif standing.compared_at < now - FRESH:
        found.append("its last comparison is older than a day")
    elif standing.is_comparing:
        found.append("it is being compared")
    if standing.open_drifts:
        differences = "1 difference is" if standing.open_drifts == 1 else f"{standing.open_drifts:,} differences are"
        found.append(f"{differences} open")
    return found
