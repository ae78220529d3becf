"""SendGrid: e-mail, and what becomes of it."""

from mainstay.connectors.sendgrid.email import check, http_settings, make_email
from mainstay.connectors.sendgrid.settings import SendgridConnection, SendgridSource
from mainstay.connectors.sendgrid.webhook import delivery_key, parse, verify
from mainstay.kit import Connector, SourceKind

CONNECTOR = Connector(
    name="sendgrid",
    title="SendGrid",
    settings=SendgridConnection,
    http=http_settings,
    check=check,
    roles={"email": make_email},
    # No key, and what was sent can be searched only by those who pay for the Activity API, minutes later.
    idempotency={"email.send": "none"},
    sources=(
        SourceKind(
            name="sendgrid",
            title="SendGrid",
            settings=SendgridSource,
            is_signed_by_vendor=True,
            verify=verify,
            parse=parse,
            delivery_key=delivery_key,
        ),
    ),
)

__all__ = ["CONNECTOR"]
