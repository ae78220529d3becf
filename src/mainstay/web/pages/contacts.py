"""Contacts: the list with its search, and everything that happened to one."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from mainstay.insight import Page, contact_detail, list_contacts, search_contacts, timeline
from mainstay.web.render import site_of

router = APIRouter(prefix="/w/{slug}/contacts")


@router.get("")
async def contacts(request: Request, slug: str, q: str = "", before: UUID | None = None) -> Response:
    """List contacts, or search them."""
    async with site_of(request).page(request, slug) as page:
        workspace = page.workspace
        if q.strip():
            found = Page(await search_contacts(page.connection, workspace.id, q[:200], region=workspace.region))
        else:
            found = await list_contacts(page.connection, workspace.id, before=before)
        return page.html("contacts.html", found=found, q=q, is_first=before is None)


@router.get("/{contact_id}")
async def contact(request: Request, slug: str, contact_id: UUID, before: UUID | None = None) -> Response:
    """Show who a contact is, its ids elsewhere, and its timeline."""
    site = site_of(request)
    async with site.page(request, slug) as page:
        detail = await contact_detail(page.connection, page.workspace.id, contact_id)
        if detail is None:
            raise HTTPException(404, "There is no such contact in this workspace.")
        entries = await timeline(page.connection, page.workspace.id, contact_id, before=before)
        return page.html(
            "contact.html",
            detail=detail,
            contact=detail.contact,
            entries=entries,
            is_first=before is None,
            record_urls=site.backend.record_url,
        )
