"""What Bland's refusals mean: ``{status: "error", message}``, perhaps with status 200.

Bland documents neither codes nor limits; the words are matched. Sources: docs.bland.ai/api-v1 (post/calls-id-stop),
github.com/CINTELLILABS/bland-ai-typescript, src/api/resources/commons/types/ErrorBody.ts.
"""

from __future__ import annotations

import re

from mainstay.kit import NeedsHumanError, PermanentError, Response, TransientError, VendorError
from mainstay.kit.calling import classify_call

_KEYS = "put the account's API key into the connection (app.bland.ai, Settings > Keys)"
_MONEY = "see Billing at app.bland.ai: top up the balance"
_BUSY = re.compile(r"rate.?limit|too many|concurren", re.IGNORECASE)
_PAYMENT = re.compile(r"balance|payment|credits?\b|billing|funds|upgrade", re.IGNORECASE)
_KEY = re.compile(r"api.?key|unauthori[sz]ed|authenticat", re.IGNORECASE)
_TROUBLE = re.compile(r"internal server error", re.IGNORECASE)
_OF_STACK = re.compile(r"pathway|voice|\bfrom\b|webhook", re.IGNORECASE)
_OF_PERSON = re.compile(r"phone.?number|e\.?164|invalid number", re.IGNORECASE)
_MISSING = re.compile(r"not found|no call|does not exist|invalid call", re.IGNORECASE)
_OK_BELOW = 300
_SECONDS_UNTIL_FREE = 60.0


def classify_answer(response: Response) -> VendorError | None:
    """Judge an answer by its status, and a refusal by its words, whatever its status says."""
    refusal = classify_call(response)
    status, data = response.status, response.data
    if refusal is None and not isinstance(data, dict):
        text = f"{status}: the answer is not one of Bland's; is base_url right?"
        return TransientError(text, status=status, unsure=True)
    if refusal is None and not is_error(response):
        return None
    text = str(refusal) if refusal is not None else f"{status}: {words(response)}"
    if isinstance(refusal, TransientError):
        return refusal
    if status == 402 or _PAYMENT.search(text):
        return NeedsHumanError(f"{text}; {_MONEY}", status=status)
    if isinstance(refusal, NeedsHumanError) or _KEY.search(text):
        return NeedsHumanError(f"{text}; {_KEYS}", status=status)
    if _TROUBLE.search(text):
        return TransientError(text, status=status, unsure=True)
    if _BUSY.search(text):
        return TransientError(text, status=status, retry_after=response.retry_after or _SECONDS_UNTIL_FREE)
    if _OF_STACK.search(text):
        return NeedsHumanError(f"{text}; compare the connection's keys with app.bland.ai", status=status)
    if _OF_PERSON.search(text):
        return PermanentError(f"{text}; correct the contact's phone", status=status)
    return refusal or PermanentError(text, status=status)


def is_error(response: Response) -> bool:
    """Tell whether an answer is a refusal; a call may itself have the status ``error``, and is then no refusal."""
    data = response.data
    if response.status >= _OK_BELOW:
        return True
    return isinstance(data, dict) and data.get("status") == "error" and not data.get("call_id")


def is_missing(response: Response) -> bool:
    """Tell whether an answer says that there is no such call."""
    return response.status == 404 or (is_error(response) and bool(_MISSING.search(words(response))))


def words(response: Response) -> str:
    """Return what a refusal says."""
    data = response.data if isinstance(response.data, dict) else {}
    found = data.get("message") or data.get("errors") or data.get("error") or "an error without a word"
    return str(found)[:300]
