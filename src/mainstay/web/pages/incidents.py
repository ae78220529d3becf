"""Incidents: what is broken, and what was."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mainstay.insight import (
    RunFilter,
    count_newer_incidents,
    incident_detail,
    list_alerts,
    list_quarantine,
    list_runs,
    open_incidents,
    resolved_incidents,
)
from mainstay.web.render import site_of
from mainstay.web.security import person_of

router = APIRouter(prefix="/w/{slug}/incidents")


@router.get("")
async def incidents(
    request: Request, slug: str, before: UUID | None = None, seen: AwareDatetime | None = None
) -> Response:
    """List open incidents, then resolved ones. ``seen`` is when a page of older ones was opened."""
    async with site_of(request).page(request, slug) as page:
        seen = seen or page.now
        is_first = before is None
        return page.html(
            "incidents.html",
            open=await open_incidents(page.connection, page.workspace.id) if before is None else (),
            found=await resolved_incidents(page.connection, page.workspace.id, before=before),
            is_first=is_first,
            newer=None if is_first else await count_newer_incidents(page.connection, page.workspace.id, seen),
            again=page.again() if is_first else page.again(seen=seen.isoformat()),
        )


@router.get("/{incident_id}")
async def incident(
    request: Request, slug: str, incident_id: UUID, before: UUID | None = None, *, acknowledge: bool = False
) -> Response:
    """Show one incident and the runs it stopped.

    With ``acknowledge`` the button for that is under the finger of whoever follows an alert's link. The link alone does
    nothing: chats and mail scanners open links by themselves.
    """
    async with site_of(request).page(request, slug) as page:
        workspace_id = page.workspace.id
        shown = await incident_detail(page.connection, workspace_id, incident_id)
        if shown is None:
            raise HTTPException(404, "There is no such incident in this workspace.")
        wanted = RunFilter(incident_id=incident_id)
        is_of_source = bool(shown.source) and not shown.is_reported
        return page.html(
            "incident.html",
            incident=shown,
            alerts=await list_alerts(page.connection, incident_id),
            is_asked=acknowledge and shown.life == "open",
            found=await list_runs(page.connection, workspace_id, wanted, before=before),
            suspects=(await list_quarantine(page.connection, workspace_id, source=shown.source)).items
            if is_of_source
            else (),
        )


@router.post("/{incident_id}/acknowledge")
async def acknowledge(request: Request, slug: str, incident_id: UUID) -> Response:
    """Note that somebody sees to it, so that nobody else is called."""
    site = site_of(request)
    is_done = await site.backend.acknowledge_incident(site.workspace(slug).id, incident_id, by=person_of(request))
    done = "acknowledged" if is_done else "not_acknowledged"
    return RedirectResponse(f"/w/{slug}/incidents/{incident_id}?done={done}", 303)


@router.post("/{incident_id}/resolve")
async def resolve(request: Request, slug: str, incident_id: UUID) -> Response:
    """Close an incident by hand."""
    site = site_of(request)
    is_done = await site.backend.resolve_incident(site.workspace(slug).id, incident_id)
    return RedirectResponse(f"/w/{slug}/incidents/{incident_id}?done={'resolved' if is_done else 'not_open'}", 303)
