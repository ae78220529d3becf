"""A simulator of Retell's calls and numbers."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from mainstay.kit.signature import hmac_hex
from mainstay.sandbox.senders import SignedRequest
from mainstay.sandbox.state import Configurable, Effects, Ids, token_is_good
from mainstay.sandbox.wire import Json, Reply, Request, SettingError, answer

_NUMBER = re.compile(r"\+[1-9]\d{6,14}")
_MOST_IN_A_PAGE = 1000
_UNTALKED = {"dial_busy", "dial_no_answer", "dial_failed"}


@dataclass(frozen=True)
class Settings:
    """``PUT /_control/config/retell``.

    ``tokens`` lists the good keys (None: any); ``outcomes`` says by number how calls to it ended (a
    ``disconnection_reason``; others are under way); ``numbers`` and ``agents`` are those that exist (None: any);
    ``has_credit`` is false where nobody pays. ``list_lag_ms`` is how far the list of calls stays behind.
    """

    tokens: list[str] | None = None
    outcomes: dict[str, Json] = field(default_factory=dict)
    numbers: list[str] | None = None
    agents: list[str] | None = None
    has_credit: bool = True
    list_lag_ms: int = 0


class Retell(Configurable):
    """Retell's calls: create, get, list (v3), stop; and its numbers."""

    name = "retell"

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
        """Return every call as Retell shows it, oldest first, and the effects."""
        return {"calls": [self._shown(each) for each in self._calls.values()], "effects": self._effects.listing()}

    def seed(self, kind: str, records: list[dict[str, Json]]) -> int:
        """Put in calls that others placed: any fields of a call."""
        if kind != "calls":
            raise SettingError(f"retell has no {kind} to seed, but calls")
        for record in records:
            self._keep(dict(record))
        return len(records)

    def handle(self, request: Request) -> Reply:
        """Answer one request."""
        if not request.bearer or not token_is_good(request.bearer, self.settings.tokens):
            return _error(401, "API key is missing or invalid.")
        match request.method, request.parts:
            case "POST", ["v2", "create-phone-call"]:
                return self._create(request)
            case "POST", ["v3", "list-calls"]:
                return self._list(request)
            case "GET", ["v2", "get-call", call_id]:
                call = self._calls.get(call_id)
                return answer(200, self._shown(call)) if call else _missing()
            case "POST", ["v2", "stop-call", call_id]:
                return self._stop(call_id, request)
            case "GET", ["list-phone-numbers"]:
                return answer(200, [_number(each) for each in self.settings.numbers or []])
        return _error(404, "Not found")

    def failure(self, request: Request, status: int, retry_after: float | None) -> Reply:  # noqa: ARG002
        """Return Retell's error shape."""
        headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
        return _error(status, "The request was refused.", headers)

    def _create(self, request: Request) -> Reply:
        try:
            body = request.json()
        except ValueError:
            return _error(400, "Invalid request format, please check API reference.")
        sent = body if isinstance(body, dict) else {}
        config = self.settings
        to, sender, agent = sent.get("to_number", ""), sent.get("from_number"), sent.get("override_agent_id")
        if not config.has_credit:
            return _error(402, "Trial has ended, please add payment method.")
        if not _NUMBER.fullmatch(str(to)) or config.outcomes.get(to) == "invalid":
            return _error(400, "Invalid to_number: not a valid E.164 number.")
        if config.numbers is not None and sender not in config.numbers:
            return _error(422, f"Item {sender} not found from phone-number")
        if agent and config.agents is not None and agent not in config.agents:
            return _error(422, "Cannot find requested asset under given api key.")
        kept = {
            name: sent[name]
            for name in ("from_number", "to_number", "metadata", "retell_llm_dynamic_variables")
            if name in sent
        }
        call = self._keep(kept | {"agent_id": agent or "agent_of_number"})
        self._effects.add("call.placed", call["call_id"], request)
        return answer(201, call)

    def _keep(self, given: dict[str, Json]) -> dict[str, Json]:
        call = {
            "call_id": f"call_{self._ids.word('call').lower()}",
            "call_type": "phone_call",
            "direction": "outbound",
            "agent_version": 1,
            "call_status": "registered",
            **given,
        }
        self._calls[call["call_id"]] = call
        self._made_at[call["call_id"]] = time.monotonic()
        return call

    def _shown(self, call: Mapping[str, Json]) -> dict[str, Json]:
        reason = self.settings.outcomes.get(str(call.get("to_number", "")))
        if call["call_status"] in {"registered", "ongoing"}:
            if reason:
                return {**call, **ended(call, reason, analyzed=True)}
            return {**call, "call_status": "ongoing", "start_timestamp": round(time.time() * 1000)}
        return dict(call)

    def _list(self, request: Request) -> Reply:
        query = request.json()
        criteria = query.get("filter_criteria", {})
        limit = query.get("limit", 50)
        if not isinstance(limit, int) or limit > _MOST_IN_A_PAGE:
            return _error(400, "Invalid request format, please check API reference.")
        wanted = (criteria.get("to_number") or {}).get("value")
        horizon = time.monotonic() - self.settings.list_lag_ms / 1000
        found = [
            {name: value for name, value in self._shown(each).items() if name != "transcript"}
            for each in reversed(self._calls.values())
            if self._made_at[each["call_id"]] <= horizon and wanted in (None, each.get("to_number"))
        ]
        start = int(query.get("pagination_key") or 0)
        has_more = len(found) > start + limit
        shown = {"items": found[start : start + limit], "has_more": has_more}
        return answer(200, shown | ({"pagination_key": str(start + limit)} if has_more else {}))

    def _stop(self, call_id: str, request: Request) -> Reply:
        call = self._calls.get(call_id)
        if call is None:
            return _missing()
        if self._shown(call)["call_status"] not in {"registered", "ongoing"}:
            return _error(400, "Call is not ongoing.")
        call |= ended(call, "manual_stopped", analyzed=False) | {"transcript": ""}
        self._effects.add("call.stopped", call_id, request)
        return Reply(204)


def ended(call: Mapping[str, Json], reason: str, *, analyzed: bool) -> dict[str, Json]:
    """Return what is new in a call once it ended for a reason, and was analysed."""
    now = round(time.time() * 1000)
    if reason in _UNTALKED:
        return {"call_status": "not_connected", "disconnection_reason": reason, "end_timestamp": now}
    shown: dict[str, Json] = {
        "call_status": "ended",
        "disconnection_reason": reason,
        "start_timestamp": now - 42_000,
        "end_timestamp": now,
        "duration_ms": 42_000,
        "transcript": "Agent: Hello, this is Acme.\nUser: Grüße, wann passt es? 👍\n",
        "recording_url": f"https://storage.example/{call['call_id']}.wav",
    }
    if analyzed:
        shown["call_analysis"] = {
            "call_summary": "Wants a visit on Tuesday.",
            "in_voicemail": reason == "voicemail_reached",
            "user_sentiment": "Positive",
            "call_successful": True,
        }
    return shown


def report(
    call: Mapping[str, Json], reason: str, secret: str, *, event: str = "call_ended", at: float
) -> SignedRequest:
    """Give what Retell sends when a call ended, or was analysed, signed at a time (seconds since 1970)."""
    full = {**call, **ended(call, reason, analyzed=event == "call_analyzed")}
    body = orjson.dumps({"event": event, "call": full})
    stamp = str(round(at * 1000))
    signature = f"v={stamp},d={hmac_hex(secret, body + stamp.encode())}"
    return SignedRequest(body, {"Content-Type": "application/json", "X-Retell-Signature": signature})


def _number(number: str) -> dict[str, Json]:
    return {
        "phone_number": number,
        "phone_number_type": "retell-twilio",
        "nickname": "Front desk",
        "last_modification_timestamp": 1_767_600_000_000,
    }


def _missing() -> Reply:
    return _error(422, "Cannot find requested asset under given api key.")


def _error(status: int, message: str, headers: Mapping[str, str] | None = None) -> Reply:
    return answer(status, {"status": "error", "message": message}, headers)


SIMULATOR = Retell
