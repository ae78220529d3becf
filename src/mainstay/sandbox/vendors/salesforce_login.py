"""Salesforce's log-in: codes with their challenge, access tokens, and refresh tokens that may be good but once."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import urlencode

from mainstay.sandbox.wire import Json, Reply, Request, answer, now_iso


class Login:
    """The app's door: everybody who comes to the page agrees at once."""

    def __init__(self) -> None:
        """Nobody has come yet."""
        self._codes: dict[str, tuple[str, str]] = {}
        self._refresh: set[str] = set()
        self._issued = 0

    def handle(self, request: Request, *, rotate: bool, instance_url: str) -> Reply:
        """Answer ``/services/oauth2/authorize`` and ``.../token``."""
        if request.method == "GET" and request.path.endswith("/authorize"):
            return self._authorize(dict(request.query))
        if request.method == "POST" and request.path.endswith("/token"):
            return self._token(request.form(), rotate=rotate, instance_url=instance_url)
        return answer(404, [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}])

    def _authorize(self, asked: dict[str, str]) -> Reply:
        address = asked.get("redirect_uri", "")
        if asked.get("response_type") != "code" or not asked.get("client_id") or not address:
            return answer(400, {"error": "invalid_request", "error_description": "missing required parameter"})
        code = self._make("code")
        self._codes[code] = (address, asked.get("code_challenge", ""))
        query = urlencode({"code": code} | ({"state": asked["state"]} if "state" in asked else {}))
        return Reply(302, headers={"Location": f"{address}?{query}"})

    def _token(self, form: dict[str, str], *, rotate: bool, instance_url: str) -> Reply:
        if not form.get("client_id") or not form.get("client_secret") or form["client_secret"].startswith("wrong"):
            return answer(400, {"error": "invalid_client", "error_description": "invalid client credentials"})
        value: dict[str, Json] = {
            "access_token": "",
            "instance_url": instance_url,
            "id": f"{instance_url}/id/00DHs0000000001MAA/005Hs0000000001IAA",
            "token_type": "Bearer",
            "issued_at": now_iso(),
            "signature": "c2FuZGJveA==",
        }
        match form.get("grant_type"):
            case "authorization_code":
                address, challenge = self._codes.pop(form.get("code", ""), ("", ""))
                if not address or address != form.get("redirect_uri"):
                    return _refused("invalid authorization code")
                if challenge and challenge != _challenge(form.get("code_verifier", "")):
                    return _refused("invalid code verifier")
                value["refresh_token"] = self._grow()
            case "refresh_token":
                given = form.get("refresh_token", "")
                if given not in self._refresh:
                    return _refused("expired access/refresh token")
                if rotate:
                    self._refresh.discard(given)
                    value["refresh_token"] = self._grow()
            case "client_credentials":
                pass
            case _:
                return answer(400, {"error": "unsupported_grant_type", "error_description": "grant type not supported"})
        return answer(200, value | {"access_token": self._make("access")})

    def _grow(self) -> str:
        token = self._make("refresh")
        self._refresh.add(token)
        return token

    def _make(self, kind: str) -> str:
        self._issued += 1
        return f"sandbox-{kind}-{self._issued}"


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _refused(why: str) -> Reply:
    return answer(400, {"error": "invalid_grant", "error_description": why})
