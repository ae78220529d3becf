"""How patient a stack's calls are: ``retry`` of a connection, and ``[retries.NAME]``."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mainstay.kit.source import Duration
from mainstay.model import Retry


class RetryTable(BaseModel):
    """What one level says of retries; what it leaves out, a wider level says."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    first: Duration | None = Field(default=None, description='The wait after the first try: first = "1s"')
    longest: Duration | None = Field(default=None, description='The longest wait between two tries: longest = "1h"')
    give_up: Duration | None = Field(
        default=None, description='How long after the first try a human is told: give_up = "24h"'
    )
    on_unsure: Literal["repeat", "ask"] | None = Field(
        default=None, description="What to do when a call may have happened, and nobody can tell."
    )

    @model_validator(mode="after")
    def _says_what_can_be(self) -> Any:
        self.said()
        return self

    def said(self) -> Retry:
        """Return it as the engine takes it."""
        return Retry(first=self.first, longest=self.longest, give_up=self.give_up, on_unsure=self.on_unsure)
