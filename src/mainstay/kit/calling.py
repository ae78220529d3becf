"""Phone calls as AI callers tell of them: our mark on each, so that nobody is phoned twice; its end as an event."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from mainstay.errors import NeedsHumanError, PermanentError, TransientError, VendorError
from mainstay.kit.http import Response, classify
from mainstay.kit.recording import message_record
from mainstay.kit.roles import CallState
from mainstay.kit.signature import sha256_hex
from mainstay.model import Event, Submission

MARK = "mainstay_key"
"""The name under which a call's metadata hold what we know it by."""
MAX_TEXT_CHARS = 200_000
_MOST_MARK_CHARS = 40
_MOST_SECONDS = 10 * 86_400
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_PHONE = re.compile(r"\+?[\d\s().-]{7,24}")
_SERVER_ERROR, _TOO_MANY = 500, 429
_PATIENCE, _UNTIL_FREE = 10.0, 60.0


def mark_of(idempotency_key: str) -> str:
    """Return what a call is known by, at most 40 characters long: the step's key, or a digest of it."""
    return idempotency_key if len(idempotency_key) <= _MOST_MARK_CHARS else sha256_hex(idempotency_key.encode())[:40]


def is_marked(metadata: Any, mark: str) -> bool:
    """Tell whether a call's metadata carry our mark."""
    return isinstance(metadata, dict) and bool(mark) and metadata.get(MARK) == mark


def require_call_id(call_id: str) -> str:
    """Return the id of a call, safe in a path.

    Raises:
        PermanentError: it cannot be one.
    """
    if not _ID.fullmatch(call_id):
        message = f"{call_id[:40]!r} is not the id of a call"
        raise PermanentError(message)
    return call_id


@contextmanager
def looking() -> Iterator[None]:
    """Let a look-up that is refused leave the doubt as it stands.

    What cannot be looked up is else called once more, and a person would be phoned twice.
    """
    try:
        yield
    except (PermanentError, NeedsHumanError) as error:
        raise TransientError(str(error), status=error.status) from error


def classify_call(response: Response) -> VendorError | None:
    """Judge an answer by its status, as the kit does; but each 5xx and a 408 leave open whether somebody is phoned.

    A 429 without a time waits ten seconds.
    """
    refusal = classify(response)
    if not isinstance(refusal, TransientError):
        return refusal
    status = response.status
    after = refusal.retry_after
    return TransientError(
        str(refusal),
        status=status,
        retry_after=_PATIENCE if after is None and status == _TOO_MANY else after,
        unsure=status >= _SERVER_ERROR or status == 408,
    )


@dataclass(frozen=True, slots=True)
class Reading:
    """What words of a refusal mean, of a vendor that has no codes for it.

    ``fate`` is ``human`` or ``permanent``, each with its ``mend``; ``busy``, which waits until a line is free; or
    ``unsure``.
    """

    words: re.Pattern[str]
    fate: Literal["human", "permanent", "busy", "unsure"]
    mend: str = ""

    def error(self, text: str, response: Response) -> VendorError:
        """Return the refusal as these words have it."""
        shown, status = f"{text}; {self.mend}" if self.mend else text, response.status
        if self.fate == "human":
            return NeedsHumanError(shown, status=status)
        if self.fate == "permanent":
            return PermanentError(shown, status=status)
        after = response.retry_after or (_UNTIL_FREE if self.fate == "busy" else None)
        return TransientError(shown, status=status, retry_after=after, unsure=self.fate == "unsure")


def read_refusal(refusal: VendorError, response: Response, readings: Sequence[Reading]) -> VendorError:
    """Return what a refusal means by the first reading whose words it has; itself where there is none."""
    text = str(refusal)
    return next((each.error(text, response) for each in readings if each.words.search(text)), refusal)


def said(value: Any) -> str:
    """Return a text of a call, a transcript say, bounded; empty where it is no text."""
    return value.replace("\x00", "").strip()[:MAX_TEXT_CHARS] if isinstance(value, str) else ""


def mapping(value: Any) -> dict[str, Any]:
    """Return a JSON object, or an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def number_of(value: Any) -> float:
    """Read a number, or a text of one; 0 where it is none, or one that no call has."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return 0.0
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return 0.0
    return number if math.isfinite(number) and number > 0 else 0.0


def whole_seconds(value: float) -> int:
    """Round a length to whole seconds, ten days at most."""
    return round(min(value, _MOST_SECONDS))


def is_phone(value: str) -> bool:
    """Tell whether a text is a phone number, rather than a SIP address or the word "anonymous"."""
    return bool(_PHONE.fullmatch(value))


def call_event(
    kind: str, state: CallState, *, key: str, person: str, at: datetime | None = None, **facts: str
) -> Event:
    """Give what a vendor tells of a call as an event of the person at the other end.

    Args:
        kind: the event's type: ``call.ended``.
        state: the call; its fields are the event's data.
        key: the event's key.
        person: the number that was phoned, or that phoned us.
        at: when it happened by the vendor's clock.
        facts: further data: ``direction``, ``to``, ``agent``.
    """
    if not is_phone(person):
        return Event("unsupported", key=key, time=at, reason="a call that has no phone number at its other end")
    inbound = facts.get("direction") == "inbound"
    said = {"sender" if inbound else "recipient": person, "status": state.outcome or state.status}
    custom = {"seconds": str(state.seconds), "summary": state.summary, "reason": state.reason}
    custom |= {"recording_url": state.recording_url, "agent": facts.get("agent", "")}
    record = message_record("voice", state.id, said, is_inbound=inbound, custom=custom, at=at)
    data = {**asdict(state), **facts}
    return Event(kind, key=key, time=at, submission=Submission(phone=person), data=data, record=record)
