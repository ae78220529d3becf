"""What Resend's errors mean: ``{statusCode, name, message}``.

Source: resend.com/docs/api-reference/errors; its contract file has no errors.
"""

from __future__ import annotations

from mainstay.kit import NeedsHumanError, PermanentError, Response, TransientError, VendorError, classify

ONLY_SENDS = "restricted_api_key"
_KEY = "make a new API key (API Keys > Create) and put it into the connection"
_HUMAN = {
    "missing_api_key": _KEY,
    "invalid_api_key": _KEY,
    ONLY_SENDS: "this key only sends: give one with full access",
    "invalid_from_address": "correct `from`: hello@acme.example or Acme <hello@acme.example>",
    "monthly_quota_exceeded": "raise the plan, or wait for the new month",
    "invalid_access": "give the key access to this domain",
}
_NOT_VERIFIED = "verify the sender's domain under Domains, or correct `from`"
_IN_PROGRESS = "concurrent_idempotent_requests"
_DAILY = "daily_quota_exceeded"
_DAILY_PAUSE = 3_600.0


def name_of(response: Response) -> str:
    """Return the error's name; empty where the answer has none."""
    name = response.data.get("name") if isinstance(response.data, dict) else None
    return name if isinstance(name, str) else ""


def classify_answer(response: Response) -> VendorError | None:
    """Judge an answer by its error's name, else by its status."""
    refusal = classify(response)
    if refusal is None:
        if isinstance(response.data, dict):
            return None
        text = f"{response.status}: the answer is not one of Resend's; is base_url right?"
        return TransientError(text, status=response.status, unsure=True)
    return _refusal(refusal, response)


def _refusal(refusal: VendorError, response: Response) -> VendorError:
    name, status = name_of(response), response.status
    text = f"Resend {name}: {refusal}" if name else str(refusal)
    if name == _IN_PROGRESS:
        # The same mail is being sent: the next try hears what became of it.
        return TransientError(text, status=status, retry_after=response.retry_after, unsure=True)
    if name == _DAILY:
        return TransientError(text, status=status, retry_after=response.retry_after or _DAILY_PAUSE)
    if name in _HUMAN:
        return NeedsHumanError(f"{text}; {_HUMAN[name]}", status=status)
    if isinstance(refusal, NeedsHumanError):
        return NeedsHumanError(f"{text}; {_NOT_VERIFIED if name == 'validation_error' else _KEY}", status=status)
    if isinstance(refusal, PermanentError):
        return PermanentError(text, status=status)
    return refusal
