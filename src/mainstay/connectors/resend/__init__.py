"""Resend: transactional e-mail, and what becomes of it."""

from mainstay.connectors.resend.email import check, http_settings, make_email, rates
from mainstay.connectors.resend.settings import ResendConnection, ResendSource
from mainstay.connectors.resend.webhook import delivery_key, parse, verify
from mainstay.kit import Connector, SourceKind

CONNECTOR = Connector(
    name="resend",
    title="Resend",
    settings=ResendConnection,
    http=http_settings,
    check=check,
    roles={"email": make_email},
    # For 24 hours; a try that comes later would send it again.
    idempotency={"email.send": "key"},
    rates=rates,
    sources=(
        SourceKind(
            name="resend",
            title="Resend",
            settings=ResendSource,
            verify=verify,
            parse=parse,
            delivery_key=delivery_key,
        ),
    ),
)

__all__ = ["CONNECTOR"]
