"""Google's token endpoint: a service account's signed statement, or a refresh token, for an access token."""

from __future__ import annotations

import base64
import binascii
import time

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from mainstay.sandbox.wire import FORM, Json, Reply, Request, answer

BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LIFETIME = 3599
_LONGEST = 3600
_SKEW = 5


class Tokens:
    """The tokens given out; ``given`` has each with whose it is."""

    def __init__(self) -> None:
        """Start with none."""
        self.given: list[dict[str, Json]] = []
        self._ends: dict[str, float] = {}

    def is_good(self, token: str) -> bool:
        """Tell whether a token was given out and has not ended."""
        return self._ends.get(token, 0.0) > time.time()

    def handle(self, request: Request, accounts: dict[str, str] | None) -> Reply:
        """Answer ``POST /token``."""
        form = request.form() if request.content_type == FORM else {}
        grant = form.get("grant_type", "")
        if grant == BEARER:
            who, problem = _read(form.get("assertion", ""), accounts)
            if problem:
                return answer(400, {"error": "invalid_grant", "error_description": problem})
            return self._give(who, {})
        if grant in {"refresh_token", "authorization_code"}:
            token = form.get("refresh_token") or form.get("code") or ""
            if not form.get("client_id") or not form.get("client_secret"):
                return answer(401, {"error": "invalid_client", "error_description": "Unauthorized"})
            if not token or token.startswith(("revoked", "expired", "invalid")):
                description = "Token has been expired or revoked."
                return answer(400, {"error": "invalid_grant", "error_description": description})
            # Google gives no new refresh token when one is used.
            first = {"refresh_token": f"1//{len(self.given)}"} if grant == "authorization_code" else {}
            return self._give(form["client_id"], first)
        return answer(400, {"error": "unsupported_grant_type", "error_description": f"Invalid grant_type: {grant}"})

    def _give(self, who: str, more: dict[str, str]) -> Reply:
        token = f"ya29.sandbox-{len(self.given) + 1}"
        self.given.append({"for": who, "token": token})
        self._ends[token] = time.time() + LIFETIME
        return answer(200, {"access_token": token, "expires_in": LIFETIME, "token_type": "Bearer", **more})


def _read(assertion: str, accounts: dict[str, str] | None) -> tuple[str, str]:
    """Return whose statement it is, and what is wrong with it."""
    head, _, signature = assertion.rpartition(".")
    try:
        header, claims = (orjson.loads(_bytes(part)) for part in head.split("."))
        signed = _bytes(signature)
    except (ValueError, binascii.Error):
        return "", "Invalid JWT: it has not three parts"
    if not isinstance(header, dict) or not isinstance(claims, dict) or header.get("alg") != "RS256":
        return "", "Invalid JWT Signature."
    who, now = str(claims.get("iss") or ""), time.time()
    began, ends = claims.get("iat"), claims.get("exp")
    began, ends = (each if isinstance(each, int) else 0 for each in (began, ends))
    if began > now + _SKEW or not now < ends <= began + _LONGEST:
        problem = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."
        return who, problem
    if not str(claims.get("aud") or "").endswith("/token") or "spreadsheets" not in str(claims.get("scope")):
        return who, "Invalid JWT: aud or scope is not right"
    if accounts is not None:
        key = load_pem_public_key(accounts[who].encode()) if who in accounts else None
        if not isinstance(key, RSAPublicKey):
            return who, "Invalid grant: account not found"
        try:
            key.verify(signed, head.encode(), padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return who, "Invalid JWT Signature."
    return who, ""


def _bytes(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
