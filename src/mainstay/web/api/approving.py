"""Approvals over HTTP: what runs ask people, answered by a program on a person's behalf."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from mainstay.insight.approvals import ApprovalRow, decided_approvals, find_approval, open_approvals
from mainstay.web.api.contacts import Limit
from mainstay.web.api.desk import Ask
from mainstay.web.api.problems import NOT_FOUND, ProblemError

router = APIRouter(tags=["approvals"])


class ApprovalShape(BaseModel):
    """One question of a run."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    run_id: UUID
    workflow: str
    question: str
    state: Literal["open", "approved", "declined", "expired", "withdrawn"]
    contact_id: UUID | None
    asked_at: datetime
    expires_at: datetime | None
    decided_at: datetime | None
    decided_by: str
    note: str


class ApprovalsPage(BaseModel):
    """Questions; ``next`` asks for those that follow."""

    approvals: list[ApprovalShape]
    next: UUID | None = None


class AnswerBody(BaseModel):
    """What goes with an answer. ``by`` is the person who gave it; without it, the token's name stands."""

    model_config = ConfigDict(extra="forbid")

    note: Annotated[str, Field(max_length=1000)] = ""
    by: Annotated[str, Field(max_length=200)] = ""


@router.get("/approvals")
async def approvals(
    ask: Ask,
    state: Annotated[Literal["open", "decided"], Query()] = "open",
    cursor: UUID | None = None,
    limit: Limit = 50,
) -> ApprovalsPage:
    """List questions: those that are open, the oldest first; those that are not any more, the newest first."""
    async with ask.reading() as connection:
        if state == "open":
            page = await open_approvals(connection, ask.workspace_id, after=cursor, size=limit)
        else:
            page = await decided_approvals(connection, ask.workspace_id, before=cursor, size=limit)
    return ApprovalsPage(approvals=[ApprovalShape.model_validate(row) for row in page.items], next=page.before)


@router.post("/approvals/{approval_id}/approve")
async def approve(ask: Ask, approval_id: UUID, body: AnswerBody | None = None) -> ApprovalShape:
    """Answer with yes. The first answer stands: a later one is told so, as a conflict."""
    return await _decide(ask, approval_id, body, approved=True)


@router.post("/approvals/{approval_id}/decline")
async def decline(ask: Ask, approval_id: UUID, body: AnswerBody | None = None) -> ApprovalShape:
    """Answer with no. The first answer stands: a later one is told so, as a conflict."""
    return await _decide(ask, approval_id, body, approved=False)


async def _decide(ask: Ask, approval_id: UUID, body: AnswerBody | None, *, approved: bool) -> ApprovalShape:
    given = body or AnswerBody()
    try:
        await ask.approvals.decide(
            ask.workspace_id, approval_id, approved=approved, by=given.by or ask.caller.name, note=given.note
        )
    except LookupError:
        raise ProblemError(NOT_FOUND, "There is no such approval in this workspace.") from None
    async with ask.reading() as connection:
        found: ApprovalRow | None = await find_approval(connection, ask.workspace_id, approval_id)
    return ApprovalShape.model_validate(found)
