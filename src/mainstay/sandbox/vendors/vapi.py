"""A simulator of Vapi: its calls, its numbers, and the address by which a call is hung up."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from mainstay.sandbox.senders import SignedRequest
from mainstay.sandbox.state import Configurable, Effects, Ids, token_is_good
from mainstay.sandbox.wire import Json, Reply, Request, SettingError, answer, iso

_NUMBER = re.compile(r"\+[1-9]\d{6,14}")
_MOST_IN_A_PAGE = 1000
_ORG = "0f0e0d0c-0b0a-4908-8706-050403020100"
_TALK = 42
_WORDS = {400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 404: "Not Found", 429: "Too Many Requests"}
_UNTALKED = {"customer-busy", "customer-did-not-answer", "twilio-failed-to-connect-call"}


@dataclass(frozen=True)
class Settings:
    """``PUT /_control/config/vapi``.

    ``tokens`` lists the good keys (None: any); ``outcomes`` says by number how calls to it ended (an ``endedReason``;
    others are under way); ``numbers`` and ``assistants`` are the ids that exist (None: any); ``has_credit`` and
    ``has_lines`` are false where the wallet is empty, or every line in use. ``list_lag_ms`` is how far the list of
    calls stays behind, ``controls`` whether calls have a control address.
    """

    tokens: list[str] | None = None
    outcomes: dict[str, Json] = field(default_factory=dict)
    numbers: list[str] | None = None
    assistants: list[str] | None = None
    has_credit: bool = True
    has_lines: bool = True
    list_lag_ms: int = 0
    controls: bool = True


class Vapi(Configurable):
    """Vapi's ``/call`` and ``/phone-number``."""

    name = "vapi"

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
        """Return every call as Vapi shows it, oldest first, and the effects."""
        return {"calls": [self._shown(each) for each in self._calls.values()], "effects": self._effects.listing()}

    def seed(self, kind: str, records: list[dict[str, Json]]) -> int:
        """Put in calls that others placed: any fields of a call."""
        if kind != "calls":
            raise SettingError(f"vapi has no {kind} to seed, but calls")
        for record in records:
            self._keep(dict(record))
        return len(records)

    def handle(self, request: Request) -> Reply:
        """Answer one request."""
        parts = request.parts
        if len(parts) == 2 and parts[1] == "control" and request.method == "POST":
            return self._control(parts[0], request)
        if not request.bearer or not token_is_good(request.bearer, self.settings.tokens):
            return _error(401, "Invalid Key. Hot tip, you may be using the private key instead of the public key.")
        match request.method, parts:
            case "POST", ["call"]:
                return self._create(request)
            case "GET", ["call"]:
                return self._list(dict(request.query))
            case "GET", ["call", call_id]:
                call = self._calls.get(call_id)
                return answer(200, self._shown(call, request)) if call else _error(404, "Call Not Found")
            case "GET", ["phone-number"]:
                return answer(200, [_number(each) for each in self.settings.numbers or []])
        return _error(404, f"Cannot {request.method} {request.path}")

    def failure(self, request: Request, status: int, retry_after: float | None) -> Reply:  # noqa: ARG002
        """Return Vapi's error shape."""
        headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
        return _error(status, "The request was refused.", headers)

    def _create(self, request: Request) -> Reply:
        try:
            body = request.json()
        except ValueError:
            return _error(400, ["body must be JSON"])
        sent = body if isinstance(body, dict) else {}
        problem = self._problem(sent)
        if problem:
            return _error(400, problem)
        kept = {name: sent[name] for name in ("assistantId", "phoneNumberId", "customer", "name") if name in sent}
        call = self._keep(kept | {"assistantOverrides": sent.get("assistantOverrides", {})})
        self._effects.add("call.placed", call["id"], request)
        return answer(201, self._shown(call, request, is_new=True))

    def _keep(self, given: dict[str, Json]) -> dict[str, Json]:
        now = iso(time.time())
        call = {
            "id": self._ids.uuid("call"),
            "orgId": _ORG,
            "type": "outboundPhoneCall",
            "phoneCallTransport": "pstn",
            "createdAt": now,
            "updatedAt": now,
            "status": "queued",
            **given,
        }
        self._calls[call["id"]] = call
        self._made_at[call["id"]] = time.monotonic()
        return call

    def _problem(self, sent: Mapping[str, Json]) -> str | list[str]:
        config = self.settings
        customer = sent.get("customer") or {}
        assistant, number = sent.get("assistantId"), sent.get("phoneNumberId")
        if not assistant:
            return "Need Either `assistant`, `assistantId`, `squad`, `squadId`, `workflow`, Or `workflowId`."
        if not _NUMBER.fullmatch(str(customer.get("number", ""))):
            return ["customer.number must be a valid phone number in the E.164 format"]
        if config.outcomes.get(customer["number"]) == "invalid":
            return ["customer.number must be a valid phone number"]
        if config.assistants is not None and assistant not in config.assistants:
            return f"Couldn't Get Assistant. assistantId {assistant} Does Not Exist."
        if config.numbers is not None and number not in config.numbers:
            return f"Couldn't Get Phone Number. phoneNumberId {number} Does Not Exist."
        if not config.has_credit:
            return "Wallet Balance is -0.02. Purchase More Credits or Upgrade Your Plan."
        return "" if config.has_lines else "Over Concurrency Limit. Your limit is 10 concurrent calls."

    def _shown(
        self, call: Mapping[str, Json], request: Request | None = None, *, is_new: bool = False
    ) -> dict[str, Json]:
        shown = dict(call)
        reason = self.settings.outcomes.get(str((call.get("customer") or {}).get("number", "")))
        if is_new or (call["status"] != "ended" and not reason):
            if self.settings.controls:
                host = request.headers.get("Host", "sandbox") if request else "sandbox"
                shown["monitor"] = {"controlUrl": f"http://{host}/{self.name}/{call['id']}/control"}
            return (
                shown if is_new else shown | {"status": "in-progress" if call["status"] == "queued" else call["status"]}
            )
        return shown | ended(call, reason) if reason else shown

    def _list(self, query: Mapping[str, str]) -> Reply:
        """Return calls, the newest first."""
        limit = query.get("limit", "100")
        if not limit.isdigit() or int(limit) > _MOST_IN_A_PAGE:
            return _error(400, ["limit must not be greater than 1000"])
        horizon = time.monotonic() - self.settings.list_lag_ms / 1000
        found = [
            self._shown(each)
            for each in reversed(self._calls.values())
            if self._made_at[each["id"]] <= horizon and _is_meant(each, query)
        ]
        return answer(200, sorted(found, key=lambda each: str(each["createdAt"]), reverse=True)[: int(limit)])

    def _control(self, call_id: str, request: Request) -> Reply:
        call = self._calls.get(call_id)
        if call is None or self._shown(call)["status"] == "ended":
            return _error(404, "Call not found")
        if request.json() != {"type": "end-call"}:
            return _error(400, "Unknown control")
        call |= ended(call, "manually-canceled")
        self._effects.add("call.stopped", call_id, request)
        return answer(200, {"success": True})


def ended(call: Mapping[str, Json], reason: str) -> dict[str, Json]:
    """Return what is new in a call once it ended for a reason."""
    shown: dict[str, Json] = {"status": "ended", "endedReason": reason, "endedAt": call["createdAt"]}
    shown["analysis"], shown["artifact"] = {}, {"messages": []}
    if reason in _UNTALKED:
        return shown
    begun = str(call["createdAt"])
    at = iso(time.time())
    said = "AI: Hello, this is Acme.\nUser: Grüße, wann passt es? 👍\n"
    return shown | {
        "startedAt": begun,
        "endedAt": at,
        "analysis": {"summary": "Wants a visit on Tuesday.", "successEvaluation": "true"},
        "artifact": {"messages": [], "transcript": said, "recordingUrl": f"https://storage.example/{call['id']}.wav"},
    }


def report(call: Mapping[str, Json], reason: str, secret: str) -> SignedRequest:
    """Give the report of a call's end as Vapi sends it, with the secret in its own header."""
    full = {**call, **ended(call, reason)}
    message = {
        "type": "end-of-call-report",
        "timestamp": round(time.time() * 1000),
        "endedReason": reason,
        "endedAt": full["endedAt"],
        "analysis": full["analysis"],
        "artifact": full["artifact"],
        "call": full,
        "customer": call.get("customer", {}),
    } | ({"startedAt": full["startedAt"]} if "startedAt" in full else {})
    return SignedRequest(
        orjson.dumps({"message": message}), {"Content-Type": "application/json", "X-Vapi-Secret": secret}
    )


def _number(number_id: str) -> dict[str, Json]:
    return {
        "id": number_id,
        "orgId": _ORG,
        "provider": "vapi",
        "number": "+13125550100",
        "status": "active",
        "createdAt": "2026-01-05T09:00:00.000Z",
        "updatedAt": "2026-01-05T09:00:00.000Z",
    }


def _is_meant(call: Mapping[str, Json], query: Mapping[str, str]) -> bool:
    made = str(call["createdAt"])
    return (
        query.get("phoneNumberId", call.get("phoneNumberId")) == call.get("phoneNumberId")
        and query.get("assistantId", call.get("assistantId")) == call.get("assistantId")
        and made >= query.get("createdAtGe", made)
        and made <= query.get("createdAtLe", made)
        and ("createdAtGt" not in query or made > query["createdAtGt"])
        and ("createdAtLt" not in query or made < query["createdAtLt"])
    )


def _error(status: int, message: str | list[str], headers: Mapping[str, str] | None = None) -> Reply:
    word = _WORDS.get(status, "Internal Server Error")
    return answer(status, {"message": message, "error": word, "statusCode": status}, headers)


SIMULATOR = Vapi
