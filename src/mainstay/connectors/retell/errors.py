"""What Retell's refusals mean: ``{status: "error", message}``.

Source: its OpenAPI file: 400, 401, 402 (payment), 422, 429 and 500; the words of a 4xx are matched, for there are no codes.
"""

from __future__ import annotations

import re

from mainstay.kit import NeedsHumanError, PermanentError, Response, TransientError, VendorError
from mainstay.kit.calling import classify_call

_KEYS = "put an API key of the workspace into the connection (Settings > API Keys)"
_MONEY = "see Billing in Retell's dashboard: add a payment method, or raise the limit"
_BUSY = re.compile(r"concurren", re.IGNORECASE)
_PAYMENT = re.compile(r"payment|billing|trial|balance|credit", re.IGNORECASE)
_OF_STACK = re.compile(r"from_number|from number|agent|phone-number|requested asset|outbound", re.IGNORECASE)
_OF_PERSON = re.compile(r"to_number|destination|e\.?164|invalid (?:phone )?number|country", re.IGNORECASE)
_MISSING = re.compile(r"cannot find|not found|no such", re.IGNORECASE)
_REFUSED = frozenset({400, 404, 422})
_NO_CONTENT = 204
_SECONDS_UNTIL_FREE = 60.0


def classify_answer(response: Response) -> VendorError | None:
    """Judge an answer by its status, and a refusal by its words."""
    refusal = classify_call(response)
    if refusal is None:
        if response.status == _NO_CONTENT or isinstance(response.data, dict | list):
            return None
        text = f"{response.status}: the answer is not one of Retell's; is base_url right?"
        return TransientError(text, status=response.status, unsure=True)
    text, status = str(refusal), response.status
    if isinstance(refusal, NeedsHumanError):
        return NeedsHumanError(f"{text}; {_MONEY if status == 402 else _KEYS}", status=status)
    if status not in _REFUSED:
        return refusal
    if _BUSY.search(text):
        after = response.retry_after or _SECONDS_UNTIL_FREE
        return TransientError(f"{text}; all lines are in use", status=status, retry_after=after)
    if _PAYMENT.search(text):
        return NeedsHumanError(f"{text}; {_MONEY}", status=status)
    if _OF_STACK.search(text):
        return NeedsHumanError(f"{text}; compare `from` and the agent with Retell's dashboard", status=status)
    if _OF_PERSON.search(text):
        return PermanentError(f"{text}; correct the contact's phone", status=status)
    return refusal


def is_missing(response: Response) -> bool:
    """Tell whether an answer says that there is no such call: Retell says so by 422 as well."""
    return response.status == 404 or (response.status in _REFUSED and bool(_MISSING.search(_words(response))))


def _words(response: Response) -> str:
    data = response.data
    return str(data.get("message")) if isinstance(data, dict) else ""
