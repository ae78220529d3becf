"""Retries over HTTP: one run, or by one order all that failed and match."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool

from mainstay.db import acquire
from mainstay.errors import RetryRefusedError
from mainstay.insight.retries import bulk_retry, count_chosen, list_chosen
from mainstay.insight.runs import run_detail
from mainstay.runs import Brake, Chosen
from mainstay.web.api.bodies import is_text
from mainstay.web.api.desk import Ask, Asking
from mainstay.web.api.problems import CONFLICT, INVALID, NOT_FOUND, ProblemError

router = APIRouter(tags=["runs"])


class RetryBody(BaseModel):
    """How a run is retried: from the step that failed, or from another; with its input, or this one."""

    model_config = ConfigDict(extra="forbid")

    from_step: int | None = Field(default=None, ge=1, description="Begin again here; 1 is the start.")
    input: dict[str, Any] | None = Field(default=None, description="Its input from now on, whole.")


class RetriedShape(BaseModel):
    """The run that is on the queue again."""

    id: UUID


class OrderBody(BaseModel):
    """Which failed runs to retry, and how: those that nobody has handled and that match all that is said."""

    model_config = ConfigDict(extra="forbid")

    workflow: str = Field(default="", max_length=200)
    failed_at: str = Field(default="", max_length=200, description="The connection at which they failed.")
    incident_id: UUID | None = None
    since: Annotated[AwareDatetime | None, BeforeValidator(is_text)] = Field(
        default=None, description="That failed at or after this moment."
    )
    error: str = Field(default="", max_length=500, description="A text in their error.")
    from_start: StrictBool = False
    per_second: float | None = Field(default=None, gt=0, le=1000)
    stop_on_error: StrictBool = False
    dry_run: StrictBool = Field(default=False, description="Only count them, and show the first.")


class MeantShape(BaseModel):
    """A run that is meant, and the step that would be sent."""

    id: UUID
    workflow: str
    step: int | None
    name: str
    connection: str
    error: str


class OrderedShape(BaseModel):
    """An order; ``order_id`` is null after a dry run. ``count`` stops at 1,000, and ``is_more`` then says so."""

    order_id: UUID | None
    count: int
    is_more: bool
    first: list[MeantShape]


class OrderShape(BaseModel):
    """How far an order is. ``went`` counts the runs that it sent by the state they are in now."""

    id: UUID
    state: str
    sent: int
    went: dict[str, int]
    note: str
    begun_at: datetime
    ended_at: datetime | None


@router.post("/runs/{run_id}/retry")
async def retry_run(ask: Ask, run_id: UUID, body: RetryBody) -> RetriedShape:
    """Retry a run that has ended. What is finished before the step it begins at stands."""
    async with ask.reading() as connection:
        if await run_detail(connection, ask.workspace_id, run_id) is None:
            raise ProblemError(NOT_FOUND, "There is no such run in this workspace.")
    try:
        await ask.desk.backend.retrier.retry(
            ask.workspace_id, run_id, from_step=body.from_step, given=body.input, by=ask.caller.name
        )
    except RetryRefusedError as error:
        raise ProblemError(CONFLICT, f"{error}. {error.hint}".strip()) from error
    return RetriedShape(id=run_id)


@router.post("/retries")
async def order_retries(ask: Ask, body: OrderBody) -> OrderedShape:
    """Order that all failed runs that match be retried; a worker carries it out, as the brake allows."""
    if not (body.workflow or body.failed_at or body.incident_id or body.since or body.error):
        raise ProblemError(INVALID, "Say which: workflow, failed_at, incident_id, since or error.")
    chosen = Chosen(body.workflow, body.failed_at, body.incident_id, body.since, body.error)
    async with acquire(ask.desk.backend.pool) as connection:
        found = await list_chosen(connection, ask.workspace_id, chosen, size=50)
        count = await count_chosen(connection, ask.workspace_id, chosen)
    order_id = None
    if not body.dry_run:
        brake = Brake(body.per_second, body.stop_on_error)
        order_id = await ask.desk.backend.retrier.begin(
            ask.workspace_id, chosen, brake, from_start=body.from_start, by=ask.caller.name
        )
    first = [
        MeantShape(
            id=each.run.id,
            workflow=each.run.workflow,
            step=each.step,
            name=each.name,
            connection=each.connection,
            error=ask.mask.text(each.run.error),
        )
        for each in found.items
    ]
    return OrderedShape(order_id=order_id, count=count.number, is_more=count.is_more, first=first)


@router.get("/retries/{order_id}")
async def show_order(ask: Ask, order_id: UUID) -> OrderShape:
    """Show how far an order is."""
    return await _order(ask, order_id)


@router.post("/retries/{order_id}/stop")
async def stop_order(ask: Ask, order_id: UUID) -> OrderShape:
    """Send nothing more of an order; what has been sent goes on."""
    await _order(ask, order_id)
    await ask.desk.backend.retrier.stop(ask.workspace_id, order_id, by=ask.caller.name)
    return await _order(ask, order_id)


@router.post("/retries/{order_id}/resume")
async def resume_order(ask: Ask, order_id: UUID) -> OrderShape:
    """Let a stopped order go on where it stopped."""
    await _order(ask, order_id)
    await ask.desk.backend.retrier.resume(ask.workspace_id, order_id)
    return await _order(ask, order_id)


async def _order(ask: Asking, order_id: UUID) -> OrderShape:
    async with ask.reading() as connection:
        found = await bulk_retry(connection, ask.workspace_id, order_id)
    if found is None:
        raise ProblemError(NOT_FOUND, "There is no such order in this workspace.")
    return OrderShape.model_validate(found, from_attributes=True)
