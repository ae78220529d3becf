"""A simulator of Postmark's sending API."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from mainstay.sandbox.state import Configurable, Effects, Ids, token_is_good
from mainstay.sandbox.wire import Json, Reply, Request, SettingError, answer, now_iso

_ADDRESS = re.compile(r"(?:.*<)?[^@\s<>,]+@[^@\s<>,]+\.[^@\s<>,]+>?")
_BATCH = 500
_RECIPIENTS = 50
_SERVER = "/server"
_READ = (_SERVER, "/messages/outbound")
_SANDBOX = {"ID": 1, "Name": "Sandbox", "Color": "blue", "SmtpApiActivated": True}
_TEST_TOKEN = "POSTMARK_API_TEST"  # noqa: S105 Postmark's public token that sends nothing


@dataclass(frozen=True)
class Settings:
    """``PUT /_control/config/postmark``.

    ``search_lag_ms`` is how far the search of sent messages stays behind the sending.
    ``tokens`` lists the good server tokens (None: any), ``inactive`` the addresses that bounced (error 406) and
    ``senders`` the confirmed sender addresses (None: any; others give error 400).
    """

    tokens: list[str] | None = None
    inactive: list[str] = field(default_factory=list)
    senders: list[str] | None = None
    search_lag_ms: int = 0


class Postmark(Configurable):
    """Postmark's ``/email``, ``/email/batch`` and the search of what was sent."""

    name = "postmark"

    def __init__(self) -> None:
        """Start empty."""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.settings = Settings()
        self._ids = Ids(self.name)
        self._effects = Effects()
        self._messages: list[dict[str, Json]] = []
        self._sent_at: list[float] = []

    def state(self) -> dict[str, Json]:
        """Return every mail as sent, with its MessageID and time, and the effects."""
        return {"messages": self._messages, "effects": self._effects.listing()}

    def seed(self, kind: str, records: list[dict[str, Json]]) -> int:  # noqa: ARG002
        """Refuse: Postmark has no records to seed."""
        raise SettingError(f"postmark has no {kind} to seed; tokens and inactive addresses are settings")

    def handle(self, request: Request) -> Reply:
        """Answer one request."""
        token = request.headers.get("X-Postmark-Server-Token", "")
        if not token:
            return _error(401, 10, "No Account or Server API tokens were supplied in the HTTP headers.")
        if token != _TEST_TOKEN and not token_is_good(token, self.settings.tokens):
            return _error(401, 10, "The Server Token you provided in the X-Postmark-Server-Token is not valid.")
        if request.path in _READ and request.method == "GET":
            return self._search(dict(request.query)) if request.path != _SERVER else answer(200, _SANDBOX)
        if request.path not in {"/email", "/email/batch"}:
            return answer(404, {"ErrorCode": 404, "Message": "No such path."})
        if request.method != "POST":
            return answer(405, {"ErrorCode": 405, "Message": "Method not allowed."})
        try:
            body = request.json()
        except ValueError:
            return _error(422, 402, "Received invalid JSON input.")
        return self._batch(body, request, token) if request.path == "/email/batch" else self._one(body, request, token)

    def failure(self, request: Request, status: int, retry_after: float | None) -> Reply:  # noqa: ARG002
        """Return Postmark's error shape; a 5xx has no body."""
        headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
        if status >= 500:
            return Reply(status, b"", headers=headers)
        code = {429: 429, 401: 10, 422: 300}.get(status, status)
        return answer(status, {"ErrorCode": code, "Message": "The request was refused."}, headers)

    def _one(self, mail: Json, request: Request, token: str) -> Reply:
        code, message = self._problem(mail)
        if code:
            return _error(422, code, message)
        return answer(200, self._send(mail, request, token))

    def _batch(self, mails: Json, request: Request, token: str) -> Reply:
        if not isinstance(mails, list):
            return _error(422, 403, "Incompatible JSON: a batch is an array of messages.")
        if len(mails) > _BATCH:
            return _error(422, 410, f"Too many batch messages: the limit is {_BATCH}.")
        results = []
        for mail in mails:
            code, message = self._problem(mail)
            results.append({"ErrorCode": code, "Message": message} if code else self._send(mail, request, token))
        return answer(200, results)

    def _search(self, query: Mapping[str, str]) -> Reply:
        """Return what was sent, the newest first; filters are the recipient, the stream and ``metadata_NAME``."""
        count, offset = query.get("count", ""), query.get("offset", "")
        if not (count.isdigit() and offset.isdigit()) or not 0 < int(count) <= _BATCH:
            return _error(422, 600, f"'count' is from 1 to {_BATCH}, and 'offset' from 0.")
        horizon = time.monotonic() - self.settings.search_lag_ms / 1000
        known = [mail for mail, at in zip(self._messages, self._sent_at, strict=True) if at <= horizon]
        found = [mail for mail in reversed(known) if _is_meant(mail, query)]
        page = found[int(offset) : int(offset) + int(count)]
        return answer(200, {"TotalCount": len(found), "Messages": [_shown(mail) for mail in page]})

    def _send(self, mail: dict[str, Json], request: Request, token: str) -> dict[str, Json]:
        message_id = self._ids.uuid("message")
        sent = {"To": mail["To"], "SubmittedAt": now_iso(), "MessageID": message_id, "ErrorCode": 0}
        if token == _TEST_TOKEN:
            return sent | {"Message": "Test job accepted"}
        self._sent_at.append(time.monotonic())
        self._messages.append(mail | {"MessageID": message_id, "SubmittedAt": sent["SubmittedAt"]})
        correlation: dict[str, str] = {}
        if mail.get("Metadata"):
            correlation["Metadata"] = orjson.dumps(mail["Metadata"], option=orjson.OPT_SORT_KEYS).decode()
        for header in mail.get("Headers") or ():
            correlation[str(header.get("Name"))] = str(header.get("Value"))
        self._effects.add("mail.sent", message_id, request, correlation)
        return sent | {"Message": "OK"}

    def _problem(self, mail: Json) -> tuple[int, str]:
        if not isinstance(mail, dict):
            return 403, "Incompatible JSON: a message is an object."
        sender = mail.get("From")
        if not isinstance(sender, str) or not _ADDRESS.fullmatch(sender.strip()):
            return 300, f"Invalid 'From' address: '{sender or ''}'."
        if self.settings.senders is not None and not any(known in sender for known in self.settings.senders):
            return 400, f"The 'From' address you supplied ({sender}) is not a Sender Signature on your account."
        for name in ("To", "Cc", "Bcc"):
            code, message = self._recipients_problem(name, mail.get(name))
            if code:
                return code, message
        if not mail.get("TextBody") and not mail.get("HtmlBody"):
            return 300, "Provide either email TextBody or HtmlBody or both."
        metadata = mail.get("Metadata")
        if metadata is not None and not _is_texts(metadata):
            return 300, "Metadata is an object of strings."
        return 0, ""

    def _recipients_problem(self, name: str, value: Json) -> tuple[int, str]:
        addresses = [part.strip() for part in value.split(",")] if isinstance(value, str) and value else []
        if not addresses and name == "To":
            return 300, "Zero recipients specified"
        if len(addresses) > _RECIPIENTS:
            return 300, f"Too many recipients in '{name}': the limit is {_RECIPIENTS}."
        for address in addresses:
            if not _ADDRESS.fullmatch(address):
                return 300, f"Error parsing '{name}': Illegal email address '{address}'."
            if any(gone.lower() in address.lower() for gone in self.settings.inactive):
                return 406, f"You tried to send to recipient(s) that have been marked as inactive: {address}."
        return 0, ""


def _is_texts(value: Json) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


def _error(status: int, code: int, message: str) -> Reply:
    return answer(status, {"ErrorCode": code, "Message": message})


def _is_meant(mail: Mapping[str, Json], query: Mapping[str, str]) -> bool:
    stream = query.get("messagestream", "outbound")
    if (mail.get("MessageStream") or "outbound") != stream:
        return False
    if query.get("recipient", "").lower() not in str(mail["To"]).lower():
        return False
    wanted = {name.removeprefix("metadata_"): value for name, value in query.items() if name.startswith("metadata_")}
    held = mail.get("Metadata") or {}
    return all(held.get(name) == value for name, value in wanted.items())


def _shown(mail: Mapping[str, Json]) -> dict[str, Json]:
    recipients = [address.strip() for address in str(mail["To"]).split(",")]
    return {
        "Tag": mail.get("Tag") or "",
        "MessageID": mail["MessageID"],
        "MessageStream": mail.get("MessageStream") or "outbound",
        "Metadata": mail.get("Metadata") or {},
        "To": [{"Email": address, "Name": ""} for address in recipients],
        "Cc": [],
        "Bcc": [],
        "Recipients": recipients,
        "ReceivedAt": mail["SubmittedAt"],
        "From": mail["From"],
        "Subject": mail.get("Subject") or "",
        "Attachments": [],
        "Status": "Sent",
    }


SIMULATOR = Postmark
