"""The meaning of a delivery or of a change: CloudEvents attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mainstay.model.contact import Submission
from mainstay.model.record import RecordState


@dataclass(frozen=True, slots=True)
class Event:
    """What happened, in the field's form ``noun.verb``.

    Attributes:
        type: ``contact.submitted`` and the like; ``unsupported`` for what a source does not handle.
        key: the sender's own id of the event, stable over re-sends; empty when it has none.
        time: when it happened by the sender's clock, or None.
        submission: what it says about a person, if it does.
        data: further facts, JSON-able; for events that name a record only, what ``fetch`` needs to read it.
        reason: for ``unsupported``, what was not handled.
        record: the record that it is about, as it stands at the sender, where that is a system with records of its own.
    """

    type: str
    key: str = ""
    time: datetime | None = None
    submission: Submission | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    record: RecordState | None = None
