"""A simulator of Bland's calls, after its documentation: there is no contract to hold it against."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson

from mainstay.kit.signature import hmac_hex
from mainstay.sandbox.senders import SignedRequest
from mainstay.sandbox.state import Configurable, Effects, Ids, token_is_good
from mainstay.sandbox.wire import Json, Reply, Request, SettingError, answer

_NUMBER = re.compile(r"\+[1-9]\d{6,14}")
_MOST_IN_A_PAGE = 1000
_LISTED = (
    "call_id", "created_at", "call_length", "to", "from", "completed", "queue_status", "error_message", "answered_by",
    "batch_id",
)  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """``PUT /_control/config/bland``.

    ``tokens`` lists the good keys (None: any); ``outcomes`` says by number how calls to it ended (``human``,
    ``voicemail``, ``no-answer``, ``busy``, ``failed``; others are under way); ``has_balance`` is false where the
    account must pay first. ``list_lag_ms`` is how far the list of calls stays behind; ``short_numbers`` writes numbers
    without their country, ``refuses_politely`` gives errors with status 200, and ``echoes_metadata`` is false where a
    call does not show them.
    """

    tokens: list[str] | None = None
    outcomes: dict[str, Json] = field(default_factory=dict)
    has_balance: bool = True
    list_lag_ms: int = 0
    short_numbers: bool = False
    refuses_politely: bool = False
    echoes_metadata: bool = True


class Bland(Configurable):
    """Bland's ``/v1/calls``."""

    name = "bland"

    def __init__(self) -> None:
        """Start empty."""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.settings = Settings()
        self._ids = Ids(self.name)
        self._effects = Effects()
        self._calls: dict[str, dict[str, Json]] = {}
        self._made_at: dict[str, float] = {}

    def state(self) -> dict[str, Json]:
        """Return every call as Bland shows it, oldest first, and the effects."""
        return {"calls": [self._shown(each) for each in self._calls.values()], "effects": self._effects.listing()}

    def seed(self, kind: str, records: list[dict[str, Json]]) -> int:
        """Put in calls that others placed: any fields of a call."""
        if kind != "calls":
            raise SettingError(f"bland has no {kind} to seed, but calls")
        for record in records:
            self._keep(dict(record))
        return len(records)

    def handle(self, request: Request) -> Reply:
        """Answer one request."""
        token = request.bearer or request.headers.get("Authorization", "")
        if not token or not token_is_good(token, self.settings.tokens):
            return _error(401, "Invalid API key.")
        match request.method, request.parts:
            case "POST", ["v1", "calls"]:
                return self._create(request)
            case "GET", ["v1", "calls"]:
                return self._list(dict(request.query))
            case "GET", ["v1", "calls", call_id]:
                call = self._calls.get(call_id)
                return answer(200, self._shown(call)) if call else self._refuse(404, "Call not found.")
            case "POST", ["v1", "calls", call_id, "stop"]:
                return self._stop(call_id, request)
        return _error(404, "Not found")

    def failure(self, request: Request, status: int, retry_after: float | None) -> Reply:  # noqa: ARG002
        """Return Bland's error shape."""
        headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
        return _error(status, "The request was refused.", headers)

    def _refuse(self, status: int, message: str) -> Reply:
        return _error(200 if self.settings.refuses_politely else status, message)

    def _create(self, request: Request) -> Reply:
        try:
            body = request.json()
        except ValueError:
            return _error(400, "Invalid JSON")
        sent = body if isinstance(body, dict) else {}
        to = str(sent.get("phone_number", ""))
        if not self.settings.has_balance:
            return self._refuse(400, "Insufficient balance to send this call.")
        if not _NUMBER.fullmatch(to) or self.settings.outcomes.get(to) == "invalid":
            return self._refuse(400, "Invalid phone number: use the E.164 format.")
        if not sent.get("task") and not sent.get("pathway_id"):
            return self._refuse(400, "Missing required parameter: task.")
        call = self._keep(
            {
                "to": to,
                "from": sent.get("from") or "+14155550100",
                "pathway_id": sent.get("pathway_id"),
                "request_data": {"phone_number": to},
                "variables": {"to": to, "phone_number": to, **(sent.get("request_data") or {})},
                "metadata": sent.get("metadata") or {},
                "max_duration": sent.get("max_duration", 30),
                "record": sent.get("record", False),
            }
        )
        self._effects.add("call.placed", call["call_id"], request)
        made = {
            "status": "success",
            "message": "Call successfully queued.",
            "call_id": call["call_id"],
            "batch_id": None,
        }
        return answer(200, made)

    def _keep(self, given: dict[str, Json]) -> dict[str, Json]:
        call_id = self._ids.uuid("call")
        call = {
            "call_id": call_id,
            "c_id": call_id,
            "call_length": 0,
            "batch_id": None,
            "completed": False,
            "created_at": datetime.now(UTC).isoformat(),
            "inbound": False,
            "queue_status": "queued",
            "status": "queued",
            "error_message": None,
            "answered_by": None,
            "recording_url": None,
            "summary": None,
            "concatenated_transcript": "",
            "transcripts": [],
            **given,
        }
        self._calls[call["call_id"]] = call
        self._made_at[call["call_id"]] = time.monotonic()
        return call

    def _shown(self, call: Mapping[str, Json]) -> dict[str, Json]:
        shown = dict(call)
        outcome = self.settings.outcomes.get(str(call.get("to", "")))
        if not call["completed"]:
            shown |= ended(call, outcome) if outcome else {"queue_status": "started", "status": "in-progress"}
        if self.settings.short_numbers:
            shown["to"] = str(call["to"]).removeprefix("+1")
        if not self.settings.echoes_metadata:
            shown.pop("metadata", None)
        return shown

    def _list(self, query: Mapping[str, str]) -> Reply:
        limit, begin = query.get("limit", "1000"), query.get("from", "0")
        if not (limit.isdigit() and begin.isdigit() and query.get("to", "0").isdigit()):
            return _error(400, "limit, from and to are whole numbers")
        horizon = time.monotonic() - self.settings.list_lag_ms / 1000
        found = [
            {name: shown[name] for name in _LISTED}
            for shown in map(self._shown, reversed(self._calls.values()))
            if self._made_at[shown["call_id"]] <= horizon
        ]
        end = min(int(query.get("to", len(found))), int(begin) + min(int(limit), _MOST_IN_A_PAGE))
        page = found[int(begin) : end]
        return answer(200, {"total_count": len(found), "count": len(page), "calls": page})

    def _stop(self, call_id: str, request: Request) -> Reply:
        call = self._calls.get(call_id)
        if call is None or self._shown(call)["completed"]:
            return self._refuse(400, "SID not found for the given c_id.")
        call |= ended(call, "canceled")
        self._effects.add("call.stopped", call_id, request)
        return answer(200, {"status": "success", "message": "Call ended successfully."})


def ended(call: Mapping[str, Json], outcome: str) -> dict[str, Json]:
    """Return what is new in a call once it ended so."""
    shown: dict[str, Json] = {"completed": True, "queue_status": "complete", "status": "completed"}
    if outcome in {"busy", "failed", "canceled"}:
        queue = "call_error" if outcome == "failed" else "complete"
        error = "The number could not be reached." if outcome == "failed" else None
        return shown | {"status": outcome, "queue_status": queue, "error_message": error}
    if outcome == "no-answer":
        return shown | {"status": "no-answer", "answered_by": "no-answer"}
    said = "assistant: Hello, this is Acme. \n user: Grüße, wann passt es? 👍 \n "
    return shown | {
        "answered_by": outcome,
        "call_length": 0.7,
        "corrected_duration": "42",
        "end_at": datetime.now(UTC).isoformat(),
        "summary": "Wants a visit on Tuesday.",
        "concatenated_transcript": said,
        "recording_url": f"https://storage.example/{call['call_id']}.mp3",
        "call_ended_by": "ASSISTANT",
    }


def report(call: Mapping[str, Json], outcome: str, secret: str) -> SignedRequest:
    """Give what Bland sends when a call ended, signed."""
    body = orjson.dumps({**call, **ended(call, outcome)})
    headers = {"Content-Type": "application/json", "X-Webhook-Signature": hmac_hex(secret, body)}
    return SignedRequest(body, headers)


def _error(status: int, message: str, headers: Mapping[str, str] | None = None) -> Reply:
    return answer(status, {"status": "error", "message": message}, headers)


SIMULATOR = Bland
