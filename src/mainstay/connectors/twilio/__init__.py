"""Twilio: text messages, sent and received."""

from mainstay.connectors.twilio.settings import TwilioConnection, TwilioSource
from mainstay.connectors.twilio.sms import check, http_settings, make_sms
from mainstay.connectors.twilio.webhook import RECEIPT, delivery_key, parse, verify
from mainstay.kit import Connector, SourceKind

CONNECTOR = Connector(
    name="twilio",
    title="Twilio",
    settings=TwilioConnection,
    http=http_settings,
    check=check,
    roles={"sms": make_sms},
    # Twilio takes no idempotency key and no mark of ours; a lost message is found by its recipient, text and age.
    idempotency={"sms.send": "lookup"},
    lookup_after=15.0,
    # Twilio limits the calls at once of an account, and states no figure.
    account=lambda settings: settings.account_sid,
    sources=(
        SourceKind(
            name="twilio",
            title="Twilio",
            settings=TwilioSource,
            verify=verify,
            parse=parse,
            delivery_key=delivery_key,
            receipt=RECEIPT,
        ),
    ),
)

__all__ = ["CONNECTOR"]
