"""A GoHighLevel location: how to get in, and which of its fields Mainstay writes.

Vendor facts: the contract ``gohighlevel.json``, ``/oauth/token``: access for a day; a refresh token is good for one use
and, unused, for a year. github.com/GoHighLevel/highlevel-api-docs, docs/oauth/Authorization.md.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from pydantic import Field, SecretStr, model_validator

from mainstay.kit import ConnectionSettings, Http, NeedsHumanError, OAuth
from mainstay.kit.secrets import require_one_way_in

BASE_URL = "https://services.leadconnectorhq.com"
AUTHORIZE_URL = "https://marketplace.gohighlevel.com/oauth/chooselocation"
_EMPTY = SecretStr("")
_NOBODY = "nobody@mainstay.invalid"


class GoHighLevelConnection(ConnectionSettings):
    """``[connections]`` entry with ``connector = "gohighlevel"``: one location (sub-account)."""

    base_url: str = BASE_URL
    token: SecretStr = Field(
        _EMPTY, description="Private Integration Token of the location; or give client_id and client_secret."
    )
    client_id: str = Field("", description="Client id of your own marketplace app, for `mainstay connect`.")
    client_secret: SecretStr = Field(_EMPTY, description="The app's client secret.")
    scopes: tuple[str, ...] = Field(("contacts.readonly", "contacts.write"), description="What the app asks for.")
    location_id: str = Field(description="The location's id, as in its address: /v2/location/ID/.", min_length=1)
    custom_fields: dict[str, str] = Field(
        default_factory=dict, description="Custom fields to write and read: our key to the id of their field."
    )
    look_first: bool = Field(
        default=True,
        description="Look a contact up before it is made, so that nobody's e-mail is written over; one call more.",
    )
    pull_by_date_updated: bool = Field(
        default=False,
        description="Pull what changed by the search's dateUpdated, which the vendor's contract leaves open.",
    )
    app_url: str = Field("https://app.gohighlevel.com", description="Where people open contacts (white label domain).")

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        require_one_way_in("token", self.token, self.client_id, self.client_secret)
        return self


def oauth(settings: GoHighLevelConnection) -> OAuth | None:
    """Return GoHighLevel's OAuth 2, or None for a location with a token of its own."""
    if not settings.client_id:
        return None
    base = settings.base_url or BASE_URL
    return OAuth(
        authorize_url=AUTHORIZE_URL if base == BASE_URL else f"{base}/oauth/chooselocation",
        token_url=f"{base}/oauth/token",
        client_id=settings.client_id,
        client_secret=settings.client_secret.get_secret_value(),
        scopes=settings.scopes,
        client_auth="body",
        token_params={"user_type": "Location"},
        lifetime=timedelta(days=1),
        refresh_lifetime=timedelta(days=365),
        facts=lambda answer, _callback: {
            "location_id": answer.get("locationId", ""),
            "company_id": answer.get("companyId", ""),
        },
    )


def contact_fields(settings: GoHighLevelConnection) -> frozenset[str]:
    """Return what of a contact a location keeps. The company is not among it: no update takes it."""
    usual = ("first_name", "last_name", "email", "phone", "source", "tags", "do_not_contact")
    return frozenset({*usual, *(f"custom.{key}" for key in settings.custom_fields)})


async def check(settings: GoHighLevelConnection, http: Http) -> str:
    """Look for somebody who does not exist; say whose location it is."""
    connected = (await http.enter()).facts.get("location_id", "")
    if connected and connected != settings.location_id:
        message = (
            f"the person who connected it picked the location {connected}, and location_id in stack.toml says "
            f"{settings.location_id}: change one of them"
        )
        raise NeedsHumanError(message)
    params = {"locationId": settings.location_id, "email": _NOBODY}
    await http.request("GET", "/contacts/search/duplicate", params=params)
    return f"GoHighLevel location {settings.location_id}"
