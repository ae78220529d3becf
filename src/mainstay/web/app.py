"""The web application: intake's routes first and bare, then the pages behind their gate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from mainstay.errors import DatabaseUnavailableError
from mainstay.web.pages import (
    approvals,
    connecting,
    connections,
    contacts,
    deliveries,
    health,
    incidents,
    merging,
    mirrors,
    monitors,
    news,
    overview,
    proposals,
    records,
    retries,
    reviews,
    runs,
    session,
    settings,
    tokens,
    weeks,
)
from mainstay.web.render import STATIC, Site, site_of
from mainstay.web.security import Gate, signed_in

if TYPE_CHECKING:
    from starlette.types import Scope

    from mainstay.web.backend import Backend


class _Static(StaticFiles):
    """Files whose address carries a mark of their contents."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def create_pages(backend: Backend) -> FastAPI:
    """Return the pages alone, behind their gate."""
    site = Site(backend)
    app = FastAPI(
        title="Mainstay",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        middleware=[
            Middleware(Gate, pool=backend.pool, public_url=backend.public_url, refuse=site.refused),
            Middleware(GZipMiddleware, minimum_size=2000, compresslevel=4),
        ],
    )
    app.state.site = site
    app.mount("/static", _Static(directory=STATIC))
    for module in (
        health,
        news,
        session,
        overview,
        runs,
        connections,
        connecting,
        contacts,
        merging,
        mirrors,
        records,
        approvals,
        proposals,
        reviews,
        deliveries,
        incidents,
        monitors,
        retries,
        settings,
        tokens,
        weeks,
    ):
        app.include_router(module.router)
    app.add_exception_handler(HTTPException, _show_refusal)
    app.add_exception_handler(RequestValidationError, _show_not_found)
    app.add_exception_handler(DatabaseUnavailableError, _show_unavailable)
    app.add_exception_handler(Exception, _show_fault)
    return app


def create_app(backend: Backend, intake_routes: Sequence[BaseRoute] = ()) -> Starlette:
    """Return the whole web application.

    ``intake_routes`` come first and pass no middleware of the pages: no sign-in, no headers, no cost.
    """
    return Starlette(routes=[*intake_routes, Mount("/", app=create_pages(backend))])


async def _show_refusal(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else ""
    if status == 404:
        return await _show_not_found(request, error)
    return site_of(request).plain(
        "error.html", signed_in(request), status=status, title="That did not work", text=detail
    )


async def _show_not_found(request: Request, error: Exception) -> Response:
    detail = error.detail if isinstance(error, HTTPException) and error.detail != "Not Found" else ""
    text = detail or "There is nothing at this address. It may belong to another workspace, or was kept no longer."
    return site_of(request).plain("error.html", signed_in(request), status=404, title="Not found", text=text)


async def _show_unavailable(request: Request, _error: Exception) -> Response:
    text = "PostgreSQL does not answer. What was accepted is kept; everything goes on as soon as it is back."
    return site_of(request).plain("error.html", signed_in(request), status=503, title="The database is away", text=text)


async def _show_fault(request: Request, _error: Exception) -> Response:
    text = "Mainstay itself made a mistake here. Its log has the details; your leads are not affected by a page."
    return site_of(request).plain("error.html", signed_in(request), status=500, title="This page failed", text=text)
