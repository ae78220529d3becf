"""What Google's refusals mean: ``{error: {code, message, status, details: [{reason}]}}``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mainstay.kit import NeedsHumanError, PermanentError, Response, TransientError, VendorError, classify

# Quotas refill each minute.
USUAL_WAIT = 20.0
_CONSOLE = "console.cloud.google.com > APIs & Services > Library > Google Sheets API > Enable"
_MEND = {
    401: "connect the account again, or replace the service account's key",
    403: "share the spreadsheet with {who} as Editor, and let it into protected sheets and ranges",
    404: "compare spreadsheet_id with the address, and share the spreadsheet with {who}",
}
_RATE = frozenset({"RATE_LIMIT_EXCEEDED", "rateLimitExceeded", "userRateLimitExceeded"})


def classifier(who: str) -> Callable[[Response], VendorError | None]:
    """Return how answers are judged; ``who`` is the account that the spreadsheet must be shared with."""

    def judge(response: Response) -> VendorError | None:
        refusal = classify(response)
        if refusal is None:
            if isinstance(response.data, dict):
                return None
            text = f"{response.status}: the answer is not one of Google's; is base_url right?"
            return TransientError(text, status=response.status, unsure=True)
        return _refused(response, refusal, who)

    return judge


def _refused(response: Response, refusal: VendorError, who: str) -> VendorError:
    error = response.data.get("error") if isinstance(response.data, dict) else None
    known: Mapping[str, Any] = error if isinstance(error, dict) else {}
    status, reasons = str(known.get("status") or ""), _reasons(known)
    text = f"{response.status} {status}: {str(known.get('message') or 'no message')[:300]}" if known else str(refusal)
    code = response.status
    if code == 429 or status == "RESOURCE_EXHAUSTED" or reasons & _RATE:
        wait = USUAL_WAIT if response.retry_after is None else response.retry_after
        return TransientError(text, status=code, retry_after=wait)
    if isinstance(refusal, TransientError):
        return refusal
    mend = _MEND.get(code, "")
    if code == 403 and reasons & {"SERVICE_DISABLED", "accessNotConfigured"}:
        mend = f"switch the API on: {_CONSOLE}"
    if mend or isinstance(refusal, NeedsHumanError):
        return NeedsHumanError(f"{text}; {mend.format(who=who)}" if mend else text, status=code)
    return PermanentError(text, status=code)


def _reasons(error: Mapping[str, Any]) -> set[str]:
    found = set()
    for name in ("details", "errors"):
        entries = error.get(name)
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict) and isinstance(entry.get("reason"), str):
                found.add(entry["reason"])
    return found
