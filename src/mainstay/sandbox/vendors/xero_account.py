"""The simulated organisation at Xero: its settings, and how apps get in."""

from __future__ import annotations

from dataclasses import dataclass, field

from mainstay.sandbox.oauth import OAuthServer, OAuthSettings

TENANT = "fe79f7dd-b6d4-4a92-ba7b-538af6289c58"


@dataclass(frozen=True)
class Settings(OAuthSettings):
    """``PUT /_control/config/xero``; those of OAuth too.

    ``tokens`` lists the good access tokens (None: any). ``tenants`` are the ids of the organisations that the app may
    enter; the first is this one. ``currencies`` are those that the organisation knows, the first its own.
    ``errors_as_200``: what is refused of an element comes with status 200. ``forgets_keys``: idempotency keys are not
    looked at. ``rate_limit`` enforces 60 calls a minute; ``rate_problem`` says which limit a 429 names. ``page_size``
    is the most that a page has. ``number_prefix`` is that of invoices.
    """

    tokens: list[str] | None = None
    tenants: list[str] = field(default_factory=lambda: [TENANT])
    currencies: list[str] = field(default_factory=lambda: ["USD", "GBP", "JPY"])
    errors_as_200: bool = False
    forgets_keys: bool = False
    rate_limit: bool = False
    rate_problem: str = "minute"
    page_size: int = 1000
    number_prefix: str = "INV-"
    token_lifetime: float = 1800.0
    refresh_once: bool = True
    refresh_grace: float = 1800.0


def oauth_server() -> OAuthServer:
    """Return Xero's OAuth: a refresh token is good for one use, and for others within half an hour of it."""
    told = {"scope": "offline_access accounting.transactions accounting.contacts accounting.settings.read"}
    return OAuthServer("xero", "/identity/connect/authorize", "/connect/token", answer_too=told)
