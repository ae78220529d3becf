"""``[outcomes.NAME]``: what should become of each lead, and by when."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from mainstay.kit import Duration
from mainstay.monitors import OutcomeRule, read_want
from mainstay.monitors.outcome_rules import NEW_LEAD
from mainstay.settings.document import Document, suggest
from mainstay.settings.hours import EXAMPLE, Hours
from mainstay.settings.schema import Table
from mainstay.settings.wording import check

_LEAST, _MOST = timedelta(minutes=1), timedelta(days=30)


def _problem(message: str) -> PydanticCustomError:
    return PydanticCustomError("stack", "{problem}", {"problem": message})


def _check_within(within: timedelta) -> timedelta:
    if not _LEAST <= within <= _MOST:
        raise _problem('from a minute to 30 days: within = "5m"')
    return within


def _check_wants(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        try:
            read_want(text)
        except ValueError as error:
            raise _problem(str(error)) from None
    return texts


class OutcomeTable(Table):
    """``[outcomes.NAME]``."""

    expect: Annotated[tuple[str, ...], AfterValidator(_check_wants)] = Field(
        min_length=1,
        description='What each should have: "CRM record", "message" (e-mail, text or call), a step or a workflow.',
    )
    within: Annotated[Duration, AfterValidator(_check_within)] = Field(
        default=timedelta(minutes=5), description="By when."
    )
    on: str = Field(default=NEW_LEAD, description="The event that it counts from: a new lead's when not given.")
    sources: tuple[str, ...] = Field(default=(), description="Leads of these sources alone; of all when not given.")
    within_hours: bool = Field(default=False, description="Whether only the time within the workspace's hours counts.")


def read_outcomes(
    document: Document, tables: Iterable[tuple[str, dict[str, Any]]], sources: Collection[str], hours: Hours | None
) -> Mapping[str, OutcomeRule]:
    """Return the declared outcomes by name."""
    found: dict[str, OutcomeRule] = {}
    for name, written in tables:
        path = ("outcomes", name)
        table = check(document, path, OutcomeTable, written)
        if table is None:
            continue
        for place, source in enumerate(table.sources):
            if source not in sources:
                hint = suggest(source, sources) or f"Declared: {', '.join(sources) or 'none'}."
                document.add((*path, "sources", place), f'there is no source "{source}"', hint)
        if table.within_hours and hours is None:
            mend = f'add  hours = "{EXAMPLE}"  to [workspace]'
            document.add((*path, "within_hours"), "the workspace has no hours", mend)
        wants = tuple(read_want(text) for text in table.expect)
        open_hours = hours if table.within_hours else None
        found[name] = OutcomeRule(name, wants, table.within, table.on, table.sources, open_hours)
    return MappingProxyType(found)
