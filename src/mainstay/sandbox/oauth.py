"""What vendors' OAuth 2 servers have in common: a page that agrees at once, and a token endpoint."""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_plus, urlencode

from mainstay.sandbox.state import Ids, token_is_good
from mainstay.sandbox.wire import Json, Reply, Request, answer

_CODE_SECONDS = 60.0


@dataclass(frozen=True)
class OAuthSettings:
    """Settings of a vendor with OAuth.

    ``token_lifetime`` is in seconds. ``token_epoch``: access tokens of an earlier one have ended; raise it to end them
    all now. ``refresh_once``: a refresh token is good for one use, and for others within ``refresh_grace`` seconds of
    it; for its first ``rotates_after`` seconds it stays as it is. ``revoked``: refresh tokens are refused.
    ``wrong_secret`` is a client secret that is refused.
    """

    token_lifetime: float = 1800.0
    token_epoch: int = 0
    refresh_once: bool = False
    refresh_grace: float = 0.0
    rotates_after: float = 0.0
    revoked: bool = False
    wrong_secret: str = "wrong"  # noqa: S105 - a simulator's


class OAuthError(Exception):
    """What the token endpoint refuses: its code by RFC 6749, and words."""

    def __init__(self, code: str, text: str) -> None:
        """Say why."""
        super().__init__(text)
        self.code = code
        self.text = text


@dataclass
class _Code:
    client: str
    redirect_url: str
    challenge: str
    made_at: float = field(default_factory=time.monotonic)


@dataclass
class _Refresh:
    client: str
    made_at: float = field(default_factory=time.monotonic)
    used_at: float = math.inf


class OAuthServer:
    """The codes and tokens that one vendor has given out."""

    def __init__(
        self,
        vendor: str,
        page: str,
        endpoint: str,
        *,
        answer_too: Mapping[str, Json] | None = None,
        without: str = "",
        refusal: Callable[[OAuthError], Reply] | None = None,
    ) -> None:
        """Start with none. ``page`` and ``endpoint`` are paths; ``answer_too`` is what the vendor answers more.

        ``without`` is a key that its answers lack.
        """
        self._page = page
        self._endpoint = endpoint
        self._too = answer_too or {}
        self._without = without
        self._refusal = refusal or _standard_refusal
        self._ids = Ids(f"{vendor}.oauth")
        self._codes: dict[str, _Code] = {}
        self._refresh: dict[str, _Refresh] = {}
        self._access: dict[str, tuple[int, float]] = {}
        self._calls: list[dict[str, Json]] = []

    def handle(
        self,
        request: Request,
        settings: OAuthSettings,
        *,
        send_back: Mapping[str, str] | None = None,
        **answer_too: Json,
    ) -> Reply | None:
        """Answer what is for the page or the token endpoint; None for anything else.

        ``send_back`` are more parameters of the person who is sent back, ``answer_too`` more of the endpoint's answer.
        """
        if request.path == self._page:
            return self.authorize(request, send_back)
        if request.path != self._endpoint:
            return None
        try:
            told = {**self.token(request, settings), **self._too, **answer_too}
            return answer(200, {name: value for name, value in told.items() if name != self._without})
        except OAuthError as error:
            return self._refusal(error)

    def authorize(self, request: Request, extra: Mapping[str, str] | None = None) -> Reply:
        """Send the person back with a code, as if they had agreed; ``extra`` are more parameters of theirs."""
        asked = dict(request.query)
        redirect_url = asked.get("redirect_uri", "")
        if asked.get("response_type", "code") != "code" or not asked.get("client_id") or not redirect_url:
            return Reply(400, b"client_id, redirect_uri and response_type=code are needed", "text/plain")
        if asked.get("code_challenge") and asked.get("code_challenge_method") != "S256":
            return Reply(400, b"code_challenge_method must be S256", "text/plain")
        code = f"code-{self._ids.word('code')}"
        self._codes[code] = _Code(asked["client_id"], redirect_url, asked.get("code_challenge", ""))
        back = urlencode({"code": code, "state": asked.get("state", ""), **(extra or {})})
        mark = "&" if "?" in redirect_url else "?"
        return Reply(302, b"", "text/plain", {"Location": f"{redirect_url}{mark}{back}"})

    def token(self, request: Request, settings: OAuthSettings) -> dict[str, Json]:
        """Answer the token endpoint: ``access_token``, ``expires_in``, ``token_type``, mostly a ``refresh_token``.

        Raises:
            OAuthError: it is refused.
        """
        form = _fields(request)
        client, secret = _client(request, form)
        grant = form.get("grant_type", "")
        self._calls.append({"grant_type": grant, "client_id": client})
        if not client or not secret or secret == settings.wrong_secret:
            raise OAuthError("invalid_client", "the client is not known, or its secret is wrong")
        if grant == "client_credentials":
            return self._made(settings)
        if grant == "authorization_code":
            self._spend_code(form, client)
        elif grant == "refresh_token":
            if not self._spend_refresh_token(form.get("refresh_token", ""), client, settings):
                return self._made(settings) | {"refresh_token": form["refresh_token"]}
        else:
            raise OAuthError("unsupported_grant_type", f"grant_type {grant!r} is not supported")
        refresh = f"refresh-{self._ids.word('refresh')}"
        self._refresh[refresh] = _Refresh(client)
        return self._made(settings) | {"refresh_token": refresh}

    def is_good(self, token: str, settings: OAuthSettings) -> bool | None:
        """Tell whether an access token is good now; None of one that is not from here."""
        if token not in self._access:
            return None
        epoch, until = self._access[token]
        return epoch >= settings.token_epoch and time.monotonic() < until

    def lets_in(self, token: str, settings: OAuthSettings, tokens: list[str] | None) -> bool:
        """Tell whether a token is good now, from here or one of the fixed ``tokens`` (None: any)."""
        is_good = self.is_good(token, settings)
        return bool(token) and token_is_good(token, tokens) if is_good is None else is_good

    def state(self) -> list[dict[str, Json]]:
        """Return the calls of the token endpoint, oldest first, without secrets."""
        return self._calls

    def _made(self, settings: OAuthSettings) -> dict[str, Json]:
        token = f"access-{self._ids.word('access')}"
        self._access[token] = (settings.token_epoch, time.monotonic() + settings.token_lifetime)
        return {"access_token": token, "expires_in": int(settings.token_lifetime), "token_type": "bearer"}

    def _spend_code(self, form: Mapping[str, str], client: str) -> None:
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or code.client != client or time.monotonic() - code.made_at > _CODE_SECONDS:
            raise OAuthError("invalid_grant", "the authorization code is not valid, or was used")
        if code.redirect_url != form.get("redirect_uri"):
            raise OAuthError("invalid_grant", "redirect_uri is not the one that the code was given to")
        if code.challenge:
            digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
            if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != code.challenge:
                raise OAuthError("invalid_grant", "code_verifier does not match")

    def _spend_refresh_token(self, token: str, client: str, settings: OAuthSettings) -> bool:
        """Take a refresh token; True when another one takes its place."""
        kept = self._refresh.get(token)
        now = time.monotonic()
        is_spent = settings.refresh_once and kept is not None and now - kept.used_at > settings.refresh_grace
        if kept is None or kept.client != client or settings.revoked or is_spent:
            raise OAuthError("invalid_grant", "This refresh token is invalid, expired or revoked")
        is_due = settings.refresh_once and now - kept.made_at >= settings.rotates_after
        if is_due:
            kept.used_at = min(kept.used_at, now)
        return is_due


def _standard_refusal(error: OAuthError) -> Reply:
    status = 401 if error.code == "invalid_client" else 400
    return answer(status, {"error": error.code, "error_description": error.text})


def _fields(request: Request) -> dict[str, str]:
    """Read the form, or the JSON object of a vendor that wants one."""
    if request.content_type != "application/json":
        return request.form()
    try:
        told = request.json()
    except ValueError:
        return {}
    return {name: value for name, value in told.items() if isinstance(value, str)} if isinstance(told, dict) else {}


def _client(request: Request, form: Mapping[str, str]) -> tuple[str, str]:
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        name, _, secret = base64.b64decode(given).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return unquote_plus(name), unquote_plus(secret)
