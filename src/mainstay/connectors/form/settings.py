"""Settings of ``kind = "form"`` and ``kind = "json"``."""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar, Self

from pydantic import Field, model_validator

from mainstay.kit.mapping import MappedSettings
from mainstay.kit.record_mapping import RecordMap
from mainstay.kit.secrets import Secrets, plain
from mainstay.kit.standard_webhooks import require_whole
from mainstay.model import RECORD_TYPES


class FormSettings(MappedSettings):
    """A form or system that posts to us: contacts, or with ``record`` another type of record."""

    takes_records: ClassVar[bool] = True
    secret: Secrets = Field(
        (), description="Secret, or list of secrets: signs by Standard Webhooks (whsec_...) or is sent along."
    )
    honeypot: str = Field(
        "", description="A field hidden from people; a delivery that fills it comes from a robot and is set aside."
    )

    @cached_property
    def record_map(self) -> RecordMap | None:
        """The compiled map of the type that ``record`` names; None for contacts, and for what is no type."""
        kind = next((each for each in RECORD_TYPES if each == self.record), None)
        return RecordMap(kind, self.map) if kind else None

    def compile_map(self) -> None:
        """Compile the map of the type that deliveries are of."""
        if self.record_map is None:
            super().compile_map()

    @model_validator(mode="after")
    def _check_signing_secrets(self) -> Self:
        for secret in plain(self.secret):
            require_whole(secret)
        return self
