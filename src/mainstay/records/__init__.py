"""Records: which system is right about a record, and the pushes that keep it so."""

from mainstay.records.store import Pushing, Want, link, push_failed, pushed, start_push, want

__all__ = ["Pushing", "Want", "link", "push_failed", "pushed", "start_push", "want"]
