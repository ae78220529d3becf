"""What stack.toml says of SendGrid."""

from __future__ import annotations

import base64
import binascii
from datetime import timedelta

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pydantic import Field, SecretStr, field_validator

from mainstay.kit import ConnectionSettings, Duration
from mainstay.kit.mail_events import MailEventsSettings
from mainstay.kit.roles import sender_domain


class SendgridConnection(ConnectionSettings):
    """``{ connector = "sendgrid", api_key = "${SENDGRID_KEY}", from = "Acme <hello@acme.example>" }``."""

    api_key: SecretStr = Field(description="API key (SG....) with Mail Send.", min_length=1)
    sender: str = Field(alias="from", description="The sender: verified, or of a domain that is authenticated.")

    @field_validator("sender")
    @classmethod
    def _is_sender(cls, value: str) -> str:
        sender_domain(value)
        return value


def read_key(written: str) -> EllipticCurvePublicKey:
    """Read a verification key as SendGrid shows it: base64 of DER.

    Raises:
        ValueError: it is none; worded for a setting.
    """
    try:
        key = load_der_public_key(base64.b64decode(written, validate=True))
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        message = "public_key is no Verification Key: copy it whole from Event Webhooks (it begins with MFkw)"
        raise ValueError(message)
    return key


class SendgridSource(MailEventsSettings):
    """``[sources.NAME]`` with ``kind = "sendgrid"``: what became of the mails that were sent."""

    public_key: str = Field(description="The event webhook's Verification Key; it is no secret.")
    tolerance: Duration = Field(
        timedelta(hours=24),
        description="How old a signature may be; nobody says whether a report that is sent again is signed anew.",
    )

    @field_validator("public_key")
    @classmethod
    def _is_key(cls, value: str) -> str:
        read_key(value)
        return value
