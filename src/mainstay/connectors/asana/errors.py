"""What Asana's errors mean: ``{"errors": [{message, help, phrase}]}``. Source: the contract asana.json."""

from __future__ import annotations

from mainstay.kit import NeedsHumanError, PermanentError, Response, TransientError, VendorError, classify

WAIT = 10.0
_MEND = {
    401: "put a valid token into the connection, or give the app access once more: mainstay connect NAME",
    402: "the workspace's plan does not have this: put it on another, or do without",
    403: "give the token's owner access to the workspace and the project",
}


def classify_answer(response: Response) -> VendorError | None:
    """Judge an answer by its status; a success has ``data``."""
    refusal = classify(response)
    status = response.status
    if refusal is None:
        if isinstance(response.data, dict) and isinstance(response.data.get("data"), dict | list):
            return None
        text = f"{status}: the answer is not one of Asana's; is base_url right?"
        return TransientError(text, status=status, unsure=True)
    said = _said(response)
    text = f"Asana {status}: {said}" if said else str(refusal)
    if isinstance(refusal, NeedsHumanError):
        return NeedsHumanError(f"{text}; {_MEND[status]}", status=status)
    if isinstance(refusal, TransientError):
        wait = response.retry_after
        if status == 429 and wait is None:
            wait = WAIT
        return TransientError(text, status=status, retry_after=wait, unsure=refusal.unsure)
    return PermanentError(text, status=status)


def _said(response: Response) -> str:
    errors = response.data.get("errors") if isinstance(response.data, dict) else None
    found = [each for each in errors if isinstance(each, dict)] if isinstance(errors, list) else []
    words = [str(each.get("message") or each.get("phrase") or "") for each in found]
    return "; ".join(filter(None, words))[:300]
