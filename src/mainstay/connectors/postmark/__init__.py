"""Postmark: transactional e-mail."""

from mainstay.connectors.postmark.email import PostmarkConnection, check, http_settings, make_email
from mainstay.kit import Connector

CONNECTOR = Connector(
    name="postmark",
    title="Postmark",
    settings=PostmarkConnection,
    http=http_settings,
    check=check,
    roles={"email": make_email},
    # Postmark takes no idempotency key; by the one sent as metadata a lost message is found, once it is indexed.
    idempotency={"email.send": "lookup"},
    lookup_after=30.0,
)

__all__ = ["CONNECTOR"]
