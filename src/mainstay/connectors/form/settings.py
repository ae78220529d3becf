"""Settings of ``kind = "form"`` and ``kind = "json"``."""

from __future__ import annotations

import base64
import binascii
from typing import Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from mainstay.kit.mapping import MappedSettings
from mainstay.kit.secrets import Secrets, plain

SIGNING_PREFIX = "whsec_"


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
            if secret.startswith(SIGNING_PREFIX):
                try:
                    base64.b64decode(secret.removeprefix(SIGNING_PREFIX), validate=True)
                except binascii.Error:
                    kind = "secret"
                    message = "a secret that begins with whsec_ should go on in base64: copy it again, whole"
                    raise PydanticCustomError(kind, message) from None
        return self
