"""Postmark: transactional e-mail."""

from mainstay.connectors.postmark.email import PostmarkConnection, http_settings, make_email
from mainstay.kit import Connector

CONNECTOR = Connector(
    name="postmark",
    title="Postmark",
    settings=PostmarkConnection,
    http=http_settings,
    roles={"email": make_email},
    # Postmark takes no idempotency key; the one sent as metadata only lets a lost message be found.
    idempotency={"email.send": "none"},
)

__all__ = ["CONNECTOR"]
