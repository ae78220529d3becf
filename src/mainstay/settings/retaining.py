"""``[retention]``: how long what has ended is kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from mainstay.kit import Duration
from mainstay.retention import Retention
from mainstay.settings.document import Document
from mainstay.settings.schema import Table
from mainstay.settings.wording import check

_LEAST = timedelta(days=7)


def _check_age(age: timedelta) -> timedelta:
    if age < _LEAST:
        raise PydanticCustomError(
            "stack", "{problem}", {"problem": "a week at the least: people look at what failed some days later"}
        )
    return age


_Age = Annotated[Duration, AfterValidator(_check_age)]


class RetentionTable(Table):
    """``[retention]``. What is not said is kept for ever."""

    calls: _Age | None = Field(
        default=None, description='What steps sent and got: calls = "60d". Steps themselves stay.'
    )
    runs: _Age | None = Field(default=None, description='Runs that ended, with their steps: runs = "400d"')
    deliveries: _Age | None = Field(default=None, description='What arrived, once no run of it is kept: "400d"')


def read_retention(document: Document) -> Retention:
    """Return how long what has ended is kept."""
    table = check(document, ("retention",), RetentionTable, document.data.get("retention", {}))
    return Retention(table.calls, table.runs, table.deliveries) if table is not None else Retention()
