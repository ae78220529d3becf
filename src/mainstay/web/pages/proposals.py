"""Reviews of what was written into copies: each is taken over by the contact, reverted or left."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mainstay.errors import MirrorRefusedError, PermanentError, WorkflowError
from mainstay.insight.mirrors import find_drift, list_drifts, proposals_by_mirror
from mainstay.web.render import site_of
from mainstay.web.security import person_of

router = APIRouter(prefix="/w/{slug}/reviews/proposals")

Verb = Literal["revert", "take-over", "leave", "undo"]
DONE = {"revert": "reverted", "take-over": "taken_over", "leave": "left", "undo": "undone"}
_LATEST = 20
_AT_ONCE = 10


@router.get("")
async def proposals(request: Request, slug: str, before: UUID | None = None) -> Response:
    """Show what waits for a review, and what became of the latest."""
    return await _proposals(request, slug, before=before)


async def _proposals(request: Request, slug: str, *, before: UUID | None = None, refusal: str = "") -> Response:
    async with site_of(request).page(request, slug) as page:
        workspace_id = page.workspace.id
        return page.html(
            "proposals.html",
            status=409 if refusal else 200,
            waiting=await list_drifts(page.connection, workspace_id, proposed=True, before=before, size=_AT_ONCE),
            by_mirror=await proposals_by_mirror(page.connection, workspace_id),
            decided=await list_drifts(page.connection, workspace_id, proposed=True, decided=True, size=_LATEST),
            ownership=site_of(request).backend.ownership(workspace_id),
            refusal=refusal,
        )


@router.post("/{drift_id}/{verb}")
async def decide(request: Request, slug: str, drift_id: UUID, verb: Verb) -> Response:
    """Say what is to become of a proposal."""
    if refusal := await carry_out(request, slug, drift_id, verb):
        return await _proposals(request, slug, refusal=refusal)
    return RedirectResponse(f"/w/{slug}/reviews/proposals?done={DONE[verb]}", 303)


async def carry_out(request: Request, slug: str, drift_id: UUID, verb: Verb) -> str:
    """Do what a person makes of a difference; returns why it was not done, empty where it was.

    Raises:
        HTTPException: 404, there is no such difference.
    """
    site, by = site_of(request), person_of(request)
    async with site.page(request, slug) as page:
        drift = await find_drift(page.connection, page.workspace.id, drift_id)
    if drift is None:
        raise HTTPException(404, "There is no such difference in this workspace.")
    copies, workspace_id = site.backend.copies, site.workspace(slug).id
    try:
        if verb == "revert":
            await copies.revert(workspace_id, drift.mirror, [drift_id], by=by)
        elif verb == "take-over":
            await copies.take_over(workspace_id, drift_id, by=by)
        elif verb == "leave":
            await copies.leave(workspace_id, [drift_id], by=by)
        else:
            await copies.undo(workspace_id, drift.mirror, [drift_id], by=by)
    except (MirrorRefusedError, PermanentError, WorkflowError) as error:
        hint = getattr(error, "hint", "")
        return f"That was not done: {error}. {f'{hint}.' if hint else ''}".strip()
    return ""
