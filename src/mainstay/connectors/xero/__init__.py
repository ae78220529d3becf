"""Xero: customers, invoices and payments in the books of one organisation."""

from mainstay.connectors.xero.accounting import check, make_accounting, record_url
from mainstay.connectors.xero.api import http_settings
from mainstay.connectors.xero.settings import XeroConnection, XeroSource, oauth
from mainstay.connectors.xero.webhook import RECEIPT, challenge, delivery_key, fetch, parse, verify
from mainstay.kit import Connector, Pullable, Rate, SourceKind

CONNECTOR = Connector(
    name="xero",
    title="Xero",
    settings=XeroConnection,
    http=http_settings,
    oauth=oauth,
    check=check,
    roles={"accounting": make_accounting},
    # A key says what is made of what: of an invoice and of a payment, its reference and all that it holds.
    idempotency={
        "accounting.push_customer": "state",
        "accounting.create_invoice": "key",
        "accounting.void_invoice": "state",
        "accounting.fetch_invoice": "state",
        "accounting.add_payment": "key",
        "accounting.pull_records": "state",
    },
    account=lambda settings: settings.tenant_id or settings.client_id or settings.access_token.get_secret_value(),
    rates=lambda _settings: (Rate(60, 60.0), Rate(5000, 86_400.0)),
    max_concurrent=5,
    record_url=record_url,
    pulls={"invoice": Pullable("accounting"), "payment": Pullable("accounting")},
    sources=(
        SourceKind(
            name="xero",
            title="Xero",
            settings=XeroSource,
            verify=verify,
            parse=parse,
            delivery_key=delivery_key,
            challenge=challenge,
            receipt=RECEIPT,
            fetch=fetch,
        ),
    ),
)

__all__ = ["CONNECTOR"]
