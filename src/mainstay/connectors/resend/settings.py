"""What stack.toml says of Resend."""

from __future__ import annotations

from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from mainstay.kit import ConnectionSettings
from mainstay.kit.mail_events import MailEventsSettings
from mainstay.kit.roles import sender_domain
from mainstay.kit.secrets import Secrets, plain
from mainstay.kit.standard_webhooks import PREFIX, require_whole


class ResendConnection(ConnectionSettings):
    """``{ connector = "resend", api_key = "${RESEND_KEY}", from = "Acme <hello@acme.example>" }``."""

    api_key: SecretStr = Field(description="API key (re_...); one that only sends is enough.", min_length=1)
    sender: str = Field(alias="from", description="The sender, of a domain that is verified.")

    @field_validator("sender")
    @classmethod
    def _is_sender(cls, value: str) -> str:
        sender_domain(value)
        return value


class ResendSource(MailEventsSettings):
    """``[sources.NAME]`` with ``kind = "resend"``: what became of the mails that were sent."""

    secret: Secrets = Field(description="The webhook's signing secret (whsec_...).", min_length=1)

    @model_validator(mode="after")
    def _is_signing_secret(self) -> Self:
        for secret in plain(self.secret):
            require_whole(secret)
            if not secret.startswith(PREFIX):
                message = "secret is the webhook's signing secret, which begins with whsec_; the API key does not do"
                raise ValueError(message)
        return self
