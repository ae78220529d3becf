"""What stack.toml says of an organisation at Xero: how to get in, and how its invoices are made."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from pydantic import Field, SecretStr, model_validator

from mainstay.kit import ConnectionSettings, HttpSettings, OAuth, SourceSettings
from mainstay.kit.secrets import Secrets, require_one_way_in

API = "https://api.xero.com"
AUTHORIZE_URL = "https://login.xero.com/identity/connect/authorize"
TOKEN_URL = "https://identity.xero.com/connect/token"  # noqa: S105 - an address
SCREENS = "https://go.xero.com"
ACCOUNTING = "accounting.transactions", "accounting.contacts", "accounting.settings.read"
_EMPTY = SecretStr("")
_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


class XeroConnection(ConnectionSettings):
    """``[connections]`` entry with ``connector = "xero"``: one organisation."""

    client_id: str = Field("", description="Client id of your app at Xero.")
    client_secret: SecretStr = Field(_EMPTY, description="The app's client secret.")
    custom_connection: bool = Field(
        default=False, description="Whether the app is a custom connection: it needs no person to connect it."
    )
    access_token: SecretStr = Field(_EMPTY, description="An access token that something else keeps fresh.")
    tenant_id: str = Field(
        "",
        description="The organisation's id. Empty: looked up each time, where the app may enter one alone.",
        pattern=rf"^({_UUID})?$",
    )
    scopes: tuple[str, ...] = Field(ACCOUNTING, description="What the app asks for.")
    account: str = Field("", description="Code of the account of lines that name no item.", max_length=10)
    tax: str = Field("", description="Tax type of lines that name none; the account's own if empty.", max_length=50)
    payment_account: str = Field("", description="Code of the account that payments go to.", max_length=10)
    reference_as_number: bool = Field(
        default=False, description="Whether an invoice's reference is its number too; else Xero numbers it."
    )

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        require_one_way_in("access_token", self.access_token, self.client_id, self.client_secret)
        if self.custom_connection and not self.client_id:
            message = "custom_connection wants the custom connection's client_id and client_secret"
            raise ValueError(message)
        return self

    @property
    def way_in(self) -> HttpSettings:
        """How to reach Xero, but for what answers mean."""
        token = self.access_token.get_secret_value()
        return HttpSettings(
            base_url=self.base_url or API,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            secrets=tuple(filter(None, (token, self.client_secret.get_secret_value()))),
            timeout=30.0,
        )


def oauth(settings: XeroConnection) -> OAuth | None:
    """Return Xero's OAuth 2; None for a connection with a fixed token.

    Neither the token's answer nor the person sent back names the organisation: it is a setting, or looked up by
    ``GET /Connections``. A refresh token is good for one use.
    """
    if not settings.client_id:
        return None
    base = settings.base_url.rstrip("/")
    is_custom = settings.custom_connection
    return OAuth(
        authorize_url="" if is_custom else f"{base}/identity/connect/authorize" if base else AUTHORIZE_URL,
        token_url=f"{base}/connect/token" if base else TOKEN_URL,
        client_id=settings.client_id,
        client_secret=settings.client_secret.get_secret_value(),
        # Without offline_access there is no refresh token; a custom connection has none, and may not ask.
        scopes=settings.scopes if is_custom else ("offline_access", *settings.scopes),
        grant="client_credentials" if is_custom else "authorization_code",
        client_auth="basic",
        lifetime=timedelta(minutes=30),
        refresh_lifetime=None if is_custom else timedelta(days=60),
    )


class XeroSource(SourceSettings):
    """``[sources.NAME]`` with ``kind = "xero"``; ``connection`` names what reads the records named."""

    connection: str = Field(description="The xero connection that reads what is announced.", min_length=1)
    signing_key: Secrets = Field(description="Webhooks key: at Xero, your app, Webhooks.")
    tenant_id: str = Field(
        description="The organisation's id: an app's webhooks tell of every organisation that let it in.",
        pattern=rf"^{_UUID}$",
    )
