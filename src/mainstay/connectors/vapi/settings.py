"""What stack.toml says of an organisation at Vapi, and of the calls that it reports."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from mainstay.kit import ConnectionSettings, Duration, SourceSettings
from mainstay.kit.secrets import Secrets

_UUID = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"


class VapiConnection(ConnectionSettings):
    """``{ connector = "vapi", api_key = "${VAPI_API_KEY}", phone_number_id = "...", assistant = "..." }``."""

    api_key: SecretStr = Field(description="The organisation's private key; the public one places no calls.")
    phone_number_id: str = Field(description="Id of the number that calls come from.", pattern=_UUID)
    assistant: str = Field("", description="Id of the assistant that speaks, where a call names none.")

    @field_validator("api_key")
    @classmethod
    def _is_given(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().strip():
            message = "the key is empty: set it in the environment or in .env"
            raise ValueError(message)
        return value

    @field_validator("assistant")
    @classmethod
    def _is_an_id(cls, value: str) -> str:
        if value and any(character.isspace() or character == "/" for character in value):
            message = "an assistant is named by its id, as the dashboard shows it"
            raise ValueError(message)
        return value


class VapiSource(SourceSettings):
    """``[sources.NAME]`` with ``kind = "vapi"``: how calls ended.

    ``secret`` proves the sender, by the way that ``signed_by`` names: as it is, in ``X-Vapi-Secret`` or as a bearer
    token; or as the key of an HMAC over the body, whose header and form the credential at Vapi names.
    """

    secret: Secrets = Field(description="The token or secret of the credential at Vapi.")
    signed_by: Literal["secret", "hmac"] = Field("secret", description="What the credential is: a token, or an HMAC.")
    header: str = Field("", description="Header of the signature (HMAC), where it is not X-Signature.")
    algorithm: Literal["sha256", "sha512", "sha1"] = Field("sha256", description="The HMAC's algorithm.")
    timestamp_header: str = Field("", description="Header of the signed time (HMAC), where the credential has one.")
    payload: str = Field("{body}", description="What is signed: {body}, and {timestamp} where there is one.")
    tolerance: Duration = Field("5m", validate_default=True, description="How old a signed time may be.")
    max_bytes: int = Field(5_000_000, description="Largest body taken, in bytes; reports hold the transcript.", gt=0)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if "{body}" not in self.payload:
            message = 'payload must contain {body}, such as "{timestamp}.{body}"'
            raise ValueError(message)
        if self.signed_by == "secret" and (self.header or self.timestamp_header or self.payload != "{body}"):
            message = 'header, timestamp_header and payload are for signed_by = "hmac"'
            raise ValueError(message)
        if ("{timestamp}" in self.payload) != bool(self.timestamp_header):
            message = "timestamp_header and {timestamp} in payload go together"
            raise ValueError(message)
        return self
