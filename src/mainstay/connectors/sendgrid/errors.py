"""What SendGrid's errors mean: ``{errors: [{message, field, help}]}``.

Source: docs.sendgrid.com, mail/send, errors.
"""

from __future__ import annotations

import time

from mainstay.kit import NeedsHumanError, PermanentError, Response, TransientError, VendorError, classify

_KEY = "put an API key with Mail Send into the connection (Settings > API Keys)"
_CREDITS = "raise the plan, or wait for the new period"
_SENDER = "verify the sender or its domain (Settings > Sender Authentication), or give the key Mail Send"
_UNAUTHORISED, _TOO_MANY = 401, 429
_JUDGED, _TAKEN = 200, 202
_LONGEST_WAIT = 3_600.0


def classify_answer(response: Response) -> VendorError | None:
    """Judge an answer by its status; a 401 may mean that the month's mails are used up."""
    refusal = classify(response)
    if refusal is None:
        # Taken is 202, judged in sandbox mode is 200; both are empty. A proxy's page is neither.
        if response.status == _TAKEN or (response.status == _JUDGED and not response.body):
            return None
        text = f"{response.status}: the answer is not one of SendGrid's; is base_url right?"
        return TransientError(text, status=response.status, unsure=True)
    status, said = response.status, _said(response)
    text = f"SendGrid {status}: {said}" if said else str(refusal)
    if isinstance(refusal, TransientError):
        wait = refusal.retry_after if refusal.retry_after is not None else _wait(response)
        return TransientError(text, status=status, retry_after=wait, unsure=refusal.unsure)
    if isinstance(refusal, NeedsHumanError):
        mend = _SENDER if status != _UNAUTHORISED else _CREDITS if "credits" in said.lower() else _KEY
        return NeedsHumanError(f"{text}; {mend}", status=status)
    return PermanentError(text, status=status)


def _said(response: Response) -> str:
    errors = response.data.get("errors") if isinstance(response.data, dict) else None
    if not isinstance(errors, list):
        return ""
    told = [each for each in errors if isinstance(each, dict) and isinstance(each.get("message"), str)]
    parts = [f"{each['message']} ({each['field']})" if each.get("field") else each["message"] for each in told]
    return "; ".join(parts)[:300]


def _wait(response: Response) -> float | None:
    """Return the seconds until the moment that ``X-RateLimit-Reset`` names."""
    reset = response.headers.get("x-ratelimit-reset", "")
    if response.status != _TOO_MANY or not (reset.isascii() and reset.isdigit()):
        return None
    return min(max(0.0, int(reset[:12]) - time.time()), _LONGEST_WAIT)
