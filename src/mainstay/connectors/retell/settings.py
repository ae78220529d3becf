"""What stack.toml says of an account at Retell, and of the calls that it reports."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator

from mainstay.kit import ConnectionSettings, SourceSettings
from mainstay.kit.secrets import Secrets


class RetellConnection(ConnectionSettings):
    """``{ connector = "retell", api_key = "${RETELL_API_KEY}", from = "+13125550100", agent = "agent_..." }``."""

    api_key: SecretStr = Field(description="An API key of the workspace.")
    sender: str = Field(alias="from", description="The number that calls come from.", pattern=r"^\+[1-9]\d{6,14}$")
    agent: str = Field("", description="Id of the agent that speaks; empty for the one that the number has.")

    @field_validator("api_key")
    @classmethod
    def _is_given(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().strip():
            message = "the key is empty: set it in the environment or in .env"
            raise ValueError(message)
        return value


class RetellSource(SourceSettings):
    """``[sources.NAME]`` with ``kind = "retell"``: how calls ended, and what Retell made of them."""

    api_key: Secrets = Field(description="The API key with the webhook badge: it alone signs.")
    max_bytes: int = Field(5_000_000, description="Largest body taken, in bytes; reports hold the transcript.", gt=0)
