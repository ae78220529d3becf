"""Approvals, among Reviews: what runs ask people, and what was answered."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mainstay.errors import PermanentError
from mainstay.insight.approvals import decided_approvals, open_approvals
from mainstay.web.render import site_of
from mainstay.web.security import person_of

router = APIRouter(prefix="/w/{slug}/reviews/approvals")

_LATEST = 20


@router.get("")
async def approvals(request: Request, slug: str, before: UUID | None = None) -> Response:
    """Show the questions that wait, and the latest answers."""
    return await _approvals(request, slug, before=before)


async def _approvals(request: Request, slug: str, *, before: UUID | None = None, refusal: str = "") -> Response:
    async with site_of(request).page(request, slug) as page:
        waiting = await open_approvals(page.connection, page.workspace.id)
        decided = await decided_approvals(page.connection, page.workspace.id, before=before, size=_LATEST)
        return page.html(
            "approvals.html", status=409 if refusal else 200, waiting=waiting, decided=decided, refusal=refusal
        )


@router.post("/{approval_id}/{answer}")
async def decide(
    request: Request,
    slug: str,
    approval_id: UUID,
    answer: Literal["approve", "decline"],
    note: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """Answer a question; the run goes on."""
    site = site_of(request)
    try:
        decision = await site.backend.approvals.decide(
            site.workspace(slug).id, approval_id, approved=answer == "approve", by=person_of(request), note=note
        )
    except LookupError:
        raise HTTPException(404, "There is no such question in this workspace.") from None
    except PermanentError as error:
        return await _approvals(request, slug, refusal=f"Your answer was not taken: {error}.")
    return RedirectResponse(f"/w/{slug}/reviews/approvals?done={decision.state}", 303)
