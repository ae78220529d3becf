"""The API as a page: who may use it, and all that it does."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mainstay.errors import ConflictError
from mainstay.web.api.addresses import operations
from mainstay.web.render import Page, site_of
from mainstay.web.scopes import READ, SCOPES, in_order
from mainstay.web.security import signed_in
from mainstay.web.tokens import NAME, create_token, list_tokens, revoke_token

router = APIRouter(prefix="/w/{slug}/api")


@router.get("")
async def tokens(request: Request, slug: str) -> Response:
    """List the tokens, and what the API does."""
    async with site_of(request).page(request, slug) as page:
        return await _shown(page)


@router.post("")
async def create(
    request: Request, slug: str, name: Annotated[str, Form()] = "", scope: Annotated[list[str] | None, Form()] = None
) -> Response:
    """Make a token; the answer shows it, and nothing else ever does."""
    site = site_of(request)
    async with site.page(request, slug) as page:
        if not NAME.fullmatch(name):
            refusal = "A name has letters, digits, dots and hyphens; 40 at most, like zapier."
            return await _shown(page, refusal=refusal, status=422)
        beyond = in_order(set(scope or ()) - signed_in(request).scopes)
        if beyond:
            refusal = f"Your session may not {' and '.join(beyond)}, so a token that it makes may not either."
            return await _shown(page, refusal=refusal, status=403)
        try:
            made = await create_token(site.backend.pool, page.workspace.id, name, scope or [READ])
        except ConflictError as error:
            return await _shown(page, refusal=str(error), status=409)
        except ValueError as error:
            return await _shown(page, refusal=str(error), status=422)
        return await _shown(page, made=made)


@router.post("/{name}/revoke")
async def revoke(request: Request, slug: str, name: str) -> Response:
    """End a token, at once."""
    site = site_of(request)
    if not await revoke_token(site.backend.pool, site.workspace(slug).id, name):
        raise HTTPException(404, "No token of this name is in use.")
    return RedirectResponse(f"/w/{slug}/api?done=revoked", 303)


async def _shown(page: Page, *, made: str = "", refusal: str = "", status: int = 200) -> Response:
    return page.html(
        "tokens.html",
        status=status,
        tokens=await list_tokens(page.site.backend.pool, page.workspace.id),
        operations=operations(),
        scopes=SCOPES,
        made=made,
        refusal=refusal,
        base=page.site.backend.public_url,
    )
