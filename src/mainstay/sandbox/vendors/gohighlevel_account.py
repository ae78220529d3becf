"""The simulated HighLevel account: its settings, and how apps get in."""

from __future__ import annotations

from dataclasses import dataclass, field

from mainstay.sandbox.oauth import OAuthError, OAuthServer, OAuthSettings
from mainstay.sandbox.wire import Json, Reply, answer

_TOLD = {"userType": "Location", "companyId": "comp", "scope": "contacts.readonly contacts.write", "userId": "user"}


@dataclass(frozen=True)
class Settings(OAuthSettings):
    """``PUT /_control/config/gohighlevel``; those of OAuth too. ``oauth_location`` is what the person picks there.

    ``allow_duplicates`` and ``match_order`` are the location's "Allow Duplicate Contact" setting; ``locations`` holds
    other values for single locations (``{"loc": {"allow_duplicates": true}}``). ``tokens`` lists the good tokens and
    ``allowed_locations`` the locations they reach; None admits all. ``rate_limit`` enforces 100 requests in 10 s for
    each token.
    """

    allow_duplicates: bool = False
    match_order: list[str] = field(default_factory=lambda: ["email", "phone"])
    locations: dict[str, dict[str, Json]] = field(default_factory=dict)
    tokens: list[str] | None = None
    allowed_locations: list[str] | None = None
    rate_limit: bool = False
    token_lifetime: float = 86_399.0
    refresh_once: bool = True
    oauth_location: str = "loc"


def oauth_server() -> OAuthServer:
    """Return HighLevel's OAuth."""
    return OAuthServer("gohighlevel", "/oauth/chooselocation", "/oauth/token", answer_too=_TOLD, refusal=_no_token)


def _no_token(error: OAuthError) -> Reply:
    status = 401 if error.code == "invalid_client" else 400
    return answer(status, {"statusCode": status, "message": error.text, "error": error.code})
