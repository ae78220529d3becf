"""A person's word, over HTTP, on a call of which nobody else could tell whether it happened."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from mainstay.web.api.desk import Ask
from mainstay.web.api.problems import NOT_FOUND, ProblemError

router = APIRouter(tags=["runs"])


class AnswerBody(BaseModel):
    """Whether the call had its effect; if not, or if nobody knows, it is made again."""

    model_config = ConfigDict(extra="forbid")

    happened: StrictBool = Field(description="True: it stands as done. False: it is made again.")


class AnsweredShape(BaseModel):
    """The run that goes on."""

    id: UUID
    happened: bool


@router.post("/runs/{run_id}/answer")
async def answer_run(ask: Ask, run_id: UUID, body: AnswerBody) -> AnsweredShape:
    """Let a run that stopped to ask go on."""
    if not await ask.desk.backend.answer_run(ask.workspace_id, run_id, happened=body.happened):
        raise ProblemError(NOT_FOUND, "There is no such run in this workspace that asks whether its call happened.")
    return AnsweredShape(id=run_id, happened=body.happened)
