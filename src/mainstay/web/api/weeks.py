"""The weekly review over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from mainstay.insight.weekly import weekly_review
from mainstay.insight.weeks import Week
from mainstay.web.api.desk import Ask
from mainstay.web.api.problems import INVALID, FieldError, ProblemError

router = APIRouter(tags=["watch"])


class WeekSourceShape(BaseModel):
    """What a source brought; ``before`` is what it accepted the week before."""

    source: str
    accepted: int
    leads: int
    repeated: int
    rejected: int
    before: int


class WeekFlowShape(BaseModel):
    """How a workflow's runs ended; ``saved`` of those done had failed at least once and were retried."""

    workflow: str
    done: int
    failed: int
    cancelled: int
    saved: int


class WeekCauseShape(BaseModel):
    """A cause of failures; ``runs`` it held up, 1,000 at most."""

    incident_id: UUID
    title: str
    cause: str
    mend: str
    runs: int
    is_open: bool
    since: datetime


class SlowStepShape(BaseModel):
    """A step that took long, in milliseconds: the median, and what 19 of 20 stayed below."""

    workflow: str
    step: str
    connection: str
    median_ms: int
    slow_ms: int
    seen: int


class WeekShape(BaseModel):
    """A week in review. ``prevented`` counts duplicates; ``look``: what to look at, the most pressing first."""

    week: str
    since: datetime
    until: datetime
    is_over: bool
    leads: int
    accepted: int
    before: Annotated[int, Field(description="Deliveries accepted the week before.")]
    done: int
    failed: int
    saved: int
    prevented: int
    contacts: Annotated[int, Field(description="Contacts that are new.")]
    merged: int
    sources: list[WeekSourceShape]
    flows: list[WeekFlowShape]
    causes: list[WeekCauseShape]
    slow: list[SlowStepShape]
    look: list[str]


@router.get("/review")
async def week(
    ask: Ask,
    week: Annotated[
        str,
        Query(
            max_length=10,
            description="Like 2026-W48, or: this. The last whole one without it.",
            json_schema_extra={"pattern": "^(this|[0-9]{4}-W[0-9]{2})?$"},
        ),
    ] = "",
) -> WeekShape:
    """Tell what a week brought: volume by source, failures and causes, slowest steps, what was saved and prevented."""
    card = next(card for card in ask.desk.backend.workspace_cards() if card.id == ask.workspace_id)
    zone, now = ZoneInfo(card.timezone), datetime.now(UTC)
    this = Week.of(now, zone)
    try:
        wanted = this if week == "this" else Week.named(week) if week else this.before
    except ValueError as error:
        raise ProblemError(INVALID, f"week: {error}", errors=[FieldError("week", str(error))]) from error
    async with ask.reading() as connection:
        found = await weekly_review(connection, ask.workspace_id, wanted, zone, now)
    told = found.to_json()
    causes = [
        each | {name: ask.mask.text(each[name]) for name in ("title", "cause", "mend")} for each in told["causes"]
    ]
    return WeekShape.model_validate(told | {"causes": causes, "look": [ask.mask.text(text) for text, _ in found.look]})
