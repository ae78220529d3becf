"""What stack.toml says of an account at Twilio, and of the messages that it hands on."""

from __future__ import annotations

import re
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from mainstay.kit import ConnectionSettings, SourceSettings
from mainstay.kit.hook import require_address
from mainstay.kit.secrets import Secrets

_EMPTY = SecretStr("")
# A number, a short code, or a name of which one character at least is a letter.
_SENDER = re.compile(r"\+[1-9]\d{6,14}|\d{3,8}|(?=[^A-Za-z]*[A-Za-z])[A-Za-z0-9 ._&+-]{1,11}")


class TwilioConnection(ConnectionSettings):
    """``{ connector = "twilio", account_sid = "AC...", auth_token = "${TWILIO_AUTH_TOKEN}", from = "+1..." }``."""

    account_sid: str = Field(description="The account's SID: AC and 32 digits of hex.", pattern=r"^AC[0-9a-fA-F]{32}$")
    auth_token: SecretStr = Field(_EMPTY, description="The account's auth token; or give an API key.")
    api_key: str = Field(
        "", description="SID of an API key (SK...), with api_secret.", pattern=r"^(SK[0-9a-fA-F]{32})?$"
    )
    api_secret: SecretStr = Field(_EMPTY, description="The API key's secret.")
    sender: str = Field("", alias="from", description="The number, short code or name that messages come from.")
    messaging_service_sid: str = Field(
        "", description="A messaging service (MG...) in place of from.", pattern=r"^(MG[0-9a-fA-F]{32})?$"
    )
    status_callback: str = Field(
        "", description="Public address of a source of kind twilio: Twilio tells it what became of each message."
    )

    @field_validator("status_callback")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if value:
            require_address("status_callback", value)
        return value

    @field_validator("sender")
    @classmethod
    def _is_sender(cls, value: str) -> str:
        if value and not _SENDER.fullmatch(value):
            message = f"{value!r} is no sender; write a number as +13125550100, a short code or a name of 11 characters"
            raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        token, secret = self.auth_token.get_secret_value(), self.api_secret.get_secret_value()
        if bool(token) == bool(self.api_key) or bool(self.api_key) != bool(secret):
            message = "give either auth_token, or api_key (SK...) with api_secret"
            raise ValueError(message)
        if bool(self.sender) == bool(self.messaging_service_sid):
            message = "give either from (a number of yours) or messaging_service_sid (MG...)"
            raise ValueError(message)
        return self

    @property
    def credentials(self) -> tuple[str, str]:
        """User and password of HTTP Basic; never log what this gives."""
        if self.api_key:
            return self.api_key, self.api_secret.get_secret_value()
        return self.account_sid, self.auth_token.get_secret_value()


class TwilioSource(SourceSettings):
    """``[sources.NAME]`` with ``kind = "twilio"``: the messages that people send to your numbers."""

    auth_token: Secrets = Field(description="The account's auth token: Twilio signs with it, never with an API key.")
