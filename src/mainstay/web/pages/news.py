"""What keeps an open page live."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from mainstay.web.render import site_of
from mainstay.web.security import SESSION_COOKIE

router = APIRouter()

_LONGEST_MARK = 40


@router.get("/w/{slug}/news")
async def news(request: Request, slug: str, since: str = "") -> Response:
    """Stream that there is news; ``since`` is the mark that the page was made with."""
    site = site_of(request)
    workspace = site.workspace(slug)
    if site.news.is_full:
        return PlainTextResponse("Too many pages are open; this one refreshes by its own clock.", 503)
    mark = request.headers.get("last-event-id") or since
    stream = site.news.stream(workspace.id, request.cookies.get(SESSION_COOKIE, ""), mark[:_LONGEST_MARK])
    # A proxy that gathers what it passes on would hold the news back.
    return StreamingResponse(stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
