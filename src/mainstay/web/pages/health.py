"""For load balancers and watchers: is this process alive, can it do its work. No details for strangers."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from mainstay.db import acquire
from mainstay.errors import DatabaseUnavailableError
from mainstay.web.render import site_of

router = APIRouter()


@router.get("/healthz")
async def healthz() -> Response:
    """Answer as long as the process does."""
    return PlainTextResponse("ok")


@router.get("/readyz")
async def readyz(request: Request) -> Response:
    """Answer 200 when the database does, 503 else."""
    try:
        async with acquire(site_of(request).backend.pool) as connection:
            await connection.fetchval("SELECT 1")
    except DatabaseUnavailableError:
        return PlainTextResponse("not ready", 503)
    return PlainTextResponse("ready")
