"""What Vapi's refusals mean: ``{message, error, statusCode}``, where the message is a text or a list of texts.

Source: its OpenAPI file, which tells 400 ("limits, validation, missing resources") from 500; the words are matched,
because there are no codes.
"""

from __future__ import annotations

import re

from mainstay.kit import NeedsHumanError, PermanentError, Response, TransientError, VendorError
from mainstay.kit.calling import classify_call

_REFUSED, _MISSING = 400, 404
_KEYS = "put the organisation's private key into the connection (Dashboard > Organization > API Keys)"
_MONEY = "see Billing in Vapi's dashboard: credits, the plan or its limits are used up"
_BUSY = re.compile(r"concurrency|too many (?:concurrent|active)", re.IGNORECASE)
_PAYMENT = re.compile(
    r"wallet|credit|balance|billing|payment|subscription|upgrade|frozen|suspended|daily.{0,20}limit|fraud",
    re.IGNORECASE,
)
_OF_PERSON = re.compile(r"customer\.number|e\.?164|valid phone number", re.IGNORECASE)
_OF_STACK = re.compile(
    r"phone.?number.?id|assistant.?id|couldn.t (?:get|find)|(?:assistant|phone number)\W.{0,40}not (?:found|exist)",
    re.IGNORECASE,
)
_SECONDS_UNTIL_FREE = 60.0


def classify_answer(response: Response) -> VendorError | None:
    """Judge an answer by its status, and a 400 by its words."""
    refusal = classify_call(response)
    if refusal is None:
        if isinstance(response.data, dict | list):
            return None
        text = f"{response.status}: the answer is not one of Vapi's; is base_url right?"
        return TransientError(text, status=response.status, unsure=True)
    text = str(refusal)
    if isinstance(refusal, NeedsHumanError):
        return NeedsHumanError(f"{text}; {_MONEY if response.status == 402 else _KEYS}", status=response.status)
    if response.status != _REFUSED:
        return refusal
    if _BUSY.search(text):
        after = response.retry_after or _SECONDS_UNTIL_FREE
        return TransientError(f"{text}; all lines are in use", status=_REFUSED, retry_after=after)
    if _PAYMENT.search(text):
        return NeedsHumanError(f"{text}; {_MONEY}", status=_REFUSED)
    if _OF_PERSON.search(text):
        return PermanentError(f"{text}; correct the contact's phone", status=_REFUSED)
    if _OF_STACK.search(text):
        mend = "compare phone_number_id and the assistant with the dashboard"
        return NeedsHumanError(f"{text}; {mend}", status=_REFUSED)
    return refusal


def is_missing(response: Response) -> bool:
    """Tell whether an answer says that there is no such call."""
    return response.status == _MISSING
