"""What a connection to a mail server must say."""

from __future__ import annotations

from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from mainstay.kit import ConnectionSettings
from mainstay.kit.roles import sender_domain

_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class SmtpConnection(ConnectionSettings):
    """``{ connector = "smtp", host = "mail.acme.example", username = "...", password = "${...}", from = "..." }``."""

    host: str = Field("", description="The mail server's name; or base_url = smtp://host:port.")
    port: int = Field(
        0, description="0 for the usual one: 587 with starttls, 465 with tls, 25 with none.", ge=0, le=65535
    )
    security: Literal["starttls", "tls", "none"] = Field("starttls", description="How the connection is encrypted.")
    username: str = Field("", description="Empty where the server asks for none.")
    password: SecretStr = Field(SecretStr(""), description="Often an app password.")
    sender: str = Field(alias="from", description="The sender: an address, or Name <address>.")

    @field_validator("sender")
    @classmethod
    def _is_sender(cls, value: str) -> str:
        sender_domain(value)
        return value

    @model_validator(mode="after")
    def _is_reachable_and_private(self) -> Self:
        if self.base_url and urlsplit(self.base_url).scheme != "smtp":
            message = "base_url must look like smtp://mail.acme.example:587"
            raise ValueError(message)
        host = self.address[0]
        if not host:
            message = "host is missing: the mail server's name, like mail.acme.example"
            raise ValueError(message)
        if bool(self.username) != bool(self.password.get_secret_value()):
            message = "username and password belong together: give both, or neither"
            raise ValueError(message)
        if self.username and self.security == "none" and host not in _LOOPBACK:
            message = 'security = "none" would send the password readable to all on the way; use "starttls" or "tls"'
            raise ValueError(message)
        return self

    @property
    def address(self) -> tuple[str, int]:
        """Host and port; ``base_url`` goes before both."""
        parts = urlsplit(self.base_url)
        return parts.hostname or self.host, parts.port or self.port or _PORTS[self.security]
