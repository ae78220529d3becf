"""HubSpot's refusals on their way out of a request."""

from __future__ import annotations

from collections.abc import Mapping

from mainstay.sandbox.state import Ids
from mainstay.sandbox.wire import Json, Reply, answer


class Refused(Exception):  # noqa: N818 an answer, and no failure of the sandbox
    """A request that HubSpot answers with an error."""

    def __init__(self, reply: Reply) -> None:
        """Carry the answer."""
        super().__init__(reply.status)
        self.reply = reply


class Errors:
    """HubSpot's error objects, each with an id of its own."""

    def __init__(self, ids: Ids) -> None:
        """Take ids from ``ids``."""
        self._ids = ids

    def of(
        self, status: int, category: str, message: str, headers: Mapping[str, str] | None = None, **more: Json
    ) -> Reply:
        """Return an error."""
        value = {"status": "error", "message": message, "correlationId": self._ids.uuid("error"), "category": category}
        return answer(status, value | more, headers)

    def invalid(self, message: str, names: list[str] | None = None, code: str = "") -> Reply:
        """Return the refusal of what was sent; ``names`` are the properties that are wrong."""
        more: dict[str, Json] = {}
        if names:
            more["errors"] = [{"message": message, "code": code or "INVALID", "context": {"propertyName": names}}]
        return self.of(400, "VALIDATION_ERROR", message, **more)

    def failure(self, status: int, retry_after: float | None, *, is_search: bool) -> Reply:
        """Return what HubSpot says when it is not the request's fault."""
        headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
        if status == 429:
            policy = "SECONDLY" if is_search else "TEN_SECONDLY_ROLLING"
            message = f"You have reached your {'secondly' if is_search else 'ten_secondly_rolling'} limit."
            return self.of(429, "RATE_LIMITS", message, headers, policyName=policy, errorType="RATE_LIMIT")
        category = {401: "INVALID_AUTHENTICATION", 403: "MISSING_SCOPES", 423: "LOCKED"}.get(status, "INTERNAL_ERROR")
        return self.of(status, category, "There was a problem with the request.", headers)
