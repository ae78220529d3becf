"""Connecting an account from the pages: to its vendor and back."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mainstay.access import ConnectError
from mainstay.web.render import site_of
from mainstay.web.security import person_of, signed_in

if TYPE_CHECKING:
    from mainstay.kit.oauth import OAuth

CALLBACK = "/connect/callback"
router = APIRouter()


# By GET, because a form may not lead to another site (form-action). All it leaves is a way that ends in minutes.
@router.get("/w/{slug}/connections/{name}/connect")
async def connect(request: Request, slug: str, name: str) -> Response:
    """Send the person to the vendor's page."""
    site = site_of(request)
    workspace_id = site.workspace(slug).id
    oauth = site.backend.oauth(workspace_id, name)
    if oauth is None or oauth.grant != "authorization_code":
        raise HTTPException(404, f'There is no connection "{name}" that a person connects.')
    back = f"{site.backend.public_url}{CALLBACK}"
    started = await site.backend.connecting.begin(workspace_id, name, oauth, back, by=person_of(request))
    return RedirectResponse(started.address, 302)


@router.get(CALLBACK)
async def callback(request: Request) -> Response:
    """Take in a person whom a vendor's page has sent back."""
    site = site_of(request)

    def declared(workspace_id: UUID, name: str) -> OAuth | None:
        return site.backend.oauth(workspace_id, name)

    try:
        landing = await site.backend.connecting.finish(dict(request.query_params), declared)
    except ConnectError as error:
        said = str(error)
        return site.plain(
            "error.html", signed_in(request), status=400, title="Not connected", text=f"{said[:1].upper()}{said[1:]}."
        )
    slug = next(card.slug for card in site.backend.workspace_cards() if card.id == landing.workspace_id)
    return RedirectResponse(f"/w/{slug}/connections?done=connected", 303)
