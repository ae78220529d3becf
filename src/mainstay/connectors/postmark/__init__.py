"""Postmark: transactional e-mail, and what becomes of it."""

from mainstay.connectors.postmark.email import PostmarkConnection, check, http_settings, make_email
from mainstay.connectors.postmark.webhook import PostmarkSource, delivery_key, parse, verify
from mainstay.kit import Connector, SourceKind

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
    sources=(
        SourceKind(
            name="postmark",
            title="Postmark",
            settings=PostmarkSource,
            verify=verify,
            parse=parse,
            delivery_key=delivery_key,
            secret_headers=("authorization", "x-webhook-secret"),
            secret_params=("secret",),
        ),
    ),
)

__all__ = ["CONNECTOR"]
