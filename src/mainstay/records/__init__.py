"""Records: which system is right about a record, and the pushes that keep it so."""

from mainstay.records.crosswalk import Adopted, follow_merge, follow_unmerge, forget, forget_id, link
from mainstay.records.keeping import Heard, Word, keep
from mainstay.records.ownership import Ownership
from mainstay.records.store import Done, Pushing, Want, copies_of, push_failed, pushed, raise_wanted, start_push, want

__all__ = [
    "Adopted",
    "Done",
    "Heard",
    "Ownership",
    "Pushing",
    "Want",
    "Word",
    "copies_of",
    "follow_merge",
    "follow_unmerge",
    "forget",
    "forget_id",
    "keep",
    "link",
    "push_failed",
    "pushed",
    "raise_wanted",
    "start_push",
    "want",
]
