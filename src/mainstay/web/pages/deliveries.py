"""Deliveries and quarantine: what arrived, what became of it, and a second chance for it."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mainstay.errors import MalformedError
from mainstay.insight import (
    Page,
    delivery_detail,
    find_deliveries,
    list_deliveries,
    list_quarantine,
    quarantine_detail,
    runs_of_delivery,
)
from mainstay.web.render import site_of
from mainstay.web.wording import body_text

router = APIRouter(prefix="/w/{slug}")


@router.get("/deliveries")
async def deliveries(
    request: Request, slug: str, q: str = "", state: str = "", source: str = "", before: UUID | None = None
) -> Response:
    """List deliveries."""
    site = site_of(request)
    async with site.page(request, slug) as page:
        workspace_id = page.workspace.id
        if q.strip():
            found = Page(await find_deliveries(page.connection, workspace_id, q[:200]))
        else:
            found = await list_deliveries(page.connection, workspace_id, state=state, source=source, before=before)
        return page.html(
            "deliveries.html",
            found=found,
            q=q,
            state=state,
            source=source,
            sources=site.backend.source_cards(workspace_id),
            is_first=before is None,
        )


@router.get("/deliveries/{delivery_id}")
async def delivery(request: Request, slug: str, delivery_id: UUID) -> Response:
    """Show one delivery: the request as it came, and the runs it began."""
    return await _delivery(request, slug, delivery_id)


async def _delivery(request: Request, slug: str, delivery_id: UUID, *, refusal: str = "") -> Response:
    async with site_of(request).page(request, slug) as page:
        found = await delivery_detail(page.connection, page.workspace.id, delivery_id)
        if found is None:
            raise HTTPException(404, "There is no such delivery in this workspace.")
        shown, raw = found
        return page.html(
            "delivery.html",
            status=422 if refusal else 200,
            delivery=shown,
            raw=raw,
            body=body_text(raw.body, raw.headers.get("content-type", "")),
            runs=await runs_of_delivery(page.connection, page.workspace.id, delivery_id),
            refusal=refusal,
        )


@router.post("/deliveries/{delivery_id}/replay")
async def replay(request: Request, slug: str, delivery_id: UUID) -> Response:
    """Read a delivery again with today's settings."""
    site = site_of(request)
    try:
        run_id = await site.backend.replay_delivery(site.workspace(slug).id, delivery_id)
    except (LookupError, MalformedError) as error:
        return await _delivery(request, slug, delivery_id, refusal=_words(error))
    return RedirectResponse(f"/w/{slug}/runs/{run_id}?done=replayed", 303)


@router.get("/quarantine")
async def quarantine(request: Request, slug: str, source: str = "", before: UUID | None = None) -> Response:
    """List requests whose sender could not be proven."""
    site = site_of(request)
    async with site.page(request, slug) as page:
        workspace_id = page.workspace.id
        found = await list_quarantine(page.connection, workspace_id, source=source, before=before)
        return page.html("quarantine.html", found=found, source=source, sources=site.backend.source_cards(workspace_id))


@router.get("/quarantine/{quarantine_id}")
async def quarantined(request: Request, slug: str, quarantine_id: UUID) -> Response:
    """Show one request in quarantine."""
    return await _quarantined(request, slug, quarantine_id)


async def _quarantined(request: Request, slug: str, quarantine_id: UUID, *, refusal: str = "") -> Response:
    async with site_of(request).page(request, slug) as page:
        found = await quarantine_detail(page.connection, page.workspace.id, quarantine_id)
        if found is None:
            raise HTTPException(404, "This is not in quarantine: it was released, or its 48 hours are over.")
        suspect, raw = found
        return page.html(
            "quarantined.html",
            status=422 if refusal else 200,
            suspect=suspect,
            raw=raw,
            body=body_text(raw.body, raw.headers.get("content-type", "")),
            refusal=refusal,
        )


@router.post("/quarantine/{quarantine_id}/release")
async def release(request: Request, slug: str, quarantine_id: UUID) -> Response:
    """Let a request out of quarantine on a person's word."""
    site = site_of(request)
    try:
        receipt = await site.backend.release_quarantined(site.workspace(slug).id, quarantine_id)
    except (LookupError, MalformedError) as error:
        return await _quarantined(request, slug, quarantine_id, refusal=_words(error))
    return RedirectResponse(f"/w/{slug}/deliveries/{receipt.delivery_id}?done=released_{receipt.state}", 303)


def _words(error: Exception) -> str:
    return str(error.args[0]) if error.args else "It cannot be done."
