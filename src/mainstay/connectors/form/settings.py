"""Settings of ``kind = "form"`` and ``kind = "json"``."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from mainstay.kit.mapping import MappedSettings
from mainstay.kit.secrets import Secrets, plain
from mainstay.kit.standard_webhooks import require_whole


class FormSettings(MappedSettings):
    """A form or system that posts to us."""

    secret: Secrets = Field(
        (), description="Secret, or list of secrets: signs by Standard Webhooks (whsec_...) or is sent along."
    )
    honeypot: str = Field(
        "", description="A field hidden from people; a delivery that fills it comes from a robot and is set aside."
    )

    @model_validator(mode="after")
    def _check_signing_secrets(self) -> Self:
        for secret in plain(self.secret):
            require_whole(secret)
        return self
