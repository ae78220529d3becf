"""Stripe: invoices out, payments and changes in."""

from mainstay.connectors.stripe.billing import check, http_settings, make_billing, rates, record_url
from mainstay.connectors.stripe.events import fetch, parse
from mainstay.connectors.stripe.settings import StripeConnection, StripeSource
from mainstay.connectors.stripe.webhook import delivery_key, verify
from mainstay.kit import Connector, HttpSettings, Pullable, SourceKind

CONNECTOR = Connector(
    name="stripe",
    title="Stripe",
    settings=StripeConnection,
    http=http_settings,
    check=check,
    roles={"billing": make_billing},
    # Stripe takes idempotency keys, for a day. What was made is found by our marks in its metadata as well, so that a
    # repeat finds it whenever it comes.
    idempotency={
        "billing.push_customer": "state",
        "billing.create_invoice": "state",
        "billing.void_invoice": "state",
        "billing.fetch_invoice": "state",
        "billing.pull_records": "state",
    },
    pulls={"invoice": Pullable("billing"), "payment": Pullable("billing")},
    account=lambda settings: settings.account or settings.api_key.get_secret_value(),
    rates=rates,
    record_url=record_url,
    sources=(
        SourceKind(
            name="stripe",
            title="Stripe",
            settings=StripeSource,
            verify=verify,
            parse=parse,
            delivery_key=delivery_key,
            fetch=fetch,
            # Without a connection nothing is fetched.
            http=lambda _settings: HttpSettings(""),
        ),
    ),
)

__all__ = ["CONNECTOR"]
