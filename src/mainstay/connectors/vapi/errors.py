"""What Vapi's refusals mean: ``{message, error, statusCode}``, where the message is a text or a list of texts.

Source: its OpenAPI file, which tells 400 ("limits, validation, missing resources") from 500; the words are matched,
because there are no codes.
"""

from __future__ import annotations

import re

from mainstay.kit import NeedsHumanError, Response, TransientError, VendorError
from mainstay.kit.calling import Reading, classify_call, read_refusal

_REFUSED, _MISSING = 400, 404
_KEYS = "put the organisation's private key into the connection (Dashboard > Organization > API Keys)"
_MONEY = "see Billing in Vapi's dashboard: credits, the plan or its limits are used up"
_READINGS = (
    Reading(re.compile(r"concurrency|too many (?:concurrent|active)", re.IGNORECASE), "busy", "all lines are in use"),
    Reading(
        re.compile(
            r"wallet|credit|balance|billing|payment|subscription|upgrade|frozen|suspended|daily.{0,20}limit|fraud",
            re.IGNORECASE,
        ),
        "human",
        _MONEY,
    ),
    Reading(
        re.compile(r"customer\.number|e\.?164|valid phone number", re.IGNORECASE),
        "permanent",
        "correct the contact's phone",
    ),
    Reading(
        re.compile(
            r"phone.?number.?id|assistant.?id|couldn.t (?:get|find)"
            r"|(?:assistant|phone number)\W.{0,40}not (?:found|exist)",
            re.IGNORECASE,
        ),
        "human",
        "compare phone_number_id and the assistant with the dashboard",
    ),
)


def classify_answer(response: Response) -> VendorError | None:
    """Judge an answer by its status, and a 400 by its words."""
    refusal, status = classify_call(response), response.status
    if refusal is None:
        if isinstance(response.data, dict | list):
            return None
        return TransientError(
            f"{status}: the answer is not one of Vapi's; is base_url right?", status=status, unsure=True
        )
    if isinstance(refusal, NeedsHumanError):
        return NeedsHumanError(f"{refusal}; {_MONEY if status == 402 else _KEYS}", status=status)
    return read_refusal(refusal, response, _READINGS) if status == _REFUSED else refusal


def is_missing(response: Response) -> bool:
    """Tell whether an answer says that there is no such call."""
    return response.status == _MISSING
