"""What Retell's refusals mean: ``{status: "error", message}``.

Source: its OpenAPI file: 400, 401, 402 (payment), 422, 429 and 500. The words of a 4xx are matched, because there are
no codes.
"""

from __future__ import annotations

import re

from mainstay.kit import NeedsHumanError, Response, TransientError, VendorError
from mainstay.kit.calling import Reading, classify_call, read_refusal

_KEYS = "put an API key of the workspace into the connection (Settings > API Keys)"
_MONEY = "see Billing in Retell's dashboard: add a payment method, or raise the limit"
_READINGS = (
    Reading(re.compile(r"concurren", re.IGNORECASE), "busy", "all lines are in use"),
    Reading(re.compile(r"payment|billing|trial|balance|credit", re.IGNORECASE), "human", _MONEY),
    Reading(
        re.compile(r"from_number|from number|agent|phone-number|requested asset|outbound", re.IGNORECASE),
        "human",
        "compare `from` and the agent with Retell's dashboard",
    ),
    Reading(
        re.compile(r"to_number|destination|e\.?164|invalid (?:phone )?number|country", re.IGNORECASE),
        "permanent",
        "correct the contact's phone",
    ),
)
_MISSING = re.compile(r"cannot find|not found|no such", re.IGNORECASE)
_REFUSED = frozenset({400, 404, 422})
_NO_CONTENT = 204


def classify_answer(response: Response) -> VendorError | None:
    """Judge an answer by its status, and a refusal by its words."""
    refusal, status = classify_call(response), response.status
    if refusal is None:
        if status == _NO_CONTENT or isinstance(response.data, dict | list):
            return None
        return TransientError(
            f"{status}: the answer is not one of Retell's; is base_url right?", status=status, unsure=True
        )
    if isinstance(refusal, NeedsHumanError):
        return NeedsHumanError(f"{refusal}; {_MONEY if status == 402 else _KEYS}", status=status)
    return read_refusal(refusal, response, _READINGS) if status in _REFUSED else refusal


def is_missing(response: Response) -> bool:
    """Tell whether an answer says that there is no such call: Retell says so by 422 as well."""
    data = response.data if isinstance(response.data, dict) else {}
    says_so = response.status in _REFUSED and _MISSING.search(str(data.get("message")))
    return response.status == 404 or bool(says_so)
