"""Standard Webhooks (standardwebhooks.com), also under Svix's names: signing what goes out, verifying what comes in.

Signed is ``{id}.{timestamp}.{raw body}`` with HMAC-SHA256; the header holds one or several signatures, ``v1,<base64>``.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime, timedelta

from mainstay.errors import NotAuthenticError
from mainstay.kit.signature import equal, from_epoch, hmac_base64, require_fresh, require_header, sha256_hex
from mainstay.model import RawRequest

PREFIX = "whsec_"
TOLERANCE = timedelta(minutes=5)
MAX_KEY = 200


def require_whole(secret: str) -> None:
    """Refuse a secret that begins with ``whsec_`` and does not go on in base64.

    Raises:
        ValueError: worded for a setting.
    """
    if secret.startswith(PREFIX):
        try:
            base64.b64decode(secret.removeprefix(PREFIX), validate=True)
        except binascii.Error:
            message = "a secret that begins with whsec_ should go on in base64: copy it again, whole"
            raise ValueError(message) from None


def sign(secrets: Sequence[str], message_id: str, sent_at: datetime, body: bytes) -> dict[str, str]:
    """Return the headers of a message; with several secrets each signs, so that the receiver may change over."""
    timestamp = str(int(sent_at.timestamp()))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_signatures(secrets, message_id, timestamp, body)),
    }


def verify(request: RawRequest, secrets: Sequence[str], names: str = "webhook") -> None:
    """Check signature and age; ``names`` is what the headers' names begin with, ``webhook`` or ``svix``.

    Raises:
        NotAuthenticError: a header is missing, no signature fits any secret, or it is older than five minutes.
    """
    message_id, timestamp, given = (
        require_header(request.headers.get(f"{names}-{part}"), f"{names}-{part}")
        for part in ("id", "timestamp", "signature")
    )
    expected = _signatures(secrets, message_id, timestamp, request.body)
    matches = [equal(one, other) for one in given.split() for other in expected]
    if not any(matches):
        raise NotAuthenticError(f"the signature in {names}-signature does not fit: another secret, or a changed body")
    require_fresh(from_epoch(timestamp), request.received_at, TOLERANCE)


def message_id(request: RawRequest, names: str = "webhook") -> str:
    """Return the sender's id of a message, the same over its re-sends; a very long one as its hash."""
    given = request.headers.get(f"{names}-id", "").strip()
    return given if len(given) <= MAX_KEY else sha256_hex(given.encode(errors="surrogatepass"))


def _signatures(secrets: Sequence[str], message_id: str, timestamp: str, body: bytes) -> list[str]:
    message = f"{message_id}.{timestamp}.".encode(errors="surrogatepass") + body
    return [f"v1,{hmac_base64(key_of(secret), message)}" for secret in secrets]


def key_of(secret: str) -> bytes:
    """Return the bytes that a secret signs with; never log what this gives."""
    if secret.startswith(PREFIX):
        return base64.b64decode(secret.removeprefix(PREFIX))
    return secret.encode()
