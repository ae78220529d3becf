"""How a person lets Mainstay into an account: to the vendor's page with a state, and back with a code."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from secrets import token_urlsafe
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import UUID

from mainstay.access import endpoint, store
from mainstay.access.keys import WrongKeyError
from mainstay.access.rules import GrantEndedError
from mainstay.db import acquire
from mainstay.errors import MainstayError, VendorError
from mainstay.kit.oauth import Access, OAuth

if TYPE_CHECKING:
    from mainstay.access.tokens import Tokens

PATIENCE = timedelta(minutes=15)
"""So long a person may take at the vendor's page."""
_LONGEST, _MOST = 500, 20
_OURS = frozenset({"code", "state"})

Declared = Callable[[UUID, str], OAuth | None]


class ConnectError(MainstayError):
    """Connecting an account did not work; the text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Started:
    """Where a person is to go, and the ``state`` by which they are known when they come back."""

    address: str
    state: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Landing:
    """Somebody came back, and the account is connected."""

    workspace_id: UUID
    name: str
    access: Access


class Connecting:
    """Ways of people to vendors' pages and back. They are kept in the database, so another process may see the end."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    async def begin(self, workspace_id: UUID, name: str, oauth: OAuth, redirect_url: str, *, by: str = "") -> Started:
        """Send somebody on their way; the vendor sends them back to ``redirect_url``."""
        state, verifier = token_urlsafe(32), token_urlsafe(48)
        sealed = self._tokens.keys.seal(verifier, _digest(state))
        async with acquire(self._tokens.pool) as connection:
            await store.begin_flow(connection, _digest(state), (workspace_id, name), sealed, redirect_url, by, PATIENCE)
        asked = {
            "response_type": "code",
            "client_id": oauth.client_id,
            "redirect_uri": redirect_url,
            "state": state,
            **({"scope": " ".join(oauth.scopes)} if oauth.scopes else {}),
            **({"code_challenge": _challenge(verifier), "code_challenge_method": "S256"} if oauth.uses_pkce else {}),
            **oauth.authorize_params,
        }
        mark = "&" if "?" in oauth.authorize_url else "?"
        return Started(f"{oauth.authorize_url}{mark}{urlencode(asked)}", state)

    async def finish(self, params: Mapping[str, str], declared: Declared) -> Landing:
        """Take in what the vendor's page sent somebody back with, and store what they agreed to.

        Raises:
            ConnectError: they did not agree, or nobody was sent on this way of late, or the vendor does not take it.
        """
        async with acquire(self._tokens.pool) as connection:
            flow = await store.take_flow(connection, _digest(params.get("state", "")))
        return await self._land(flow, params, declared)

    async def finish_latest(self, workspace_id: UUID, name: str, given: str, declared: Declared) -> Landing:
        """Finish with what a person copied: the whole address that they were sent back to, or the code alone.

        Raises:
            ConnectError: see :meth:`finish`.
        """
        params = read_back(given)
        if "state" in params:
            return await self.finish(params, declared)
        async with acquire(self._tokens.pool) as connection:
            flow = await store.take_latest_flow(connection, workspace_id, name)
        return await self._land(flow, params, declared)

    async def _land(self, flow: store.Flow | None, params: Mapping[str, str], declared: Declared) -> Landing:
        if flow is None:
            minutes = round(PATIENCE.total_seconds() / 60)
            raise ConnectError(
                f"nobody was sent to the vendor's page by this way within {minutes} minutes, or it was used already: "
                "begin again with  mainstay connect NAME"
            )
        name = flow.name
        again = f"begin again with  mainstay connect {name}"
        oauth = declared(flow.workspace_id, name)
        if oauth is None:
            raise ConnectError(f'stack.toml has no connection "{name}" with client_id and client_secret any more')
        if "error" in params:
            why = ": ".join(filter(None, (params["error"], params.get("error_description", ""))))
            raise ConnectError(f"the vendor's page gave no access to {name} ({why[:_LONGEST]}); {again}")
        if not params.get("code"):
            raise ConnectError(f"the vendor's page sent no code for {name}; {again}")
        try:
            verifier = self._tokens.keys.open(flow.verifier, flow.state_hash) if oauth.uses_pkce else ""
            grant = await endpoint.by_code(self._tokens.session(), oauth, params["code"], verifier, flow.redirect_url)
        except WrongKeyError:
            raise ConnectError(f"it was begun under another MAINSTAY_SECRET_KEY than this one has; {again}") from None
        except GrantEndedError as error:
            raise ConnectError(f"{name} was not connected: {error}; {again}") from None
        except VendorError as error:
            raise ConnectError(
                f"{name} was not connected: {error}. Check client_id, client_secret, and that the app at the vendor "
                f"lists the redirect URL {flow.redirect_url}; then {again}"
            ) from None
        kept = {key: value[:_LONGEST] for key, value in list(params.items())[:_MOST] if key not in _OURS}
        access = await self._tokens.keep(flow.workspace_id, name, oauth, grant, kept)
        return Landing(flow.workspace_id, name, access)


def read_back(given: str) -> dict[str, str]:
    """Read what a person copied: the address that they were sent back to, its query, or the code alone."""
    text = given.strip()
    query = urlsplit(text).query if "://" in text else text.removeprefix("?")
    found = dict(parse_qsl(query)) if "=" in query else {}
    return found if found.keys() & {"code", "error"} else {"code": text}


def _challenge(verifier: str) -> str:
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _digest(state: str) -> str:
    return sha256(state.encode()).hexdigest()
