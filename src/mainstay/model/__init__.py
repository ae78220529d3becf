"""Frozen values that pass between the stages. No I/O here."""

from mainstay.model.contact import Contact, Submission
from mainstay.model.delivery import Delivery, RawRequest
from mainstay.model.event import Event
from mainstay.model.guard import Guard, Promise
from mainstay.model.ids import first_id_at, made_at, new_id, short_id
from mainstay.model.record import RECORD_FIELDS, RECORD_TYPES, Effect, Record, RecordState, RecordType
from mainstay.model.retry import Retry
from mainstay.model.run import CANARY, Attempt, AttemptState, Fence, Lane, Overlap, Run, RunState

__all__ = [
    "CANARY",
    "RECORD_FIELDS",
    "RECORD_TYPES",
    "Attempt",
    "AttemptState",
    "Contact",
    "Delivery",
    "Effect",
    "Event",
    "Fence",
    "Guard",
    "Lane",
    "Overlap",
    "Promise",
    "RawRequest",
    "Record",
    "RecordState",
    "RecordType",
    "Retry",
    "Run",
    "RunState",
    "Submission",
    "first_id_at",
    "made_at",
    "new_id",
    "short_id",
]
