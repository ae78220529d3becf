"""A HubSpot account: how to get in, and which of its properties Mainstay writes.

Vendor facts: the contract ``hubspot.json``, ``/oauth/v3/token``; version 1 of OAuth ends in February 2027.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from mainstay.kit import ConnectionSettings, Http, OAuth
from mainstay.kit.secrets import require_one_way_in

BASE_URL = "https://api.hubapi.com"
AUTHORIZE_URL = "https://app.hubspot.com/oauth/authorize"
OPT_OUT = "do_not_contact"
_EMPTY = SecretStr("")


class HubSpotConnection(ConnectionSettings):
    """``[connections]`` entry with ``connector = "hubspot"``: one HubSpot account."""

    base_url: str = BASE_URL
    token: SecretStr = Field(_EMPTY, description="Access token of a private app; or give client_id and client_secret.")
    client_id: str = Field("", description="Client id of your own app, for `mainstay connect`.")
    client_secret: SecretStr = Field(_EMPTY, description="The app's client secret.")
    scopes: tuple[str, ...] = Field(
        ("oauth", "crm.objects.contacts.read", "crm.objects.contacts.write"),
        description="What the app asks for; it must ask for all that it is set up with.",
    )
    portal_id: str = Field("", description="The account's id (Hub ID), for links to contacts.")
    properties: dict[str, str] = Field(
        default_factory=dict,
        description='Our key, "source" or "do_not_contact" to the internal name of a further HubSpot property.',
    )
    tag_property: str = Field(
        "mainstay_tags", description="Multi-line text property for tags, separated by semicolons; empty for no tags."
    )
    match_phone: bool = Field(
        default=False,
        description="Before creating a contact with an e-mail, look for one with its phone and no e-mail. One search "
        "more for each new contact; HubSpot allows five a second.",
    )
    pulls: tuple[Literal["company", "deal"], ...] = Field(
        (), description="Which records besides contacts are pulled; the token needs a scope for each."
    )

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        require_one_way_in("token", self.token, self.client_id, self.client_secret)
        return self


def oauth(settings: HubSpotConnection) -> OAuth | None:
    """Return HubSpot's OAuth 2, or None for an account with a private app's token."""
    if not settings.client_id:
        return None
    base = settings.base_url or BASE_URL
    return OAuth(
        authorize_url=AUTHORIZE_URL if base == BASE_URL else f"{base}/oauth/authorize",
        token_url=f"{base}/oauth/v3/token",
        client_id=settings.client_id,
        client_secret=settings.client_secret.get_secret_value(),
        scopes=settings.scopes,
        client_auth="body",
        lifetime=timedelta(minutes=30),
        facts=lambda answer, _callback: {"hub_id": answer.get("hub_id", "")},
    )


def contact_fields(settings: HubSpotConnection) -> frozenset[str]:
    """Return what of a contact an account keeps: tags and further fields where properties are named for them."""
    further = {key if key in {"source", OPT_OUT} else f"custom.{key}" for key in settings.properties}
    tags = {"tags"} if settings.tag_property else set()
    return frozenset({"first_name", "last_name", "email", "phone", "company", *further, *tags})


async def check(settings: HubSpotConnection, http: Http) -> str:
    """Read one contact; say whose account it is."""
    await http.request("GET", "/crm/v3/objects/contacts", params={"limit": "1"})
    account = http.access.facts.get("hub_id") or settings.portal_id
    return f"HubSpot account {account}" if account else "a HubSpot account (set portal_id to see which)"
