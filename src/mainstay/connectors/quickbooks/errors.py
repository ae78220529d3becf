"""What QuickBooks' error codes mean: ``{"Fault": {"Error": [{"Message", "Detail", "code"}], "type"}}``.

Such an answer comes with a status of its own, and now and then with 200; the gateway before it writes ``fault`` and
``error`` in small letters. Source: Intuit's XSD (Fault); developer.intuit.com: error codes; limits and throttles.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainstay.kit import NeedsHumanError, PermanentError, Response, TransientError, VendorError, classify

NOT_FOUND, STALE, DUPLICATE_NAME, DUPLICATE_NUMBER = "610", "5010", "6240", "6140"
WAIT_SECONDS = 60.0
_RECONNECT = "connect the company again (mainstay connect NAME), as somebody who may see its books"
_HUMAN = {
    "100": _RECONNECT,
    "120": _RECONNECT,
    "3100": _RECONNECT,
    "3200": "the token is not valid any more: connect the company again (mainstay connect NAME)",
    "5020": "the person who connected it has no right to this: connect it as somebody who has",
    "6190": "the company's subscription has ended or is paused: see QuickBooks, Account and settings, Billing",
    "6210": "the books of that day are closed: choose a later date, or open them in QuickBooks",
}
_MEND = {
    "2500": "a product, tax code or account of that id is not in this company",
    DUPLICATE_NUMBER: "another invoice has this number already",
    DUPLICATE_NAME: "a customer, vendor or employee has this name already",
}
# 3001 and 3003: too many calls; 10000: an error of theirs.
_TRANSIENT = frozenset({"3001", "3003", "10000"})
_THROTTLED = "throttleexceeded"


class RefusedError(PermanentError):
    """QuickBooks refused a call. ``code`` is its error's code."""

    def __init__(self, message: str, *, status: int | None = None, code: str = "") -> None:
        super().__init__(message, status=status)
        self.code = code


def classify_answer(response: Response) -> VendorError | None:
    """Judge an answer by its fault, else by its status; a success is JSON."""
    fault = _fault(response.data)
    if fault is not None:
        return _by_code(response, fault)
    refusal = classify(response)
    if refusal is None and not isinstance(response.data, dict):
        text = f"{response.status}: the answer is not one of QuickBooks'; is base_url right?"
        return TransientError(text, status=response.status, unsure=True)
    if isinstance(refusal, TransientError) and response.status == 429:
        return _throttled(response, str(refusal))
    return refusal


def _fault(data: Any) -> Mapping[str, Any] | None:
    fault = (data.get("Fault") or data.get("fault")) if isinstance(data, dict) else None
    return fault if isinstance(fault, dict) else None


def _by_code(response: Response, fault: Mapping[str, Any]) -> VendorError:
    errors = fault.get("Error") or fault.get("error")
    first = next((each for each in errors if isinstance(each, dict)), {}) if isinstance(errors, list) else {}
    code = str(first.get("code") or "").lstrip("0")[:20]
    said = [str(first.get(key) or first.get(key.lower()) or "").strip() for key in ("Message", "Detail")]
    words = "; ".join(dict.fromkeys(filter(None, said)))[:400] or "no message"
    text = f"QuickBooks {code or response.status}: {words}"
    kind = str(fault.get("type") or "").lower()
    if response.status == 429 or _THROTTLED in words.replace(" ", "").lower():
        return _throttled(response, text)
    if mend := _HUMAN.get(code):
        return NeedsHumanError(f"{text}; {mend}", status=response.status)
    if code in _TRANSIENT or "system" in kind or response.status >= 500:
        return TransientError(text, status=response.status, retry_after=response.retry_after, unsure=True)
    if "auth" in kind or response.status in {401, 403}:
        return NeedsHumanError(f"{text}; {_RECONNECT}", status=response.status)
    mend = _MEND.get(code)
    return RefusedError(f"{text}; {mend}" if mend else text, status=response.status, code=code)


def _throttled(response: Response, text: str) -> TransientError:
    wait = response.retry_after
    return TransientError(text, status=response.status, retry_after=WAIT_SECONDS if wait is None else wait)
