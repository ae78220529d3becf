"""A call at Bland, read.

Sources: docs.bland.ai/api-v1/get/calls-id, and the types of github.com/CINTELLILABS/bland-ai-typescript. Which numbers
are written with their country, and which statuses there are, differs between them: both are read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from mainstay.kit import CallState
from mainstay.kit.calling import mapping, number_of, said, whole_seconds
from mainstay.kit.payload import moment, text
from mainstay.kit.roles import CallOutcome, CallStatus

_RUNNING: Mapping[str, CallStatus] = {
    "new": "queued",
    "queued": "queued",
    "allocated": "queued",
    "ringing": "ringing",
    "started": "talking",
    "in-progress": "talking",
    "in progress": "talking",
}
_ENDED = frozenset(
    {"complete", "completed", "pre_queue_error", "queue_error", "call_error", "complete_error"}
    | {"failed", "busy", "no-answer", "canceled", "cancelled", "error"}
)
_FAILED = frozenset({"pre_queue_error", "queue_error", "call_error", "failed", "canceled", "cancelled", "error"})
_OUTCOME: Mapping[str, CallOutcome] = {"busy": "busy", "no-answer": "no_answer", "no_answer": "no_answer"}
_ANSWERED_BY: Mapping[str, CallOutcome] = {
    "human": "answered",
    "unknown": "answered",
    "voicemail": "voicemail",
    "machine": "voicemail",
    "no-answer": "no_answer",
    "no_answer": "no_answer",
}
_PERSON_SPEAKS = re.compile(r"(?:^|\n)\s*user ?:", re.IGNORECASE)
_SECONDS = 60
_LEAST_DIGITS = 7
_DIGITS = re.compile(r"\D+")


def state_of(call: Mapping[str, Any]) -> CallState:
    """Read a call."""
    own, queue = text(call.get("status")).lower(), text(call.get("queue_status")).lower()
    has_ended = call.get("completed") is True or own in _ENDED or queue in _ENDED
    transcript = said(call.get("concatenated_transcript")) or _transcript(call.get("transcripts"))
    length = number_of(call.get("corrected_duration")) or number_of(call.get("call_length")) * _SECONDS
    return CallState(
        id=text(call.get("call_id")) or text(call.get("c_id")),
        status="ended" if has_ended else _RUNNING.get(own) or _RUNNING.get(queue) or "queued",
        outcome=_outcome(call, own, queue, transcript, length) if has_ended else "",
        reason=_reason(call, own, queue) if has_ended else "",
        seconds=whole_seconds(length) if has_ended else 0,
        summary=said(call.get("summary")),
        transcript=transcript,
        recording_url=text(call.get("recording_url")),
    )


def _outcome(call: Mapping[str, Any], own: str, queue: str, transcript: str, length: float) -> CallOutcome:
    """Tell how a call went: by its status, by who answered, and where neither says, by whether anybody spoke."""
    known = _OUTCOME.get(own) or _ANSWERED_BY.get(text(call.get("answered_by")).lower())
    if known:
        return known
    if _PERSON_SPEAKS.search(transcript):
        return "answered"
    # A complete_error came after the call: a report that got lost, say.
    if own in _FAILED or queue in _FAILED or (text(call.get("error_message")) and queue != "complete_error"):
        return "failed"
    return "answered" if length else "no_answer"


def _reason(call: Mapping[str, Any], own: str, queue: str) -> str:
    """Return Bland's own word: an error, who answered, or a status."""
    return text(call.get("error_message")) or text(call.get("answered_by")) or own or queue or "completed"


def _transcript(lines: Any) -> str:
    spoken = [each for each in lines if isinstance(each, dict)] if isinstance(lines, list) else []
    return said("\n".join(f"{text(each.get('user'))}: {said(each.get('text'))}" for each in spoken))


def is_inbound(call: Mapping[str, Any]) -> bool:
    """Tell whether somebody phoned us."""
    return call.get("inbound") is True


def person_of(call: Mapping[str, Any]) -> str:
    """Return the number of the person, with its country where Bland tells it anywhere."""
    if is_inbound(call):
        return _whole(call, "from", "")
    return _whole(call, "to", text(mapping(call.get("request_data")).get("phone_number")))


def _whole(call: Mapping[str, Any], side: str, asked: str) -> str:
    """Return a number as it is written with a plus, in the call, its variables or the request."""
    plain = text(call.get(side))
    for other in (text(mapping(call.get("variables")).get(side)), asked):
        if not plain.startswith("+") and other.startswith("+") and (not plain or same_number(plain, other)):
            return other
    return plain


def ended_at(call: Mapping[str, Any], seconds: int, told_at: datetime) -> datetime | None:
    """Return when a call ended: its end may be told as the latest moment at which it would have been cut off."""
    started = moment(text(call.get("started_at")))
    times = (started + timedelta(seconds=seconds) if started else None, moment(text(call.get("end_at"))))
    known = [at for at in times if at is not None and at <= told_at]
    return min(known) if known else moment(text(call.get("created_at")))


def same_number(one: str, other: str) -> bool:
    """Tell whether two numbers are one, the country of either perhaps left out."""
    first, second = _DIGITS.sub("", one), _DIGITS.sub("", other)
    shorter, longer = sorted((first, second), key=len)
    return len(shorter) >= _LEAST_DIGITS and longer.endswith(shorter)


def metadata_of(call: Mapping[str, Any]) -> Any:
    """Return a call's metadata; None where Bland tells none at all."""
    found = call.get("metadata")
    return mapping(call.get("variables")).get("metadata") if found is None else found
