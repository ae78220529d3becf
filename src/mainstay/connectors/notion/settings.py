"""What stack.toml says of a Notion workspace, and of the changes that it reports."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from mainstay.kit import ConnectionSettings, SourceSettings
from mainstay.kit.secrets import Secrets, require_one_way_in

_EMPTY = SecretStr("")
# At the end of a page's address, behind its title.
_PAGE = re.compile(r"(?:^|[/-])([0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12})(?:[?#].*)?$")


class Properties(BaseModel):
    """Which properties of the database a task's parts are; where none is named, the first of its type."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: str = Field(default="", description="A status or a checkbox.")
    due: str = Field(default="", description="A date.")
    assignee: str = Field(default="", description="A person.")
    labels: str = Field(default="", description="A multi-select.")
    key: str = Field(default="", description="A text in which Mainstay keeps its own id of a task.")


class NotionConnection(ConnectionSettings):
    """``{ connector = "notion", token = "${NOTION_TOKEN}", database = "Tasks" }``."""

    token: SecretStr = Field(_EMPTY, description="An internal integration's secret; or give a public one.")
    client_id: str = Field("", description="OAuth client ID of a public integration, with client_secret.")
    client_secret: SecretStr = Field(_EMPTY, description="Its OAuth client secret.")
    database: str = Field("", description="Where tasks go: a database's name or id. A workflow may name another.")
    properties: Properties = Field(Properties(), description="Which properties hold what.")
    done: str = Field("", description="The status of a task that is done; empty for the first in the group Complete.")
    version: str = Field("2025-09-03", description="Notion-Version.", pattern=r"^\d{4}-\d\d-\d\d$")
    create: Literal["nothing", "columns", "tables"] = Field(
        "columns", description="What a table lacks and gets: nothing, columns, or also whole databases, below page."
    )
    page: str = Field("", description="The page below which databases are made: its address or id.")

    @field_validator("page")
    @classmethod
    def _is_page(cls, value: str) -> str:
        found = _PAGE.search(value.strip().lower())
        if value and not found:
            message = "is no page of Notion: copy its address, by Share > Copy link"
            raise ValueError(message)
        return found[1] if found else ""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        require_one_way_in("token", self.token, self.client_id, self.client_secret)
        if self.create == "tables" and not self.page:
            message = 'create = "tables" wants page: the page below which databases are made'
            raise ValueError(message)
        return self


class NotionSource(SourceSettings):
    """``[sources.NAME]`` with ``kind = "notion"``; its deliveries name pages, which ``connection`` reads."""

    connection: str = Field(description="The notion connection that reads the pages.", min_length=1)
    verification_token: Secrets = Field((), description="What Notion sent to verify the subscription.")
    properties: Properties = Field(Properties(), description="Which properties hold what, as the connection has it.")
    done: str = Field("", description="The status of a task that is done, as the connection has it.")
