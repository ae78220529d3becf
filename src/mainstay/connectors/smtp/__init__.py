"""Any mail server that takes mail by SMTP."""

from mainstay.connectors.smtp.email import check, http_settings, make_email
from mainstay.connectors.smtp.settings import SmtpConnection
from mainstay.kit import Connector

CONNECTOR = Connector(
    name="smtp",
    title="SMTP",
    settings=SmtpConnection,
    http=http_settings,
    check=check,
    roles={"email": make_email},
    # The Message-ID is the same for each attempt, so many mailboxes show a repeat once; no server promises it.
    idempotency={"email.send": "none"},
)

__all__ = ["CONNECTOR"]
