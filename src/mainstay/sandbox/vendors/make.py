"""A simulator of Make's custom webhooks: queued, answered in plain text."""

from __future__ import annotations

from mainstay.sandbox.vendors.hook import Hook
from mainstay.sandbox.wire import Reply, Request, text


class Make(Hook):
    """Answers ``Accepted``; a 400 with a full queue or a scenario that is off."""

    name = "make"
    max_bytes = 5_000_000

    def refusal(self, request: Request) -> Reply | None:
        """Say so in the words of a 400."""
        if not self.settings.is_on:
            return text(400, "There is no scenario listening for this webhook.")
        if self.settings.is_full:
            return text(400, "Queue is full.")
        return super().refusal(request)

    def accepted(self, run: str) -> Reply:  # noqa: ARG002
        """Say that it is queued."""
        return text(200, "Accepted")


SIMULATOR = Make
