"""Mirrors, among Connections: how far each copy is, where somebody changed it, and what is to become of that."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mainstay.errors import MirrorRefusedError, PermanentError, WorkflowError
from mainstay.insight.mirrors import find_drift, list_drifts, list_mirrors
from mainstay.swaps import latest, obstacles, phase_of, standing_of
from mainstay.web.render import site_of
from mainstay.web.security import person_of

router = APIRouter(prefix="/w/{slug}/mirrors")

_LATEST = 20
_AT_ONCE = 10


@router.get("")
async def mirrors(request: Request, slug: str, before: UUID | None = None) -> Response:
    """Show the mirrors, what drifted, and what became of it."""
    return await _mirrors(request, slug, before=before)


async def _mirrors(request: Request, slug: str, *, before: UUID | None = None, refusal: str = "") -> Response:
    site = site_of(request)
    async with site.page(request, slug) as page:
        workspace_id = page.workspace.id
        swap = await latest(page.connection, workspace_id)
        is_running = swap is not None and swap.state == "running"
        standing = await standing_of(page.connection, workspace_id, swap.new) if swap and is_running else None
        return page.html(
            "mirrors.html",
            swap=swap,
            phase=phase_of(swap.state, standing, page.now) if swap else "",
            obstacles=obstacles(standing, page.now) if is_running else (),
            status=409 if refusal else 200,
            mirrors=await list_mirrors(page.connection, workspace_id),
            waiting=await list_drifts(page.connection, workspace_id, before=before, size=_AT_ONCE),
            decided=await list_drifts(page.connection, workspace_id, decided=True, size=_LATEST),
            ownership=site.backend.ownership(workspace_id),
            refusal=refusal,
        )


@router.post("/{name}/compare")
async def compare(request: Request, slug: str, name: str) -> Response:
    """Look now whether somebody changed a copy."""
    site = site_of(request)
    try:
        run_id = await site.backend.copies.compare(site.workspace(slug).id, name)
    except WorkflowError:
        raise HTTPException(404, "The stack has no such mirror.") from None
    except MirrorRefusedError as error:
        return await _mirrors(request, slug, refusal=f"That was not done: {error}. {error.hint}.")
    return RedirectResponse(f"/w/{slug}/runs/{run_id}", 303)


@router.post("/{name}/revert")
async def revert_all(request: Request, slug: str, name: str) -> Response:
    """Write everything that drifted in a copy again as it was."""
    site = site_of(request)
    try:
        await site.backend.copies.revert(site.workspace(slug).id, name, by=person_of(request))
    except WorkflowError:
        raise HTTPException(404, "The stack has no such mirror.") from None
    return RedirectResponse(f"/w/{slug}/mirrors", 303)


@router.post("/drift/{drift_id}/{verb}")
async def decide(
    request: Request, slug: str, drift_id: UUID, verb: Literal["revert", "take-over", "leave", "undo"]
) -> Response:
    """Say what is to become of a difference."""
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
            await copies.undo(workspace_id, drift.mirror, [drift_id])
    except (MirrorRefusedError, PermanentError, WorkflowError) as error:
        hint = getattr(error, "hint", "")
        return await _mirrors(request, slug, refusal=f"That was not done: {error}. {hint}".strip())
    return RedirectResponse(f"/w/{slug}/mirrors", 303)
