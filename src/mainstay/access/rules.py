"""What a token endpoint's answer means, and when a token is due. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from mainstay.errors import NeedsHumanError, PermanentError, TransientError, VendorError
from mainstay.kit.oauth import OAuth

MARGIN = timedelta(minutes=5)
"""So long before its end a token is renewed at the latest; of one that lives less than 50 minutes, a tenth."""
HAIR = timedelta(seconds=5)
"""A token so near its end would end under way."""
_LONGEST = 10 * 366 * 86_400
_SECRET = frozenset({"access_token", "refresh_token", "id_token"})
# RFC 6749 first; the others are HubSpot's own.
_ENDED = frozenset({"invalid_grant", "bad_refresh_token", "bad_auth_code"})
_CLIENT = frozenset({"invalid_client", "unauthorized_client", "bad_client_id", "bad_client_secret"})
_FAILED, _TOO_MANY = 500, frozenset({408, 423, 425, 429})


@dataclass(frozen=True, slots=True)
class Grant:
    """What a vendor's token endpoint gave. Lengths are counted from before it was asked; None: without end.

    ``refresh_token`` is empty where the one so far stays; ``is_rolling``: each use of it moves its end. ``answer`` are
    the answer's other values, as texts.
    """

    access_token: str = field(repr=False)
    lifetime: timedelta
    refresh_token: str = field(default="", repr=False)
    refresh_lifetime: timedelta | None = None
    is_rolling: bool = False
    scopes: tuple[str, ...] = ()
    answer: Mapping[str, str] = field(default_factory=dict, repr=False)


class GrantEndedError(NeedsHumanError):
    """The vendor takes a code or a refresh token no longer."""


def read_grant(data: Any, oauth: OAuth) -> Grant:
    """Read a token endpoint's answer.

    Raises:
        PermanentError: it is no such answer.
    """
    if not isinstance(data, dict):
        raise PermanentError("the vendor's token endpoint gave no JSON object")
    token, refresh = data.get("access_token"), data.get("refresh_token") or ""
    if not isinstance(token, str) or not _is_printable(token):
        raise PermanentError("the vendor's token endpoint gave no access_token")
    if not isinstance(refresh, str):
        raise PermanentError("the vendor's token endpoint gave a refresh_token that is no text")
    refreshed_for = _seconds(data.get("x_refresh_token_expires_in", data.get("refresh_token_expires_in")))
    return Grant(
        token,
        _seconds(data.get("expires_in")) or oauth.lifetime,
        refresh,
        refreshed_for or oauth.refresh_lifetime,
        refreshed_for is None,
        _scopes(data.get("scope", data.get("scopes")), oauth.scopes),
        {str(name): _text(value) for name, value in data.items() if name not in _SECRET and value is not None},
    )


def fate_of(status: int, data: Any, retry_after: float | None) -> VendorError | None:
    """Say what a token endpoint's answer means; None where it gave what it was asked for."""
    if status < 300:
        return None
    told = data if isinstance(data, dict) else {}
    named = (told.get(key) for key in ("error", "status", "error_description", "message", "msg"))
    words = [_text(value) for value in named if value]
    codes = {word.lower() for word in words}
    text = f"{status}: {': '.join(words)[:300] or 'no reason given'}"
    if status in _TOO_MANY or status >= _FAILED:
        return TransientError(f"its token endpoint answered {text}", status=status, retry_after=retry_after)
    if codes & _CLIENT:
        return NeedsHumanError(f"it does not take client_id and client_secret ({text})", status=status)
    if codes & _ENDED or _speaks_of_the_token(text):
        return GrantEndedError(f"it takes the authorisation no longer ({text})", status=status)
    return NeedsHumanError(f"its token endpoint refused ({text})", status=status)


def due_after(lifetime: timedelta) -> timedelta:
    """Return how long a token is used before it is renewed."""
    return max(lifetime - min(MARGIN, lifetime / 10), timedelta())


def merged(before: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """Return facts after a renewal, whose answer may say less than the first."""
    return {**before, **{name: value for name, value in new.items() if value}}


def _speaks_of_the_token(text: str) -> bool:
    words = text.lower()
    return "refresh token" in words and any(word in words for word in ("invalid", "expired", "revoked", "not found"))


def _is_printable(token: str) -> bool:
    # It becomes a header.
    return bool(token) and token.isascii() and token.isprintable() and " " not in token


def _seconds(value: Any) -> timedelta | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return timedelta(seconds=min(seconds, _LONGEST)) if math.isfinite(seconds) and seconds > 0 else None


def _scopes(value: Any, asked: tuple[str, ...]) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(map(_text, value))
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) and value.strip() else asked


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)
