"""Signing in and out."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import unquote

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mainstay.web.render import site_of
from mainstay.web.scopes import SIGN_OUT
from mainstay.web.security import NEXT_COOKIE, SESSION_COOKIE, SIGN_IN, is_local_path, signed_in
from mainstay.web.sign_in import SESSION_LIFE, close_session, is_link_good, open_session

router = APIRouter()


@router.get(SIGN_IN)
async def sign_in_page(request: Request, token: str = "") -> Response:
    """Show a button: a program that only looks at the link must not use it up."""
    site = site_of(request)
    is_good = bool(token) and await is_link_good(site.backend.pool, token)
    return site.plain(
        "sign_in.html", signed_in(request), token=token if is_good else "", is_spent=bool(token) and not is_good
    )


@router.post(SIGN_IN)
async def sign_in(request: Request, token: Annotated[str, Form()] = "") -> Response:
    """Use the link up and begin a session."""
    site = site_of(request)
    session = await open_session(site.backend.pool, token) if token else None
    if session is None:
        return site.plain("sign_in.html", signed_in(request), status=403, token="", is_spent=True)
    path = unquote(request.cookies.get(NEXT_COOKIE, ""))
    response = RedirectResponse(path if is_local_path(path) else "/", 303)
    response.delete_cookie(NEXT_COOKIE, path=SIGN_IN)
    is_https = "https" in {request.url.scheme, site.backend.public_url.partition(":")[0]}
    response.set_cookie(
        SESSION_COOKIE,
        session,
        max_age=int(SESSION_LIFE.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=is_https,
    )
    return response


@router.post(SIGN_OUT)
async def sign_out(request: Request) -> Response:
    """End the session."""
    session = request.cookies.get(SESSION_COOKIE, "")
    await close_session(site_of(request).backend.pool, session)
    if session:
        site_of(request).news.end(session)
    response = RedirectResponse(SIGN_IN, 303)
    response.delete_cookie(SESSION_COOKIE)
    return response
