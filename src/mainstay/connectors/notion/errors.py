"""What Notion's errors mean: ``{object: "error", status, code, message, request_id}``.

Source: developers.notion.com/reference/status-codes; 529 and the reasons of 429 from its request limits.
"""

from __future__ import annotations

from mainstay.kit import NeedsHumanError, PermanentError, Response, TransientError, VendorError, classify

WAIT = 10.0
_MEND = {
    401: "put a valid integration secret into the connection, or connect it again (mainstay connect NAME)",
    402: "the workspace's plan does not have this: put it on another, or do without",
    403: "give the integration what it needs under Capabilities: read, update and insert content, and comments",
}
_CONFLICT = 409


def classify_answer(response: Response) -> VendorError | None:
    """Judge an answer by its status; a success says what object it is."""
    refusal = classify(response)
    status = response.status
    data = response.data if isinstance(response.data, dict) else {}
    if refusal is None:
        if isinstance(data.get("object"), str) and data["object"] != "error":
            return None
        text = f"{status}: the answer is not one of Notion's; is base_url right?"
        return TransientError(text, status=status, unsure=True)
    said, code = data.get("message"), data.get("code")
    known = isinstance(said, str) and isinstance(code, str)
    text = f"Notion {status} {code}: {str(said)[:300]}" if known else str(refusal)
    if isinstance(refusal, NeedsHumanError):
        return NeedsHumanError(f"{text}; {_MEND[status]}", status=status)
    if status == _CONFLICT:
        # Two wrote at once: this one was not done.
        return TransientError(text, status=status, retry_after=response.retry_after)
    if isinstance(refusal, TransientError):
        wait = response.retry_after
        if wait is None and status in {429, 529}:
            wait = WAIT
        return TransientError(text, status=status, retry_after=wait, unsure=refusal.unsure)
    return PermanentError(text, status=status)
