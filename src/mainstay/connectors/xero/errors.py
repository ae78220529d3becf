"""What Xero's errors mean: ``{ErrorNumber, Type, Message, Elements: [{ValidationErrors: [{Message}]}]}``.

What is refused of one element may come with status 200 too, inside it. Source: Xero's OpenAPI file (Error);
developer.xero.com: limits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mainstay.kit import NeedsHumanError, PermanentError, Response, TransientError, VendorError, classify

_RECONNECT = "connect the organisation again (mainstay connect NAME)"
_DISCONNECTED = f"the organisation is disconnected, or the app may not do this: {_RECONNECT}, and compare tenant_id"
# By which limit was reached; Xero's own Retry-After goes before.
_WAITS = {"concurrent": 2.0, "minute": 60.0, "appminute": 60.0, "day": 3600.0}
_MOST_SAID = 5


class RefusedError(PermanentError):
    """Xero refused what it was sent. ``said`` are its reasons, one for each."""

    def __init__(self, message: str, *, status: int | None = None, said: tuple[str, ...] = ()) -> None:
        super().__init__(message, status=status)
        self.said = said

    def says(self, *words: str) -> bool:
        """Tell whether one of the reasons has all these words in it."""
        return any(all(word in reason.lower() for word in words) for reason in self.said)


def classify_answer(response: Response) -> VendorError | None:
    """Judge an answer by its status, and say what Xero says; a success is JSON."""
    refusal = classify(response)
    data = response.data
    if refusal is None:
        if isinstance(data, dict | list):
            return None
        text = f"{response.status}: the answer is not one of Xero's; is base_url right?"
        return TransientError(text, status=response.status, unsure=True)
    said = reasons_in(data)
    text = f"Xero {response.status}: {'; '.join(said) or str(refusal).partition(': ')[2]}"[:400]
    if response.status == 429:
        return _throttled(response, text)
    if response.status == 401:
        return NeedsHumanError(f"{text}; the token is not valid any more: {_RECONNECT}", status=401)
    if response.status == 403:
        return NeedsHumanError(f"{text}; {_DISCONNECTED}", status=403)
    if isinstance(refusal, PermanentError):
        return RefusedError(text, status=response.status, said=said)
    return refusal


def refusal_in(element: Any, status: int) -> RefusedError | None:
    """Return why one element was not written though the whole was answered with 200; None where it was."""
    said = tuple(_validation(element)) if isinstance(element, dict) else ()
    is_wrong = isinstance(element, dict) and (
        element.get("HasValidationErrors") is True or element.get("StatusAttributeString") == "ERROR"
    )
    if not said and not is_wrong:
        return None
    return RefusedError(f"Xero: {'; '.join(said) or 'not taken, without a reason'}"[:400], status=status, said=said)


def reasons_in(data: Any) -> tuple[str, ...]:
    """Return what an error says: its elements' reasons, else its own words."""
    if not isinstance(data, dict):
        return ()
    elements = data.get("Elements")
    said = [reason for each in (elements if isinstance(elements, list) else []) for reason in _validation(each)]
    if not said:
        said = [text for key in ("Message", "Detail", "Title") if isinstance(text := data.get(key), str) and text][:1]
    return tuple(dict.fromkeys(said))[:_MOST_SAID]


def _validation(element: Any) -> Iterator[str]:
    errors = element.get("ValidationErrors") if isinstance(element, dict) else None
    for error in errors if isinstance(errors, list) else []:
        message = error.get("Message") if isinstance(error, dict) else None
        if isinstance(message, str) and message.strip():
            yield message.strip()


def _throttled(response: Response, text: str) -> TransientError:
    limit = response.headers.get("x-rate-limit-problem", "").lower()
    wait = response.retry_after
    words = f"{text}; the limit of {limit} is reached" if limit in _WAITS else text
    return TransientError(words, status=429, retry_after=_WAITS.get(limit, 60.0) if wait is None else wait)
