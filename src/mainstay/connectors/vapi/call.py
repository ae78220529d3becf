"""A call at Vapi, read. Sources: its OpenAPI file (Call, ServerMessageEndOfCallReport) and its list of endedReason."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mainstay.kit import CallState
from mainstay.kit.calling import mapping, said, whole_seconds
from mainstay.kit.payload import moment, text
from mainstay.kit.roles import CallOutcome, CallStatus

_STATUS: Mapping[str, CallStatus] = {
    "scheduled": "queued",
    "queued": "queued",
    "ringing": "ringing",
    "in-progress": "talking",
    "forwarding": "talking",
    "ended": "ended",
    "not-found": "ended",
    "deletion-failed": "ended",
}
_OUTCOME: Mapping[str, CallOutcome] = {
    "voicemail": "voicemail",
    "customer-busy": "busy",
    "customer-did-not-answer": "no_answer",
    "call.ringing.sip-inbound-caller-hungup-before-call-connect": "no_answer",
    "call.in-progress.error-providerfault-outbound-sip-408-request-timeout": "no_answer",
    "call.in-progress.error-providerfault-outbound-sip-480-temporarily-unavailable": "no_answer",
    "silence-timed-out": "answered",
    "exceeded-max-duration": "answered",
    "vonage-completed": "answered",
    "call.in-progress.twilio-completed-call": "answered",
    "call.in-progress.sip-completed-call": "answered",
}
_ANSWERED = re.compile(r"(assistant-(ended|said|forwarded)|customer-ended-call|call\.forwarding\.|call\.ending\.)")
_INBOUND = "inboundPhoneCall"


def state_of(call: Mapping[str, Any], report: Mapping[str, Any] | None = None) -> CallState:
    """Read a call; what a report says of it beside goes before."""
    told = report or {}
    reason = text(told.get("endedReason")) or text(call.get("endedReason"))
    status = "ended" if report is not None else _STATUS.get(text(call.get("status")), "ended" if reason else "queued")
    artifact = mapping(told.get("artifact")) or mapping(call.get("artifact"))
    analysis = mapping(told.get("analysis")) or mapping(call.get("analysis"))
    started = moment(text(told.get("startedAt")) or text(call.get("startedAt")))
    ended = moment(text(told.get("endedAt")) or text(call.get("endedAt")))
    seconds = whole_seconds(max(0.0, (ended - started).total_seconds())) if started and ended else 0
    transcript = said(artifact.get("transcript"))
    recording = mapping(mapping(artifact.get("recording")).get("mono"))
    return CallState(
        id=text(call.get("id")),
        status=status,
        outcome=_outcome(reason, transcript) if status == "ended" else "",
        reason=reason,
        seconds=seconds if status == "ended" else 0,
        summary=said(analysis.get("summary")),
        transcript=transcript,
        recording_url=text(artifact.get("recordingUrl")) or text(recording.get("combinedUrl")),
    )


def _outcome(reason: str, transcript: str) -> CallOutcome:
    """Tell how a call went; of a reason that nobody knows, by whether anybody said a word."""
    known = _OUTCOME.get(reason)
    if known:
        return known
    if _ANSWERED.match(reason):
        return "answered"
    return "answered" if re.search(r"^(user|customer):", transcript, re.IGNORECASE | re.MULTILINE) else "failed"


def is_inbound(call: Mapping[str, Any]) -> bool:
    """Tell whether somebody phoned us."""
    return call.get("type") == _INBOUND


def person_of(call: Mapping[str, Any], message: Mapping[str, Any]) -> str:
    """Return the number of the person: Vapi calls them the customer, whoever phoned."""
    return text(mapping(call.get("customer")).get("number")) or text(mapping(message.get("customer")).get("number"))


def metadata_of(call: Mapping[str, Any]) -> Any:
    """Return a call's metadata, which lie where they were given: in the overrides of its assistant."""
    return mapping(call.get("assistantOverrides")).get("metadata") or call.get("metadata")
