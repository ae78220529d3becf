"""What Postmark's error codes mean: ``{ErrorCode, Message}``, mostly with status 422.

Source: postmarkapp.com/developer/api/overview, "API error codes".
"""

from __future__ import annotations

from mainstay.kit import NeedsHumanError, PermanentError, Response, TransientError, VendorError, classify

_HUMAN = {
    10: "put a server API token (Servers > your server > API Tokens) into the connection",
    400: "add the sender under Sender Signatures, or correct `from`",
    401: "confirm the sender: Postmark mailed a link to that address",
    405: "buy credits or raise the plan under Billing",
    412: "the account waits for Postmark's approval: until then it sends only within its own domain",
    413: "Postmark has stopped this account; write to its support",
}
_MAINTENANCE = 100
_TOO_MANY_REQUESTS = 429
_UNAUTHORIZED = 401


def classify_answer(response: Response) -> VendorError | None:
    """Judge an answer by its error code, else by its status."""
    refusal = classify(response)
    if isinstance(refusal, TransientError):
        return refusal
    data = response.data if isinstance(response.data, dict) else {}
    code = data.get("ErrorCode")
    if not isinstance(code, int):
        # A list of messages carries no code, nor does a server's description.
        if refusal is not None or isinstance(data.get("Messages"), list) or "ServerLink" in data or "Color" in data:
            return refusal
        text = f"{response.status}: the answer is not one of Postmark's; is base_url right?"
        return TransientError(text, status=response.status, unsure=True)
    if code == 0:
        return refusal
    text = f"Postmark {code}: {str(data.get('Message') or 'no message')[:300]}"
    if code in {_MAINTENANCE, _TOO_MANY_REQUESTS}:
        return TransientError(text, status=response.status, retry_after=response.retry_after)
    if code in _HUMAN or response.status == _UNAUTHORIZED:
        return NeedsHumanError(f"{text}; {_HUMAN.get(code, _HUMAN[10])}", status=response.status)
    return PermanentError(text, status=response.status)
