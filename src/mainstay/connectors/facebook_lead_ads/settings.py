"""Settings of ``kind = "facebook_lead_ads"``."""

from __future__ import annotations

from pydantic import Field, SecretStr

from mainstay.kit.mapping import MappedSettings
from mainstay.kit.secrets import Secrets


class FacebookLeadAdsSettings(MappedSettings):
    """One Meta app that is subscribed to a page's leads. ``map`` takes the questions' field names."""

    app_secret: Secrets = Field(description="App secret: Meta app, App settings, Basic.")
    verify_token: SecretStr = Field(
        description="A text of your own, typed into the webhook's Verify token too.", min_length=1
    )
    page_token: SecretStr = Field(
        description="Long-lived page access token with leads_retrieval, to read the leads.", min_length=1
    )
    base_url: str = Field("https://graph.facebook.com", description="The Graph API's address.")
    api_version: str = Field("v23.0", description="The Graph API's version.", pattern=r"^v\d+\.\d+$")
