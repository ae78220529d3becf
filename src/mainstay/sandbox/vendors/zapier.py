"""A simulator of Zapier's catch hooks: each post is an event of its own, whatever its id."""

from __future__ import annotations

from mainstay.sandbox.vendors.hook import Hook
from mainstay.sandbox.wire import Reply, answer


class Zapier(Hook):
    """Answers with the attempt's id."""

    name = "zapier"
    max_bytes = 10_000_000

    def accepted(self, run: str) -> Reply:
        """Say that it is queued."""
        return answer(200, {"attempt": run, "id": run, "request_id": run, "status": "success"})


SIMULATOR = Zapier
