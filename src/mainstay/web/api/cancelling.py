"""Cancelling runs over HTTP: one, or all that are open of a workflow or a contact."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from mainstay.insight.runs import run_detail
from mainstay.web.api.desk import Ask
from mainstay.web.api.problems import INVALID, NOT_FOUND, ProblemError

if TYPE_CHECKING:
    from collections.abc import Collection

router = APIRouter(tags=["runs"])


class CancelBody(BaseModel):
    """Which open runs to cancel: of a workflow, of a contact and what was merged into it, or of both at once."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"minProperties": 1})

    workflow: str = Field(default="", max_length=200)
    contact_id: UUID | None = None


class CancelledShape(BaseModel):
    """What was cancelled, with the runs that these had begun. Runs that had ended are not among them."""

    cancelled: list[UUID]


@router.post("/runs/cancel")
async def cancel_runs(ask: Ask, body: CancelBody) -> CancelledShape:
    """Cancel the open runs of a workflow, of a contact, or of both at once."""
    if not body.workflow and body.contact_id is None:
        raise ProblemError(INVALID, "Say of which workflow or contact_id the runs are to be cancelled.")
    if body.contact_id is not None:
        await ask.meant(body.contact_id)
    keeper = ask.desk.backend.keeper
    return _shape(
        await keeper.cancel_open(
            ask.workspace_id, by=ask.caller.name, workflow=body.workflow, contact_id=body.contact_id
        )
    )


@router.post("/runs/{run_id}/cancel")
async def cancel_run(ask: Ask, run_id: UUID) -> CancelledShape:
    """Cancel a run and what it began. A call that is with its vendor comes to its end there; nothing follows it."""
    async with ask.reading() as connection:
        if await run_detail(connection, ask.workspace_id, run_id) is None:
            raise ProblemError(NOT_FOUND, "There is no such run in this workspace.")
    return _shape(await ask.desk.backend.keeper.cancel(ask.workspace_id, [run_id], by=ask.caller.name))


def _shape(cancelled: Collection[UUID]) -> CancelledShape:
    return CancelledShape(cancelled=sorted(cancelled))
