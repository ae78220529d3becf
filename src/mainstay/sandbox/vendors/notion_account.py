"""The simulated Notion workspace: its settings, and how integrations get in."""

from __future__ import annotations

from dataclasses import dataclass

from mainstay.sandbox.oauth import OAuthServer, OAuthSettings
from mainstay.sandbox.wire import Json

SHARED_PAGE = "59833787-2cf9-4fdf-8782-e53db20768a5"
BOT: dict[str, Json] = {"owner": {"type": "workspace", "workspace": True}, "workspace_name": "Sandbox"}


@dataclass(frozen=True)
class Settings(OAuthSettings):
    """``PUT /_control/config/notion``; those of OAuth too.

    ``tokens`` lists the good tokens (None: any). ``query_lag_ms`` is how far queries stay behind. ``exact_times`` gives
    times in full; Notion is known to cut them to the minute. ``hides_people`` keeps e-mails from the integration.
    ``rate_limit`` enforces three requests a second, over ten of them.
    """

    tokens: list[str] | None = None
    query_lag_ms: int = 0
    exact_times: bool = False
    hides_people: bool = False
    rate_limit: bool = False
    # Access tokens end when somebody takes the access back.
    token_lifetime: float = 1e9
    refresh_once: bool = True


def oauth_server() -> OAuthServer:
    """Return Notion's OAuth; its answers name no length of a token's life."""
    told: dict[str, Json] = {
        "bot_id": "b3414d65-1224-45f7-a6ff-cc9d8773d601",
        "workspace_id": "5ab56435-4d7f-4c32-a281-564a77d9a6c3",
        "workspace_name": "Sandbox",
        "workspace_icon": None,
        "owner": {"type": "user", "user": {"object": "user", "id": "6794760a-1f15-45cd-9c65-0dfe42f5135a"}},
        "duplicated_template_id": None,
        "request_id": "0d6f1c1e-5f0e-4f8c-9a55-3c2f52a3c5b4",
    }
    return OAuthServer("notion", "/v1/oauth/authorize", "/v1/oauth/token", answer_too=told, without="expires_in")
