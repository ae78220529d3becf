"""The simulated HubSpot account: its settings, and how apps get in."""

from __future__ import annotations

from dataclasses import dataclass, field

from mainstay.sandbox.oauth import OAuthServer, OAuthSettings

HUB_ID = 4712
_SCOPES = ["crm.objects.contacts.read", "crm.objects.contacts.write"]


@dataclass(frozen=True)
class Settings(OAuthSettings):
    """``PUT /_control/config/hubspot``; those of OAuth too.

    ``properties`` adds the account's own contact properties: HubSpot refuses a name that it does not know.
    ``search_lag_ms`` is how far search stays behind writes. ``rate_limit`` enforces 100 requests in 10 s and 5
    searches in a second. ``tokens`` lists the good tokens (None: any).
    """

    properties: list[str] = field(default_factory=list)
    search_lag_ms: int = 0
    rate_limit: bool = False
    tokens: list[str] | None = None


def oauth_server() -> OAuthServer:
    """Return HubSpot's OAuth, version 3."""
    told = {"token_use": "access_token", "hub_id": HUB_ID, "scopes": _SCOPES}
    return OAuthServer("hubspot", "/oauth/authorize", "/oauth/v3/token", answer_too=told)
