"""HubSpot: contacts as a CRM, its webhooks as a source."""

from mainstay.connectors.hubspot.contact import SEARCH_LAG
from mainstay.connectors.hubspot.crm import HubSpotCRM, http_settings, record_url
from mainstay.connectors.hubspot.settings import HubSpotConnection, check, contact_fields, oauth
from mainstay.connectors.hubspot.webhook import HubSpotSource, delivery_key, fetch, parse, verify
from mainstay.kit import Connector, Pullable, Rate, SourceKind

CONNECTOR = Connector(
    name="hubspot",
    title="HubSpot",
    settings=HubSpotConnection,
    http=http_settings,
    oauth=oauth,
    check=check,
    account=lambda settings: settings.client_id and f"app {settings.client_id}/{settings.portal_id}",
    roles={"crm": lambda settings, http, _store: HubSpotCRM(settings, http)},
    idempotency={
        "crm.push_contact": "state",
        "crm.push_contacts": "state",
        "crm.fetch_contact": "state",
        "crm.add_tag": "state",
        "crm.add_note": "lookup",
        "crm.merge_contacts": "state",
        "crm.delete_contact": "state",
        "crm.pull_contacts": "state",
        "crm.pull_records": "state",
    },
    # A private app's on HubSpot's smaller plans; larger ones may say rate = "190 in 10s, 650000 in 1d".
    rates=lambda _settings: (Rate(100, 10), Rate(250_000, 86_400)),
    lookup_after=SEARCH_LAG,
    record_url=record_url,
    contact_fields=contact_fields,
    pulls={
        "company": Pullable("crm", when=lambda settings: "company" in settings.pulls),
        "deal": Pullable("crm", when=lambda settings: "deal" in settings.pulls),
    },
    sources=(
        SourceKind(
            name="hubspot",
            title="HubSpot",
            settings=HubSpotSource,
            verify=verify,
            parse=parse,
            delivery_key=delivery_key,
            fetch=fetch,
        ),
    ),
)
