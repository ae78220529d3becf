"""A simulator of a receiver by Standard Webhooks: it takes an id once."""

from __future__ import annotations

from mainstay.sandbox.vendors.hook import Hook
from mainstay.sandbox.wire import Reply, Request


class Webhook(Hook):
    """Answers 204; a repeated ``webhook-id`` starts nothing."""

    name = "webhook"

    def handle(self, request: Request) -> Reply:
        """Answer one request."""
        known = {event["headers"].get("webhook-id") for event in self.state()["events"]}
        given = request.headers.get("webhook-id")
        is_repeat = bool(given) and given in known and self.refusal(request) is None
        return Reply(204) if is_repeat else super().handle(request)


SIMULATOR = Webhook
