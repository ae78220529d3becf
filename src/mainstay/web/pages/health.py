"""For load balancers and watchers: is this process alive, can it do its work. No details for strangers."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from mainstay.db import acquire
from mainstay.db.migrate import is_current
from mainstay.errors import DatabaseUnavailableError
from mainstay.insight.measures import worker_age
from mainstay.insight.verdict import WORKER_SILENT_AFTER
from mainstay.web.render import site_of

router = APIRouter()

_PATIENCE_SECONDS = 3.0


@router.get("/healthz")
async def healthz() -> Response:
    """Answer as long as the process does."""
    return PlainTextResponse("ok")


@router.get("/readyz")
async def readyz(request: Request, worker: str = "") -> Response:
    """Answer 200 when the database does and has this program's schema, 503 else; a line each says why.

    A worker that is silent is told, and is no 503 unless ``?worker=required`` asks for it: a balancer that took the web
    away with it would turn leads away, which are kept until a worker is back.
    """
    told = {"database": "away", "schema": "unknown", "worker": "unknown"}
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS), acquire(site_of(request).backend.pool) as connection:
            told["database"] = "ok"
            told["schema"] = "ok" if await is_current(connection) else "not of this version"
            age = await worker_age(connection)
            is_silent = age is None or age > WORKER_SILENT_AFTER.total_seconds()
            told["worker"] = "silent" if is_silent else "ok"
    except (DatabaseUnavailableError, TimeoutError):
        pass
    needed = ("database", "schema", "worker") if worker == "required" else ("database", "schema")
    is_ready = all(told[each] == "ok" for each in needed)
    lines = ["ready" if is_ready else "not ready", *(f"{name}: {state}" for name, state in told.items())]
    return PlainTextResponse("\n".join(lines) + "\n", 200 if is_ready else 503)
