"""Records: which system is right about a record, and the pushes that keep it so."""

from mainstay.records.store import (
    Pushing,
    Want,
    follow_merge,
    follow_unmerge,
    forget,
    link,
    push_failed,
    pushed,
    start_push,
    want,
)

__all__ = [
    "Pushing",
    "Want",
    "follow_merge",
    "follow_unmerge",
    "forget",
    "link",
    "push_failed",
    "pushed",
    "start_push",
    "want",
]
