"""Records: which system is right about a record, and the pushes that keep it so."""

from mainstay.records.crosswalk import Adopted, follow_merge, follow_unmerge, forget, forget_id, link
from mainstay.records.effects import OwnershipsOf, settling_effects
from mainstay.records.keeping import Heard, Word, hold_keys, keep, record_of
from mainstay.records.ownership import OURS, Ownership
from mainstay.records.store import Done, Pushing, Want, copies_of, push_failed, pushed, raise_wanted, start_push, want
from mainstay.records.telling import Told, judge_told, note_heard, note_told, take_told

__all__ = [
    "OURS",
    "Adopted",
    "Done",
    "Heard",
    "Ownership",
    "OwnershipsOf",
    "Pushing",
    "Told",
    "Want",
    "Word",
    "copies_of",
    "follow_merge",
    "follow_unmerge",
    "forget",
    "forget_id",
    "hold_keys",
    "judge_told",
    "keep",
    "link",
    "note_heard",
    "note_told",
    "push_failed",
    "pushed",
    "raise_wanted",
    "record_of",
    "settling_effects",
    "start_push",
    "take_told",
    "want",
]
