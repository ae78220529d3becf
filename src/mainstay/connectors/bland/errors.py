"""What Bland's refusals mean: ``{status: "error", message}``, perhaps with status 200.

Bland documents neither codes nor limits; the words are matched. Sources: docs.bland.ai/api-v1 (post/calls-id-stop),
github.com/CINTELLILABS/bland-ai-typescript, src/api/resources/commons/types/ErrorBody.ts.
"""

from __future__ import annotations

import re

from mainstay.kit import NeedsHumanError, PermanentError, Response, TransientError, VendorError
from mainstay.kit.calling import Reading, classify_call, read_refusal

_KEYS = "put the account's API key into the connection (app.bland.ai, Settings > Keys)"
_MONEY = "see Billing at app.bland.ai: top up the balance"
_PAYMENT = Reading(re.compile(r"balance|payment|credits?\b|billing|funds|upgrade", re.IGNORECASE), "human", _MONEY)
_READINGS = (
    _PAYMENT,
    Reading(re.compile(r"api.?key|unauthori[sz]ed|authenticat", re.IGNORECASE), "human", _KEYS),
    Reading(re.compile(r"internal server error", re.IGNORECASE), "unsure"),
    Reading(re.compile(r"rate.?limit|too many|concurren", re.IGNORECASE), "busy"),
    Reading(
        re.compile(r"pathway|voice|\bfrom\b|webhook", re.IGNORECASE),
        "human",
        "compare the connection's keys with app.bland.ai",
    ),
    Reading(
        re.compile(r"phone.?number|e\.?164|invalid number", re.IGNORECASE), "permanent", "correct the contact's phone"
    ),
)
_MISSING = re.compile(r"not found|no call|does not exist|invalid call", re.IGNORECASE)
_OK_BELOW = 300


def classify_answer(response: Response) -> VendorError | None:
    """Judge an answer by its status, and a refusal by its words, whatever its status says."""
    refusal, status = classify_call(response), response.status
    if refusal is None:
        if not isinstance(response.data, dict):
            return TransientError(
                f"{status}: the answer is not one of Bland's; is base_url right?", status=status, unsure=True
            )
        if not is_error(response):
            return None
        refusal = PermanentError(f"{status}: {_words(response)}", status=status)
    if isinstance(refusal, NeedsHumanError):
        is_money = status == 402 or _PAYMENT.words.search(str(refusal))
        return NeedsHumanError(f"{refusal}; {_MONEY if is_money else _KEYS}", status=status)
    return refusal if isinstance(refusal, TransientError) else read_refusal(refusal, response, _READINGS)


def is_error(response: Response) -> bool:
    """Tell whether an answer is a refusal; a call may itself have the status ``error``, and is then no refusal."""
    data = response.data
    if response.status >= _OK_BELOW:
        return True
    return isinstance(data, dict) and data.get("status") == "error" and not data.get("call_id")


def is_missing(response: Response) -> bool:
    """Tell whether an answer says that there is no such call."""
    return response.status == 404 or (is_error(response) and bool(_MISSING.search(_words(response))))


def _words(response: Response) -> str:
    data = response.data if isinstance(response.data, dict) else {}
    found = data.get("message") or data.get("errors") or data.get("error") or "an error without a word"
    return str(found)[:300]
