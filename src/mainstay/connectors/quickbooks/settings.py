"""What stack.toml says of a company at QuickBooks Online: how to get in, and how its invoices are made."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from pydantic import Field, SecretStr, model_validator

from mainstay.kit import ConnectionSettings, HttpSettings, OAuth, SourceSettings
from mainstay.kit.secrets import Secrets, require_one_way_in

LIVE, SANDBOX = "https://quickbooks.api.intuit.com", "https://sandbox-quickbooks.api.intuit.com"
LIVE_SCREENS, SANDBOX_SCREENS = "https://app.qbo.intuit.com/app", "https://app.sandbox.qbo.intuit.com/app"
AUTHORIZE_URL = "https://appcenter.intuit.com/connect/oauth2"
TOKEN_URL = "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer"  # noqa: S105 - an address
MINOR_VERSION = 75
_EMPTY = SecretStr("")
_REALM = r"^(\d{1,25})?$"


class QuickBooksConnection(ConnectionSettings):
    """``[connections]`` entry with ``connector = "quickbooks"``: one company."""

    client_id: str = Field("", description="Client ID of your app at Intuit, for `mainstay connect`.")
    client_secret: SecretStr = Field(_EMPTY, description="The app's Client Secret.")
    access_token: SecretStr = Field(
        _EMPTY, description="An access token that something else keeps fresh; with realm_id."
    )
    realm_id: str = Field(
        "", description="The company's id, with access_token: `connect` finds it out.", pattern=_REALM
    )
    sandbox: bool = Field(default=False, description="Whether the company is one of Intuit's sandbox, not a real one.")
    minor_version: int = Field(MINOR_VERSION, description="Intuit's minor version.", ge=1, le=999)
    item: str = Field("", description="Product or service of lines that name none: its name or its id.", max_length=100)
    tax: str = Field("", description="Tax code of lines that name none: its name or id, TAX or NON.", max_length=100)
    deposit_account: str = Field(
        "", description="Id of the account that payments go to; QuickBooks' Undeposited Funds if empty.", pattern=_REALM
    )
    reference_as_number: bool = Field(
        default=False,
        description="Whether an invoice's reference is its number too: for companies with custom transaction numbers.",
    )

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        require_one_way_in("access_token", self.access_token, self.client_id, self.client_secret)
        token = self.access_token.get_secret_value()
        if bool(token) != bool(self.realm_id):
            message = "realm_id, the company's id, belongs to access_token; with client_id it is found out"
            raise ValueError(message)
        return self

    @property
    def api(self) -> str:
        """The API's address."""
        return (self.base_url or (SANDBOX if self.sandbox else LIVE)).rstrip("/")

    @property
    def screens(self) -> str:
        """The address of QuickBooks' own screens."""
        return SANDBOX_SCREENS if self.sandbox else LIVE_SCREENS

    @property
    def way_in(self) -> HttpSettings:
        """How to reach the company, but for what answers mean."""
        token = self.access_token.get_secret_value()
        return HttpSettings(
            base_url=company_url(self.api, self.realm_id),
            headers={"Authorization": f"Bearer {token}"} if token else {},
            secrets=tuple(filter(None, (token, self.client_secret.get_secret_value()))),
            # Intuit's own limit is 120 s; most answers come within one.
            timeout=60.0,
        )


def company_url(api: str, realm_id: str) -> str:
    """Return where a company's records lie."""
    return f"{api}/v3/company/{realm_id or 'not-connected'}"


def oauth(settings: QuickBooksConnection) -> OAuth | None:
    """Return Intuit's OAuth 2; None for a connection with a fixed token.

    The company comes with the person who is sent back (``realmId``), not with the token. Intuit gives a new refresh
    token about once a day; the store keeps whichever came last.
    """
    if not settings.client_id:
        return None
    return OAuth(
        authorize_url=f"{settings.api}/connect/oauth2" if settings.base_url else AUTHORIZE_URL,
        token_url=f"{settings.api}/oauth2/v1/tokens/bearer" if settings.base_url else TOKEN_URL,
        client_id=settings.client_id,
        client_secret=settings.client_secret.get_secret_value(),
        scopes=("com.intuit.quickbooks.accounting",),
        client_auth="basic",
        lifetime=timedelta(hours=1),
        refresh_lifetime=timedelta(days=100),
        facts=lambda _answer, callback: {"realm_id": _digits(callback.get("realmId", ""))},
        base_url=lambda facts: company_url(settings.api, facts.get("realm_id", "")),
    )


def _digits(text: str) -> str:
    return text if text.isascii() and text.isdigit() and len(text) <= 25 else ""


class QuickBooksSource(SourceSettings):
    """``[sources.NAME]`` with ``kind = "quickbooks"``; ``connection`` names what reads the records named."""

    connection: str = Field(description="The quickbooks connection that reads what is announced.", min_length=1)
    verifier_token: Secrets = Field(description="Verifier token: at Intuit, your app, Webhooks.")
    realm_id: str = Field(
        description="The company's id: an app's webhooks tell of every company that let it in.",
        pattern=r"^\d{1,25}$",
    )
