"""A simulator of SendGrid's mail/send: an empty 202, and no way to tell a repeat."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mainstay.sandbox.state import Configurable, Effects, Ids, token_is_good
from mainstay.sandbox.wire import Json, Reply, Request, SettingError, answer, now_iso

_ADDRESS = re.compile(r"[^@\s<>,]+@[^@\s<>,]+\.[^@\s<>,]+")
_LARGEST = 30_000_000


@dataclass(frozen=True)
class Settings:
    """``PUT /_control/config/sendgrid``.

    ``tokens`` lists the good keys (None: any), ``senders`` the verified senders (None: any); without credits
    (``has_credits``) a send is a 401.
    """

    tokens: list[str] | None = None
    senders: list[str] | None = None
    has_credits: bool = True


class Sendgrid(Configurable):
    """SendGrid's ``/mail/send``."""

    name = "sendgrid"

    def __init__(self) -> None:
        """Start empty."""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.settings = Settings()
        self._ids = Ids(self.name)
        self._effects = Effects()
        self._messages: list[dict[str, Json]] = []

    def state(self) -> dict[str, Json]:
        """Return every mail as sent, with its id and time, and the effects."""
        return {"messages": self._messages, "effects": self._effects.listing()}

    def seed(self, kind: str, records: list[dict[str, Json]]) -> int:  # noqa: ARG002
        """Refuse: senders are settings."""
        raise SettingError(f"sendgrid has no {kind} to seed; senders are settings")

    def handle(self, request: Request) -> Reply:
        """Answer one request."""
        if not request.bearer or not token_is_good(request.bearer, self.settings.tokens):
            return _error(401, "The provided authorization grant is invalid, expired, or revoked")
        if (request.method, request.path) != ("POST", "/v3/mail/send"):
            return _error(404, "Not Found")
        if len(request.body) > _LARGEST:
            return _error(413, "The JSON payload you have included in your request is too large.")
        return self._send(request)

    def _send(self, request: Request) -> Reply:
        try:
            mail = request.json()
        except ValueError:
            return _error(400, "Bad Request")
        what, field, status = self._problem(mail)
        if what:
            return _error(status, what, field)
        message_id = self._ids.word("message", 22)
        if _is_trial(mail):
            return Reply(200, b"", headers={"X-Message-Id": message_id})
        if not self.settings.has_credits:
            return _error(401, "Maximum credits exceeded")
        self._messages.append(mail | {"id": message_id, "at": now_iso()})
        marks = mail["personalizations"][0].get("custom_args") or {}
        self._effects.add("mail.sent", message_id, request, {key: str(value) for key, value in marks.items()})
        return Reply(202, b"", "text/plain; charset=utf-8", {"X-Message-Id": message_id})

    def failure(self, request: Request, status: int, retry_after: float | None) -> Reply:  # noqa: ARG002
        """Return SendGrid's error shape."""
        headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
        return _error(status, "The request was refused.", headers=headers)

    def _problem(self, mail: Json) -> tuple[str, str | None, int]:
        mail = mail if isinstance(mail, dict) else {}
        people = mail.get("personalizations")
        first = people[0] if isinstance(people, list) and people and isinstance(people[0], dict) else {}
        to = first.get("to")
        if not isinstance(to, list) or not to:
            return "The to array is required for all personalization objects.", "personalizations.0.to", 400
        for each in to:
            if not _ADDRESS.fullmatch(str(each.get("email") if isinstance(each, dict) else "")):
                return "Does not contain a valid address.", "personalizations.0.to.0.email", 400
        if not mail.get("subject"):
            return "The subject is required.", "subject", 400
        content = mail.get("content")
        if not isinstance(content, list) or not content or not all(each.get("value") for each in content):
            return "The content value must be a string at least one character in length.", "content.0.value", 400
        sender = mail.get("from")
        address = sender.get("email") if isinstance(sender, dict) else ""
        if not _ADDRESS.fullmatch(str(address)):
            return "The from email does not contain a valid address.", "from.email", 400
        if self.settings.senders is not None and address not in self.settings.senders:
            return "The from address does not match a verified Sender Identity.", "from", 403
        return "", None, 200


def _is_trial(mail: Mapping[str, Json]) -> bool:
    """Tell whether the mail is only to be judged (sandbox mode)."""
    settings = mail.get("mail_settings")
    mode = settings.get("sandbox_mode") if isinstance(settings, dict) else None
    return isinstance(mode, dict) and mode.get("enable") is True


def _error(status: int, message: str, field: str | None = None, headers: Mapping[str, str] | None = None) -> Reply:
    error: dict[str, Json] = {"message": message}
    if status < 500:
        error |= {"field": field, "help": {}}
    return answer(status, {"errors": [error]}, headers)


SIMULATOR = Sendgrid
