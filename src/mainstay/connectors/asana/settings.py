"""What stack.toml says of an Asana workspace, and of the changes that it reports."""

from __future__ import annotations

from typing import Self

from pydantic import Field, SecretStr, model_validator

from mainstay.kit import ConnectionSettings, SourceSettings
from mainstay.kit.secrets import Secrets, require_one_way_in

_EMPTY = SecretStr("")


class AsanaConnection(ConnectionSettings):
    """``{ connector = "asana", token = "${ASANA_TOKEN}", workspace = "1200...", project = "Leads" }``."""

    token: SecretStr = Field(_EMPTY, description="A personal access token; or give an OAuth app.")
    client_id: str = Field("", description="Client ID of an OAuth app, with client_secret.")
    client_secret: SecretStr = Field(_EMPTY, description="The OAuth app's secret.")
    workspace: str = Field(description="The workspace's or organisation's number.", pattern=r"^\d{1,30}$")
    project: str = Field("", description="Where tasks go: a project's name or number. A workflow may name another.")

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        require_one_way_in("token", self.token, self.client_id, self.client_secret)
        return self


class AsanaSource(SourceSettings):
    """``[sources.NAME]`` with ``kind = "asana"``; its deliveries name tasks, which ``connection`` reads."""

    connection: str = Field(description="The asana connection that reads the tasks.", min_length=1)
    secret: Secrets = Field((), description="The X-Hook-Secret that Asana answered when the webhook was made.")
