"""What Stripe's errors mean: ``{"error": {type, code, decline_code, param, message}}``.

Source: docs.stripe.com/error-codes, docs.stripe.com/api/errors, docs.stripe.com/api/idempotent_requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainstay.kit import NeedsHumanError, PermanentError, Response, TransientError, VendorError, classify

_KEY = "put a restricted key (rk_...) or the secret key (sk_...) of this account into the connection's api_key"
_PERMISSION = "give the key this permission in Stripe (Developers > API keys), or use another key"
_ACTIVATE = "finish the account's activation in Stripe's Dashboard"
_HUMAN = {
    "account_closed": _ACTIVATE,
    "account_invalid": "compare the connection's account (acct_...) with the Dashboard's",
    "api_key_expired": _KEY,
    "livemode_mismatch": _KEY,
    "more_permissions_required": _PERMISSION,
    "platform_api_key_expired": _KEY,
    "secret_key_required": _KEY,
    "testmode_charges_only": _ACTIVATE,
}
_MEND = {
    "amount_too_large": "make several invoices of it",
    "amount_too_small": "Stripe takes about half a dollar at least",
    "email_invalid": "correct the contact's e-mail address",
    "invoice_not_editable": "it was finalised meanwhile: retry, and it is found",
}
_TRANSIENT = frozenset({"idempotency_key_in_use", "lock_timeout", "rate_limit"})
_OTHER_MODE = "similar object exists in"
_CONFLICT, _PAYMENT, _UNAUTHORISED, _FORBIDDEN, _TOO_MANY, _SERVER = 409, 402, 401, 403, 429, 500


class MissingError(PermanentError):
    """What the call names is not there (any more)."""


class KeyTakenError(PermanentError):
    """The idempotency key was used a moment ago, with other content."""


class StaleKeyError(TransientError):
    """Stripe repeats, for this idempotency key, how an earlier try broke: another key is needed after a look."""


def classify_answer(response: Response) -> VendorError | None:
    """Judge an answer by its error's code and type, else by its status."""
    refusal = classify(response)
    data = response.data if isinstance(response.data, dict) else {}
    if refusal is None:
        if isinstance(data.get("object"), str):
            return None
        text = f"{response.status}: the answer is not one of Stripe's; is base_url right?"
        return TransientError(text, status=response.status, unsure=True)
    error = data.get("error")
    return _judge(response, refusal, error if isinstance(error, dict) else {})


def _judge(response: Response, refusal: VendorError, error: Mapping[str, Any]) -> VendorError:
    status, code = response.status, _word(error.get("code"))
    kind = _word(error.get("type"))
    message = error.get("message")
    text = f"Stripe {code or kind or status}: {str(message)[:300] if message else 'no message'}"
    if not error:
        text = str(refusal)
    return _transient(response, refusal, text, code) or _permanent(status, text, code, kind)


def _transient(response: Response, refusal: VendorError, text: str, code: str) -> VendorError | None:
    status = response.status
    if status >= _SERVER and response.headers.get("idempotent-replayed") == "true":
        return StaleKeyError(text, status=status, retry_after=5.0)
    if isinstance(refusal, TransientError):
        return TransientError(text, status=status, retry_after=refusal.retry_after, unsure=refusal.unsure)
    if code in _TRANSIENT or status == _CONFLICT or response.headers.get("stripe-should-retry") == "true":
        return TransientError(text, status=status, retry_after=response.retry_after or 2.0)
    return None


def _permanent(status: int, text: str, code: str, kind: str) -> VendorError:
    if kind == "idempotency_error":
        return KeyTakenError(text, status=status)
    if code == "resource_missing":
        if _OTHER_MODE in text:
            return NeedsHumanError(f"{text}; use the key of that mode", status=status)
        return MissingError(text, status=status)
    if mend := _human(status, code, kind):
        return NeedsHumanError(f"{text}; {mend}", status=status)
    mend = _MEND.get(code, "")
    return PermanentError(f"{text}; {mend}" if mend else text, status=status)


def _human(status: int, code: str, kind: str) -> str:
    """Return how a person mends it; empty where none can."""
    if code in _HUMAN:
        return _HUMAN[code]
    if status == _UNAUTHORISED:
        return _KEY
    if status == _FORBIDDEN:
        return _PERMISSION
    if status == _PAYMENT and kind != "card_error":
        return "see the account in Stripe's Dashboard"
    return ""


def _word(value: object) -> str:
    return value[:60] if isinstance(value, str) else ""
