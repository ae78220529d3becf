"""A simulator of Resend's sending API: idempotency keys for 24 hours, quotas, verified domains."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

from mainstay.sandbox.state import Configurable, Effects, Ids, token_is_good
from mainstay.sandbox.wire import Json, Reply, Request, SettingError, answer, now_iso

_ADDRESS = re.compile(r"(?:.*<)?[^@\s<>,]+@([^@\s<>,]+\.[^@\s<>,]+?)>?")
_KEY_SECONDS = 86_400
_MOST_KEY = 256
_STATUSES = {
    401: "missing_api_key",
    403: "invalid_api_key",
    404: "not_found",
    422: "validation_error",
    429: "rate_limit_exceeded",
}


@dataclass(frozen=True)
class Settings:
    """``PUT /_control/config/resend``.

    ``tokens`` lists the good keys (None: any), ``domains`` the verified domains (None: any); ``only_sends`` restricts
    keys to sending; ``daily_left`` and ``monthly_left`` are how many mails may still be sent (None: any number).
    """

    tokens: list[str] | None = None
    domains: list[str] | None = None
    only_sends: bool = False
    daily_left: int | None = None
    monthly_left: int | None = None


class Resend(Configurable):
    """Resend's ``/emails`` and ``/domains``."""

    name = "resend"

    def __init__(self) -> None:
        """Start empty."""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.settings = Settings()
        self._ids = Ids(self.name)
        self._effects = Effects()
        self._messages: list[dict[str, Json]] = []
        self._keys: dict[str, tuple[bytes, str, float]] = {}

    def state(self) -> dict[str, Json]:
        """Return every mail as sent, with its id and time, and the effects."""
        return {"messages": self._messages, "effects": self._effects.listing()}

    def seed(self, kind: str, records: list[dict[str, Json]]) -> int:  # noqa: ARG002
        """Refuse: domains are settings."""
        raise SettingError(f"resend has no {kind} to seed; domains are settings")

    def handle(self, request: Request) -> Reply:
        """Answer one request."""
        if not request.bearer:
            return _error(401, "missing_api_key", "Missing API key in the authorization header.")
        if not token_is_good(request.bearer, self.settings.tokens):
            return _error(403, "invalid_api_key", "API key is invalid.")
        if request.path == "/emails" and request.method == "POST":
            return self._send(request)
        if request.path == "/domains" and request.method == "GET":
            if self.settings.only_sends:
                return _error(401, "restricted_api_key", "This API key is restricted to only send emails.")
            return answer(200, {"object": "list", "has_more": False, "data": self._domains()})
        return _error(404, "not_found", "The requested endpoint does not exist.")

    def failure(self, request: Request, status: int, retry_after: float | None) -> Reply:  # noqa: ARG002
        """Return Resend's error shape."""
        headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
        name = _STATUSES.get(status, "application_error" if status >= 500 else "validation_error")
        return _error(status, name, "The request was refused.", headers)

    def _send(self, request: Request) -> Reply:
        try:
            mail = request.json()
        except ValueError:
            return _error(422, "validation_error", "The request body is not valid JSON.")
        key = request.headers.get("Idempotency-Key", "")
        if len(key) > _MOST_KEY:
            return _error(400, "invalid_idempotency_key", "The key must be between 1-256 chars.")
        known = self._keys.get(key)
        if known is not None and time.monotonic() - known[2] < _KEY_SECONDS:
            if known[0] != request.body:
                message = "Same idempotency key used with a different request payload."
                return _error(409, "invalid_idempotent_request", message)
            return answer(200, {"id": known[1]})
        problem = self._problem(mail)
        if problem is not None:
            return problem
        message_id = self._ids.uuid("message")
        self._messages.append(mail | {"id": message_id, "created_at": now_iso()})
        self._effects.add("mail.sent", message_id, request)
        if key:
            self._keys[key] = (request.body, message_id, time.monotonic())
        return answer(200, {"id": message_id})

    def _problem(self, mail: Json) -> Reply | None:
        mail = mail if isinstance(mail, dict) else {}
        for name in ("from", "to", "subject"):
            if not mail.get(name):
                return _error(422, "missing_required_field", f"Missing `{name}` field.")
        if not mail.get("text") and not mail.get("html"):
            return _error(422, "validation_error", "Missing `html` or `text` field.")
        sender = _ADDRESS.fullmatch(str(mail["from"]).strip())
        if sender is None:
            return _error(422, "invalid_from_address", "Invalid `from` field.")
        if self.settings.domains is not None and sender[1] not in self.settings.domains:
            return _error(403, "validation_error", f"The {sender[1]} domain is not verified.")
        people = mail["to"] if isinstance(mail["to"], list) else [mail["to"]]
        if not all(isinstance(each, str) and _ADDRESS.fullmatch(each.strip()) for each in people):
            return _error(422, "validation_error", "Invalid `to` field.")
        for left, name in ((self.settings.monthly_left, "monthly"), (self.settings.daily_left, "daily")):
            if left is not None and len(self._messages) >= left:
                return _error(429, f"{name}_quota_exceeded", f"You have reached your {name} email sending quota.")
        return None

    def _domains(self) -> list[dict[str, Json]]:
        names = ["acme.example"] if self.settings.domains is None else self.settings.domains
        return [{"id": f"d-{name}", "name": name, "status": "verified", "region": "us-east-1"} for name in names]


def _error(status: int, name: str, message: str, headers: Mapping[str, str] | None = None) -> Reply:
    return answer(status, {"statusCode": status, "name": name, "message": message}, headers)


SIMULATOR = Resend
