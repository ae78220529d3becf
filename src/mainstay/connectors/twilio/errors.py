"""What Twilio's error codes mean: ``{code, message, more_info, status}``, mostly with status 400.

Source: twilio.com/docs/api/errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainstay.kit import NeedsHumanError, PermanentError, Response, TransientError, VendorError, classify

_CREDENTIALS = "put the account's SID and its live auth token, or an API key with its secret, into the connection"
_ACCOUNT = "Twilio has closed or suspended this account: see its Console"
_SENDER = "name a number of this account that can send SMS in `from`, or a messaging service that has one"
_HUMAN = {
    20003: _CREDENTIALS,
    20005: _ACCOUNT,
    20006: _CREDENTIALS,
    20008: "test credentials are in the connection; put the live ones in",
    20404: "no such account: compare account_sid with the Console's",
    21212: _SENDER,
    21408: "allow the recipient's country under Messaging > Settings > Geo permissions",
    21603: _SENDER,
    21606: _SENDER,
    21608: "a trial account writes to verified numbers alone: verify this one, or upgrade the account",
    21659: _SENDER,
    21660: _SENDER,
    21701: _SENDER,
    21703: _SENDER,
    21704: _SENDER,
}
_MEND = {
    21211: "correct the contact's phone",
    21610: "they texted STOP; only they can lift it, by texting START",
    21614: "it is no mobile number",
}
# 21611 and 30001: the sender's queue is full; Twilio works it off.
_TRANSIENT = frozenset({20429, 20500, 20503, 21611, 30001})


def classify_answer(response: Response) -> VendorError | None:
    """Judge an answer by its error code, else by its status."""
    refusal = classify(response)
    data = response.data if isinstance(response.data, dict) else {}
    if refusal is None:
        if isinstance(data.get("sid"), str) or isinstance(data.get("messages"), list):
            return None
        text = f"{response.status}: the answer is not one of Twilio's; is base_url right?"
        return TransientError(text, status=response.status, unsure=True)
    if isinstance(refusal, TransientError):
        return refusal
    return _by_code(response, refusal, data)


def _by_code(response: Response, refusal: VendorError, data: Mapping[str, Any]) -> VendorError:
    code = data.get("code")
    if not isinstance(code, int):
        return refusal
    text = f"Twilio {code}: {str(data.get('message') or 'no message')[:300]}"
    if code in _TRANSIENT:
        return TransientError(text, status=response.status, retry_after=response.retry_after)
    needs_human = code in _HUMAN or isinstance(refusal, NeedsHumanError)
    mend = _HUMAN.get(code) or _MEND.get(code)
    kind = NeedsHumanError if needs_human else PermanentError
    return kind(f"{text}; {mend}" if mend else text, status=response.status)
