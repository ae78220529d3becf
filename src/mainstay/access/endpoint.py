"""Calls of a vendor's token endpoint."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

from mainstay.access.rules import Grant, fate_of, read_grant
from mainstay.errors import VendorError
from mainstay.kit.http import Http, HttpSettings, Response

if TYPE_CHECKING:
    from mainstay.kit.http import Session
    from mainstay.kit.oauth import OAuth

TIMEOUT = timedelta(seconds=10)


async def by_code(session: Session, oauth: OAuth, code: str, verifier: str, redirect_url: str) -> Grant:
    """Turn the code that a person's browser brought into tokens; see :func:`_ask` for errors."""
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_url}
    if verifier:
        form["code_verifier"] = verifier
    return await _ask(session, oauth, form, (code, verifier))


async def by_refresh_token(session: Session, oauth: OAuth, refresh_token: str) -> Grant:
    """Turn a refresh token into a new access token; see :func:`_ask` for errors."""
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    return await _ask(session, oauth, form, (refresh_token,))


async def by_client(session: Session, oauth: OAuth) -> Grant:
    """Get an access token for the app itself, or by a statement that it signs; see :func:`_ask` for errors."""
    if oauth.assertion is not None:
        statement = oauth.assertion()
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": statement}
        return await _ask(session, oauth, form, (statement,))
    form = {"grant_type": "client_credentials"}
    if oauth.scopes:
        form["scope"] = " ".join(oauth.scopes)
    return await _ask(session, oauth, form, ())


async def _ask(session: Session, oauth: OAuth, form: Mapping[str, str], secrets: tuple[str, ...]) -> Grant:
    """Ask the token endpoint.

    Raises:
        GrantEndedError: it does not take the code or refresh token.
        NeedsHumanError: it does not take the app, or what it is asked for.
        TransientError: it does not answer, or asks to wait.
        PermanentError: its answer is none.
    """
    headers = {"Accept": "application/json", **oauth.token_headers}
    fields = {**form, **oauth.token_params}
    if oauth.assertion is not None:
        pass  # the statement says who asks
    elif oauth.client_auth == "basic":
        # As RFC 6749 says: each form-encoded first.
        pair = f"{quote_plus(oauth.client_id)}:{quote_plus(oauth.client_secret)}"
        headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    else:
        fields |= {"client_id": oauth.client_id, "client_secret": oauth.client_secret}
    settings = HttpSettings(
        oauth.token_url,
        headers=headers,
        secrets=tuple(filter(None, (oauth.client_secret, *secrets))),
        classify=_classify,
        timeout=TIMEOUT.total_seconds(),
    )
    # Its record is dropped with it: an answer is all secrets.
    http = Http(session, settings)
    is_json = oauth.call_format == "json"
    response = await (http.request("POST", "", json=fields) if is_json else http.request("POST", "", form=fields))
    return read_grant(response.data, oauth)


def _classify(response: Response) -> VendorError | None:
    return fate_of(response.status, response.data, response.retry_after)
