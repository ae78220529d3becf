"""Settings, among Connections: what the stack declares, to be looked up; it is changed in its file."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from mainstay.web.render import site_of

router = APIRouter(prefix="/w/{slug}/settings")


@router.get("")
async def settings(request: Request, slug: str) -> Response:
    """Show what is declared."""
    site = site_of(request)
    async with site.page(request, slug) as page:
        return page.html("settings.html", sections=site.backend.declared(page.workspace.id))
