"""How Stripe's events are proven and told apart.

Source: docs.stripe.com/webhooks; the signature as in github.com/stripe/stripe-python, stripe/_webhook.py.
"""

from __future__ import annotations

from datetime import timedelta

from mainstay.connectors.stripe.settings import StripeSource
from mainstay.kit import NotAuthenticError, RawRequest
from mainstay.kit.payload import object_in, text
from mainstay.kit.secrets import plain
from mainstay.kit.signature import equal, from_epoch, hmac_hex, require_fresh, require_header

TOLERANCE = timedelta(minutes=5)
HEADER = "Stripe-Signature"
_MOST_PARTS = 32


def verify(request: RawRequest, settings: StripeSource) -> str:
    """Check ``t=..,v1=..[,v1=..]``: HMAC-SHA256 over time and body; any v1 by any secret, within five minutes."""
    given = require_header(request.headers.get(HEADER.lower()), HEADER)
    parts = [part.strip().partition("=") for part in given.split(",", _MOST_PARTS)[:_MOST_PARTS]]
    stamp = next((value for name, _, value in parts if name == "t"), "")
    signatures = [value for name, _, value in parts if name == "v1"]
    if not stamp or not signatures:
        raise NotAuthenticError(f"{HEADER} has no time (t=) and signature of scheme v1")
    message = stamp.encode(errors="surrogatepass") + b"." + request.body
    expected = [hmac_hex(secret, message) for secret in plain(settings.secret)]
    if not any(equal(signature, each) for signature in signatures for each in expected):
        raise NotAuthenticError(
            f"{HEADER} does not fit: compare secret with the signing secret of this very endpoint in Stripe's Dashboard"
        )
    require_fresh(from_epoch(stamp), request.received_at, TOLERANCE)
    return "signature ok"


def delivery_key(request: RawRequest, _settings: StripeSource) -> str:
    """Return the event's id, which its re-sends share; empty where there is none."""
    return text(object_in(request.body).get("id"))
