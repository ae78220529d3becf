"""The simulated HubSpot account: its settings, and how apps get in."""

from __future__ import annotations

from dataclasses import dataclass, field

import orjson

from mainstay.sandbox.oauth import OAuthError, OAuthServer, OAuthSettings
from mainstay.sandbox.vendors.hubspot_errors import Errors
from mainstay.sandbox.wire import Reply, answer

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


def oauth_server(errors: Errors) -> OAuthServer:
    """Return HubSpot's OAuth, version 3."""
    statuses = {"invalid_client": "BAD_CLIENT_SECRET", "invalid_grant": "BAD_REFRESH_TOKEN"}

    def refuse(error: OAuthError) -> Reply:
        told = orjson.loads(errors.of(400, "VALIDATION_ERROR", error.text).body)
        return answer(400, told | {"status": statuses.get(error.code, "BAD_REQUEST")})

    told = {"token_use": "access_token", "hub_id": HUB_ID, "scopes": _SCOPES}
    return OAuthServer("hubspot", "/oauth/authorize", "/oauth/v3/token", answer_too=told, refusal=refuse)
