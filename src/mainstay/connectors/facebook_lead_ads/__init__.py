"""Facebook Lead Ads (Meta): leads of instant forms, read from the Graph API as they are announced."""

from mainstay.connectors.facebook_lead_ads.graph import fetch, http
from mainstay.connectors.facebook_lead_ads.settings import FacebookLeadAdsSettings
from mainstay.connectors.facebook_lead_ads.webhook import challenge, delivery_key, parse, verify
from mainstay.kit import Connector, SourceKind

CONNECTOR = Connector(
    name="facebook_lead_ads",
    title="Facebook Lead Ads",
    sources=(
        SourceKind(
            name="facebook_lead_ads",
            title="Facebook Lead Ads",
            settings=FacebookLeadAdsSettings,
            verify=verify,
            parse=parse,
            delivery_key=delivery_key,
            challenge=challenge,
            fetch=fetch,
            http=http,
            secret_params=("hub.verify_token",),
        ),
    ),
)
