"""How a system that we gave a secret proves that it has it: by a signature, or by sending it along."""

from __future__ import annotations

from mainstay.errors import NotAuthenticError
from mainstay.kit import standard_webhooks
from mainstay.kit.secrets import Secrets, is_one_of, plain
from mainstay.kit.signature import sha256_hex
from mainstay.model import RawRequest

SECRET_HEADERS = ("authorization", "x-webhook-secret")
SECRET_PARAMS = ("secret",)


def require_proof(request: RawRequest, secrets: Secrets) -> str:
    """Check the signature (Standard Webhooks) where there is one, else the shared secret; returns which it was.

    Raises:
        NotAuthenticError: neither is there, or it does not fit.
    """
    if "webhook-signature" in request.headers:
        standard_webhooks.verify(request, plain(secrets))
        return "signature ok"
    given = request.headers.get("x-webhook-secret", "")
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if not given and scheme.lower() == "bearer":
        given = token.strip()
    given = given or request.query.get("secret", "")
    if not given:
        raise NotAuthenticError(
            "the secret is missing: sign by Standard Webhooks, or send it as the header x-webhook-secret, "
            "as Authorization: Bearer, or as the parameter secret"
        )
    if not is_one_of(given, secrets):
        raise NotAuthenticError("the secret that was sent is not this source's")
    return "shared secret ok"


def sent_key(request: RawRequest) -> str:
    """Return ``webhook-id``, else ``Idempotency-Key``; a very long one as its hash, empty where there is neither."""
    if key := standard_webhooks.message_id(request):
        return key
    key = request.headers.get("idempotency-key", "").strip()
    return key if len(key) <= standard_webhooks.MAX_KEY else sha256_hex(key.encode(errors="surrogatepass"))
