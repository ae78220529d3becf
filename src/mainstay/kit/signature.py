"""Checks of webhook signatures, in constant time, over the raw body."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

from mainstay.errors import NotAuthenticError


def hmac_hex(secret: str, message: bytes, algorithm: str = "sha256") -> str:
    """Return the lower-case hex HMAC of ``message``."""
    return hmac.digest(secret.encode(), message, algorithm).hex()


def hmac_base64(secret: str | bytes, message: bytes, algorithm: str = "sha256") -> str:
    """Return the base64 HMAC of ``message``."""
    key = secret.encode() if isinstance(secret, str) else secret
    return base64.b64encode(hmac.digest(key, message, algorithm)).decode()


def sha256_hex(message: bytes) -> str:
    """Return the lower-case hex SHA-256 of ``message``."""
    return hashlib.sha256(message).hexdigest()


def equal(given: str, expected: str) -> bool:
    """Compare in constant time; any text is safe to pass."""
    return hmac.compare_digest(given.encode(errors="surrogatepass"), expected.encode(errors="surrogatepass"))


def require_header(value: str | None, name: str) -> str:
    """Return the header's value, or raise NotAuthenticError that names it."""
    if not value:
        raise NotAuthenticError(f"the header {name} is missing")
    return value


def require_fresh(sent_at: datetime, received_at: datetime, tolerance: timedelta) -> None:
    """Raise NotAuthenticError when a signed time lies further than ``tolerance`` from the arrival."""
    if abs(received_at - sent_at) > tolerance:
        raise NotAuthenticError(
            f"the signed time {sent_at:%Y-%m-%d %H:%M:%S} UTC is more than {int(tolerance.total_seconds())} s off"
        )


def from_epoch(value: str | int, *, milliseconds: bool = False) -> datetime:
    """Read epoch seconds (or milliseconds) as an aware time; raise NotAuthenticError when it is no such number."""
    try:
        number = int(value)
        return datetime.fromtimestamp(number / 1000 if milliseconds else number, UTC)
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise NotAuthenticError("the signed time is not a time") from error
