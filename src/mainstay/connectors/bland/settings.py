"""What stack.toml says of an account at Bland, and of the calls that it reports."""

from __future__ import annotations

from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from mainstay.kit import ConnectionSettings, SourceSettings
from mainstay.kit.secrets import Secrets


class BlandConnection(ConnectionSettings):
    """``{ connector = "bland", api_key = "${BLAND_API_KEY}", pathway = "...", webhook = "https://..." }``."""

    api_key: SecretStr = Field(description="The account's API key.")
    pathway: str = Field("", description="Id of the pathway that leads calls, where a call names none.")
    task: str = Field("", description="What the caller is to do, in words, in place of a pathway.")
    sender: str = Field(
        "", alias="from", description="A number of yours; empty for one of Bland's.", pattern=r"^(\+[1-9]\d{6,14})?$"
    )
    voice: str = Field("", description="Name or id of the voice; empty for Bland's own choice.")
    webhook: str = Field("", description="Where Bland reports the end of each call: the address of the source.")
    max_minutes: int = Field(30, ge=1, le=720, description="Longest call, in minutes.")
    record: bool = Field(default=False, description="Whether calls are recorded.")
    detect_voicemail: bool = Field(
        default=True, description="Whether Bland is asked who answered (answered_by_enabled)."
    )

    @field_validator("api_key")
    @classmethod
    def _is_given(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().strip():
            message = "the key is empty: set it in the environment or in .env"
            raise ValueError(message)
        return value

    @field_validator("webhook")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if value and not value.startswith(("https://", "http://")):
            message = "write the whole address of the source, such as https://example.com/in/WORKSPACE/calls"
            raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _one_script(self) -> Self:
        if self.pathway and self.task:
            message = "give either pathway (an id) or task (words): Bland takes one of them"
            raise ValueError(message)
        return self


class BlandSource(SourceSettings):
    """``[sources.NAME]`` with ``kind = "bland"``: how calls ended."""

    secret: Secrets = Field(description="The webhook signing secret, as Bland showed it once.")
    max_bytes: int = Field(5_000_000, description="Largest body taken, in bytes; reports hold the transcript.", gt=0)
