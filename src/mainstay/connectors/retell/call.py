"""A call at Retell, read. Sources: its OpenAPI file (V2CallBase, DisconnectionReason, CallAnalysis)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mainstay.kit import CallState
from mainstay.kit.calling import mapping, number_of, said, whole_seconds
from mainstay.kit.payload import text
from mainstay.kit.roles import CallOutcome, CallStatus

_STATUS: Mapping[str, CallStatus] = {
    "registered": "queued",
    "ongoing": "talking",
    "not_connected": "ended",
    "ended": "ended",
    "error": "ended",
}
_OUTCOME: Mapping[str, CallOutcome] = {
    "voicemail_reached": "voicemail",
    "dial_busy": "busy",
    "dial_no_answer": "no_answer",
    "user_declined": "no_answer",
    "user_hangup": "answered",
    "agent_hangup": "answered",
    "call_transfer": "answered",
    "transfer_bridged": "answered",
    "transfer_cancelled": "answered",
    "ivr_reached": "answered",
    "inactivity": "answered",
    "max_duration_reached": "answered",
}
_PERSON_SPEAKS = re.compile(r"^user:", re.IGNORECASE | re.MULTILINE)


def state_of(call: Mapping[str, Any], *, has_ended: bool = False) -> CallState:
    """Read a call."""
    reason = text(call.get("disconnection_reason"))
    known = _STATUS.get(text(call.get("call_status")), "ended" if reason else "queued")
    status: CallStatus = "ended" if has_ended else known
    analysis = mapping(call.get("call_analysis"))
    transcript = said(call.get("transcript"))
    return CallState(
        id=text(call.get("call_id")),
        status=status,
        outcome=_outcome(reason, transcript, analysis) if status == "ended" else "",
        reason=reason or (text(call.get("call_status")) if status == "ended" else ""),
        seconds=whole_seconds(number_of(call.get("duration_ms")) / 1000) if status == "ended" else 0,
        summary=said(analysis.get("call_summary")),
        transcript=transcript,
        recording_url=text(call.get("recording_url")) or text(call.get("scrubbed_recording_url")),
    )


def _outcome(reason: str, transcript: str, analysis: Mapping[str, Any]) -> CallOutcome:
    """Tell how a call went; where something broke off, by whether the person said a word."""
    if analysis.get("in_voicemail") is True:
        return "voicemail"
    known = _OUTCOME.get(reason)
    return known or ("answered" if _PERSON_SPEAKS.search(transcript) else "failed")


def is_inbound(call: Mapping[str, Any]) -> bool:
    """Tell whether somebody phoned us."""
    return call.get("direction") == "inbound"


def person_of(call: Mapping[str, Any]) -> str:
    """Return the number of the person at the other end; empty for a call in a browser."""
    return text(call.get("from_number" if is_inbound(call) else "to_number"))


def ended_at(call: Mapping[str, Any]) -> datetime | None:
    """Return when a call ended, or began where that is all that is told."""
    number = number_of(call.get("end_timestamp")) or number_of(call.get("start_timestamp"))
    try:
        return datetime.fromtimestamp(number / 1000, UTC) if number else None
    except (ValueError, OverflowError, OSError):
        return None
