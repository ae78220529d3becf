"""The simulated company at QuickBooks: its settings, and how apps get in."""

from __future__ import annotations

from dataclasses import dataclass, field

from mainstay.sandbox.oauth import OAuthServer, OAuthSettings

REALM = "9341455600000000"
_DAY = 86_400.0


@dataclass(frozen=True)
class Settings(OAuthSettings):
    """``PUT /_control/config/quickbooks``; those of OAuth too.

    ``tokens`` lists the good access tokens (None: any). ``realm_id`` is the company that a person picks, and the one
    that answers ("": any). ``other_names`` are those of vendors and employees. ``home_currency`` is that of the books
    and of every customer. ``exact_case``: queries tell capitals apart. ``custom_numbers``: the company numbers its
    invoices itself. ``forgets_requests``: a request's id is not looked at. ``faults_as_200``: a fault comes with status
    200. ``online_payments``: invoices that have an e-mail get a link. ``void_drops_note``: a void invoice's note says
    nothing but "Voided". ``rate_limit`` enforces ``calls_a_minute``. So many updates as ``stale`` says meet somebody
    else's.
    """

    tokens: list[str] | None = None
    realm_id: str = ""
    other_names: list[str] = field(default_factory=list)
    home_currency: str = "USD"
    exact_case: bool = False
    custom_numbers: bool = False
    forgets_requests: bool = False
    faults_as_200: bool = False
    online_payments: bool = False
    void_drops_note: bool = False
    rate_limit: bool = False
    calls_a_minute: int = 500
    stale: int = 0
    token_lifetime: float = 3600.0
    refresh_once: bool = True
    rotates_after: float = _DAY
    refresh_grace: float = _DAY


def oauth_server() -> OAuthServer:
    """Return Intuit's OAuth: the company comes with the person, and a refresh token stays the same for about a day."""
    told = {"x_refresh_token_expires_in": 8_726_400}
    return OAuthServer("quickbooks", "/connect/oauth2", "/oauth2/v1/tokens/bearer", answer_too=told)
