"""A simulator of n8n's Webhook node."""

from __future__ import annotations

from mainstay.sandbox.vendors.hook import Hook, said
from mainstay.sandbox.wire import Reply, Request, answer


class N8n(Hook):
    """Answers in JSON; a workflow that is not active has no hook."""

    name = "n8n"
    max_bytes = 16_000_000

    def refusal(self, request: Request) -> Reply | None:
        """Say that the hook is not registered."""
        if not self.settings.is_on or not request.path.startswith("/webhook/"):
            name = request.path.rpartition("/")[2]
            return said(404, f'The requested webhook "{request.method} {name}" is not registered.')
        if self.settings.is_full:
            return said(503, "Service unavailable")
        return super().refusal(request)

    def accepted(self, run: str) -> Reply:  # noqa: ARG002
        """Say that the workflow has begun."""
        return answer(200, {"message": "Workflow was started"})

    def failure(self, request: Request, status: int, retry_after: float | None) -> Reply:  # noqa: ARG002
        """Return n8n's shape of an error."""
        headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
        return said(status, "The request was refused.", headers)


SIMULATOR = N8n
