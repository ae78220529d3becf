"""What Linear's errors mean: ``{"errors": [{message, extensions: {code, type, userPresentableMessage}}]}``.

They come with status 400, and with 200. Sources: linear.app/developers/rate-limiting; the types of errors as in
github.com/linear/linear packages/sdk/src/error.ts, which writes them in other letters than the API's codes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mainstay.kit import NeedsHumanError, PermanentError, Response, TransientError, VendorError, classify

WAIT = 10.0
_TRANSIENT = frozenset({"internalerror", "internalservererror", "locktimeout", "networkerror"})
_KEY = (
    "put a valid API key (Settings > Account > Security & access) into the connection, "
    "or give the app access once more: mainstay connect NAME"
)
_HUMAN = {
    "authenticationerror": _KEY,
    "forbidden": "give the key's owner access to this team, and the key the permission to write",
    "featurenotaccessible": "this workspace's plan does not have what was asked for: put it on another, or do without",
    "usagelimitexceeded": "the workspace is at its plan's limit of issues: put it on another, or archive some",
}
_STATUS_CODES = {401: "authenticationerror", 403: "forbidden"}
# What Linear calls the hour in which its buckets fill.
_MOST_WAIT = 3600.0


class InternalError(TransientError):
    """Linear's own word that it broke: what was asked for may stand."""


def classify_answer(response: Response) -> VendorError | None:
    """Judge an answer by its errors, whatever its status says."""
    refusal = classify(response)
    data = response.data if isinstance(response.data, dict) else {}
    errors = data.get("errors")
    error = next((each for each in errors if isinstance(each, dict)), None) if isinstance(errors, list) else None
    if error is not None:
        return _by_code(response, error)
    if refusal is not None:
        code = _STATUS_CODES.get(response.status, "")
        if isinstance(refusal, NeedsHumanError) and code:
            return NeedsHumanError(f"{refusal}; {_HUMAN[code]}", status=response.status)
        if response.status == 429:
            return _too_many(response, str(refusal))
        return refusal
    if isinstance(data.get("data"), dict):
        return None
    text = f"{response.status}: the answer is not one of Linear's; is base_url right?"
    return TransientError(text, status=response.status, unsure=True)


def _by_code(response: Response, error: Mapping[str, Any]) -> VendorError:
    extensions = error.get("extensions")
    told: Mapping[str, Any] = extensions if isinstance(extensions, dict) else {}
    names = [name for key in ("code", "type") if isinstance(name := told.get(key), str)]
    codes = {"".join(filter(str.isalnum, name)).lower() for name in names}
    if not codes and response.status in _STATUS_CODES:
        codes = {_STATUS_CODES[response.status]}
    said = told.get("userPresentableMessage") or error.get("message") or "no message"
    text = f"Linear: {str(said)[:300]}"
    status = response.status
    if "ratelimited" in codes or status == 429:
        return _too_many(response, text)
    for code, mend in _HUMAN.items():
        if code in codes:
            return NeedsHumanError(f"{text}; {mend}", status=status)
    if codes & _TRANSIENT or status >= 500:
        return InternalError(text, status=status, retry_after=response.retry_after, unsure=status != 503)
    return PermanentError(text, status=status)


def _too_many(response: Response, text: str) -> TransientError:
    """Wait until the bucket that is empty fills, which the headers tell in milliseconds since 1970."""
    waits = [response.retry_after] if response.retry_after is not None else []
    for bucket in () if waits else ("requests", "complexity", "endpoint-requests"):
        left = response.headers.get(f"x-ratelimit-{bucket}-remaining", "")
        try:
            resets = float(response.headers.get(f"x-ratelimit-{bucket}-reset", ""))
        except ValueError:
            continue
        if math.isfinite(resets) and not left.strip().lstrip("0"):
            waits.append(min(max(0.0, resets / 1000 - response.moment.timestamp()), _MOST_WAIT))
    return TransientError(text, status=response.status, retry_after=max(waits, default=WAIT))


def may_be_taken(refusal: VendorError) -> bool:
    """Tell whether a refusal may mean that the id we gave is there already: how Linear words that is not documented."""
    return isinstance(refusal, PermanentError | InternalError)
