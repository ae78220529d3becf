"""What stack.toml says of a Linear workspace, and of the changes that it reports."""

from __future__ import annotations

from typing import Self

from pydantic import Field, SecretStr, model_validator

from mainstay.kit import ConnectionSettings, SourceSettings
from mainstay.kit.secrets import Secrets, require_one_way_in

_EMPTY = SecretStr("")


class LinearConnection(ConnectionSettings):
    """``{ connector = "linear", api_key = "${LINEAR_API_KEY}", team = "OPS" }``."""

    api_key: SecretStr = Field(_EMPTY, description="A personal API key; or give an OAuth app.")
    client_id: str = Field("", description="Client ID of an OAuth app, with client_secret.")
    client_secret: SecretStr = Field(_EMPTY, description="The OAuth app's secret.")
    team: str = Field("", description="The team that tasks go to: its key (OPS) or name. A workflow may name another.")
    done_state: str = Field("", description="The state of a task that is done; empty for the team's first completed.")

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        require_one_way_in("api_key", self.api_key, self.client_id, self.client_secret)
        return self


class LinearSource(SourceSettings):
    """``[sources.NAME]`` with ``kind = "linear"``: what becomes of issues."""

    secret: Secrets = Field(description="The webhook's signing secret.")
