"""Runs over HTTP: a program starts a workflow, and hears what came of it."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from mainstay.model import RunState
from mainstay.web.api.bodies import StartBody
from mainstay.web.api.contacts import REPEATED, Key, write_one
from mainstay.web.api.desk import Ask, Asking
from mainstay.web.api.problems import GONE, INVALID, NOT_FOUND, FieldError, ProblemError
from mainstay.web.masking import Mask
from mainstay.workflows import UnknownWorkflowError

if TYPE_CHECKING:
    from mainstay.runs import RunResult

router = APIRouter(prefix="/runs", tags=["runs"])


class RunShape(BaseModel):
    """A run of a workflow. ``result`` is what it returned, once its state is done."""

    id: UUID
    workflow: str
    state: RunState
    contact_id: UUID | None
    result: Annotated[
        Any, Field(description="What the workflow returned; null until it is done. Masked without the scope personal.")
    ]
    error: Annotated[str, Field(description="Why it failed; empty where it did not.")]
    waiting_for: Annotated[str, Field(description="What it waits for; empty where it does not.")]
    wake_at: datetime | None
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, answer: RunResult, mask: Mask) -> RunShape:
        """Return a run as the API gives it."""
        shown = cls.model_validate(answer, from_attributes=True)
        return shown.model_copy(update={"result": mask.said(shown.result), "error": mask.text(shown.error)})


@router.post(
    "",
    response_model=RunShape,
    responses={202: {"model": RunShape, "description": "It goes on by itself: ask for it at its Location"}},
    response_description="It has ended: done, or failed",
)
async def start_run(ask: Ask, body: StartBody, idempotency_key: Key = "") -> Response:
    """Run a workflow for a contact. A sync one answers with its result; an async one, or one that is late, with 202."""
    began = time.monotonic()
    flows = ask.desk.workflows
    bare = idempotency_key.strip('"')
    try:
        flows.named(ask.workspace_id, body.workflow)
    except UnknownWorkflowError as error:
        raise ProblemError(INVALID, f"workflow: {error}", errors=[FieldError("workflow", str(error))]) from error
    contact_id = await _whom(ask, body, bare)
    # A name of a token may hold anything but a line's end: so no key of a contact's write is the same.
    key = f"run\n{ask.caller.name}:{bare}" if bare else ""
    started = await flows.start(ask.workspace_id, body.workflow, contact_id, body.input, key=key)
    answer = await flows.answer(ask.workspace_id, started, began=began)
    if answer is None:
        raise ProblemError(GONE, "The run that this key began is no longer kept.")
    headers = {"Location": f"/api/v1/runs/{answer.id}"} | ({REPEATED: "true"} if started.is_repeat else {})
    return JSONResponse(RunShape.of(answer, ask.mask).model_dump(mode="json"), 202 if answer.is_open else 200, headers)


async def _whom(ask: Asking, body: StartBody, key: str) -> UUID:
    """Return whom a run is about; who is only described is written first, under the same key."""
    if body.contact_id is not None:
        return (await ask.meant(body.contact_id)).id
    assert body.contact is not None  # noqa: S101 - the body's own check
    outcome = await write_one(ask, body.contact, f"run\n{key}" if key else "", besides=body.workflow)
    if outcome.contact_id is None:
        message = outcome.note or "it was not taken"
        raise ProblemError(INVALID, f"contact: {message}", errors=[FieldError("contact", message)])
    return outcome.contact_id


@router.get("/{run_id}")
async def show_run(ask: Ask, run_id: UUID) -> RunShape:
    """Show how a run stands, and what it returned."""
    answer = await ask.desk.workflows.look(ask.workspace_id, run_id)
    if answer is None:
        raise ProblemError(NOT_FOUND, "There is no such run in this workspace.")
    return RunShape.of(answer, ask.mask)
