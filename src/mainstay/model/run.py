"""A run of a workflow and what it tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from mainstay.model.record import Effect

CANARY = "canary"
"""The key of a run's input that says that it is about a synthetic lead; what it begins has it too."""


class RunState(StrEnum):
    """Life of a run: queued, running, waiting (for a retry, a time or an event), then one of the three ends."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Lane(StrEnum):
    """What goes first: somebody who waits for an answer, or what may take its time."""

    LEAD = "lead"
    BACKFILL = "backfill"


class Overlap(StrEnum):
    """What becomes of a run while an earlier one of its workflow and key has not ended.

    It waits until its turn comes, is not begun at all, takes the earlier one's place, or runs beside it.
    """

    QUEUE = "queue"
    SKIP = "skip"
    REPLACE = "replace"
    ALLOW = "allow"


class AttemptState(StrEnum):
    """How one try of a step ended."""

    OK = "ok"
    RETRY = "retry"
    FAILED = "failed"
    WAITING = "waiting"


Fence = tuple[UUID, UUID | None]
"""A run and the claim under which somebody drives it."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run, as the engine drives it.

    ``execution_id`` names the queue entry that may drive it; ``claim`` the fence of whoever drives it now.
    ``taken_over`` is True when an earlier driver died in the middle, and none has come so far since: the first
    unrecorded step may already have reached its vendor. ``parent_id`` is the run that began it and waits for it,
    ``deadline_at`` when it fails if it has not ended. ``held_since`` is when it came to the gate that it was let
    through last, None when it was not. ``deaths`` is how often its worker died while it ran, since it last did a step.
    """

    id: UUID
    workspace_id: UUID
    workflow: str
    input: Mapping[str, Any]
    execution_id: str
    claim: UUID | None = None
    delivery_id: UUID | None = None
    event_id: UUID | None = None
    contact_id: UUID | None = None
    created_at: datetime | None = None
    taken_over: bool = False
    lane: Lane = Lane.LEAD
    parent_id: UUID | None = None
    deadline_at: datetime | None = None
    held_since: datetime | None = None
    deaths: int = 0

    @property
    def is_canary(self) -> bool:
        """Tell whether it is about a synthetic lead: it does all that a lead's run does, and counts nowhere."""
        return bool(self.input.get(CANARY))

    @property
    def fence(self) -> Fence:
        """What a write must still find in the ledger to be this driver's."""
        return self.id, self.claim


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of one step: story and checkpoint in one row.

    ``exchanges`` are the HTTP requests and responses, redacted; ``result`` is small and JSON-able; ``started_at``
    and ``next_at`` are aware (UTC), ``duration_ms`` whole milliseconds. ``repeated`` says that the step may have
    reached the vendor before, so that this one may be its second effect; ``guard`` is a :class:`mainstay.model.Guard`,
    or empty. ``asked``, of a failure, is how many steps the workflow had asked for by then: later ones are what it did
    about the failure. ``is_set_aside`` marks what is story but no checkpoint: its step is done anew, after a retry by
    hand. ``effect`` is on its way to our book, in the transaction that records the attempt: it is not read back.
    """

    run_id: UUID
    step: int
    name: str
    number: int
    state: AttemptState
    started_at: datetime
    duration_ms: int = 0
    connection: str = ""
    exchanges: tuple[Mapping[str, Any], ...] = ()
    result: Any = None
    fate: str = ""
    error: str = ""
    status: int | None = None
    next_at: datetime | None = None
    repeated: bool = False
    guard: str = ""
    asked: int = 0
    is_set_aside: bool = False
    effect: Effect | None = None
