"""QuickBooks Online: customers, invoices and payments in the books of one company."""

from mainstay.connectors.quickbooks.accounting import check, make_accounting, record_url
from mainstay.connectors.quickbooks.api import http_settings
from mainstay.connectors.quickbooks.settings import QuickBooksConnection, QuickBooksSource, oauth
from mainstay.connectors.quickbooks.webhook import delivery_key, fetch, parse, verify
from mainstay.kit import Connector, Pullable, Rate, SourceKind

CONNECTOR = Connector(
    name="quickbooks",
    title="QuickBooks Online",
    settings=QuickBooksConnection,
    http=http_settings,
    oauth=oauth,
    check=check,
    roles={"accounting": make_accounting},
    # A request's id says what is made of what: of an invoice and of a payment, its reference and all that it holds.
    idempotency={
        "accounting.push_customer": "state",
        "accounting.create_invoice": "key",
        "accounting.void_invoice": "state",
        "accounting.fetch_invoice": "state",
        "accounting.add_payment": "key",
        "accounting.pull_records": "state",
    },
    account=lambda settings: settings.realm_id or settings.client_id,
    rates=lambda _settings: (Rate(10, 1.0), Rate(500, 60.0)),
    max_concurrent=10,
    record_url=record_url,
    pulls={"invoice": Pullable("accounting", {"void": "invoice.voided"}), "payment": Pullable("accounting")},
    sources=(
        SourceKind(
            name="quickbooks",
            title="QuickBooks Online",
            settings=QuickBooksSource,
            verify=verify,
            parse=parse,
            delivery_key=delivery_key,
            fetch=fetch,
        ),
    ),
)

__all__ = ["CONNECTOR"]
