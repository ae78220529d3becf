"""Salesforce: contacts or leads as a CRM."""

from mainstay.connectors.salesforce.check import check
from mainstay.connectors.salesforce.crm import SalesforceCRM
from mainstay.connectors.salesforce.settings import SalesforceConnection, account, contact_fields, oauth, record_url
from mainstay.connectors.salesforce.wire import http_settings
from mainstay.kit import Connector, Rate

CONNECTOR = Connector(
    name="salesforce",
    title="Salesforce",
    settings=SalesforceConnection,
    http=http_settings,
    oauth=oauth,
    check=check,
    roles={"crm": lambda settings, http, _store: SalesforceCRM(settings, http)},
    idempotency={
        "crm.push_contact": "state",
        "crm.fetch_contact": "state",
        "crm.add_tag": "state",
        "crm.add_note": "lookup",
        "crm.delete_contact": "state",
        "crm.pull_contacts": "state",
    },
    account=account,
    # The least that an org of the Enterprise edition has; each licence adds to it. It rolls over 24 hours.
    rates=lambda _settings: (Rate(100_000, 86_400),),
    # Of calls that take longer than 20 seconds; a developer's org admits 5.
    max_concurrent=25,
    record_url=record_url,
    contact_fields=contact_fields,
)
