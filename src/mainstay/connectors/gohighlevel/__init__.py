"""GoHighLevel (HighLevel, LeadConnector): contacts as a CRM, its webhooks as a source."""

from mainstay.connectors.gohighlevel.crm import GoHighLevelCRM, http_settings, record_url
from mainstay.connectors.gohighlevel.settings import GoHighLevelConnection, check, contact_fields, oauth
from mainstay.connectors.gohighlevel.webhook import GoHighLevelSource, delivery_key, parse, verify
from mainstay.kit import Connector, Rate, SourceKind

CONNECTOR = Connector(
    name="gohighlevel",
    title="GoHighLevel",
    settings=GoHighLevelConnection,
    http=http_settings,
    oauth=oauth,
    check=check,
    roles={"crm": lambda settings, http, _store: GoHighLevelCRM(settings, http)},
    idempotency={
        "crm.push_contact": "state",
        "crm.fetch_contact": "state",
        "crm.add_tag": "state",
        "crm.add_note": "lookup",
        "crm.delete_contact": "state",
        "crm.pull_contacts": "state",
    },
    # Of one app in one location; that a private token is such an app, the vendor does not say.
    account=lambda settings: settings.location_id,
    rates=lambda _settings: (Rate(100, 10), Rate(200_000, 86_400)),
    record_url=record_url,
    contact_fields=contact_fields,
    can_pull=lambda settings: settings.pull_by_date_updated,
    sources=(
        SourceKind(
            name="gohighlevel",
            title="GoHighLevel",
            settings=GoHighLevelSource,
            is_signed_by_vendor=True,
            verify=verify,
            parse=parse,
            delivery_key=delivery_key,
            secret_headers=("authorization", "x-webhook-secret"),
            secret_params=("secret",),
        ),
    ),
)
