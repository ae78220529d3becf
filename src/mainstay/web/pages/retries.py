"""Retries by hand: of one run, edited, and orders to retry many."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import orjson
from fastapi import APIRouter, Form
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mainstay.errors import RetryRefusedError
from mainstay.insight import run_detail
from mainstay.insight.retries import bulk_retry, list_bulk_retries
from mainstay.runs import Brake, Chosen
from mainstay.web.render import site_of
from mainstay.web.security import person_of

router = APIRouter(prefix="/w/{slug}/retries")


@router.get("")
async def orders(request: Request, slug: str, before: UUID | None = None) -> Response:
    """List orders."""
    async with site_of(request).page(request, slug) as page:
        found = await list_bulk_retries(page.connection, page.workspace.id, before=before)
        return page.html("retries.html", found=found)


@router.post("")
async def begin(
    request: Request,
    slug: str,
    incident_id: Annotated[UUID, Form()],
    per_second: Annotated[str, Form()] = "",
    *,
    stops_on_error: Annotated[bool, Form()] = False,
) -> Response:
    """Order that all runs which an incident holds up be retried."""
    site = site_of(request)
    try:
        brake = Brake(float(per_second) if per_second.strip() else None, stops_on_error)
        order = await site.backend.retrier.begin(
            site.workspace(slug).id, Chosen(incident_id=incident_id), brake, by=person_of(request)
        )
    except (ValueError, RetryRefusedError):
        raise HTTPException(422, f"“{per_second[:20]}” is no number of runs a second. Nothing was retried.") from None
    return RedirectResponse(f"/w/{slug}/retries/{order}?done=order_begun", 303)


@router.post("/of/{run_id}")
async def retry(
    request: Request,
    slug: str,
    run_id: UUID,
    from_step: Annotated[str, Form()] = "",
    given: Annotated[str, Form()] = "",
) -> Response:
    """Retry one run from a step, with its input or another."""
    site = site_of(request)
    async with site.page(request, slug) as page:
        detail = await run_detail(page.connection, page.workspace.id, run_id)
        workspace_id = page.workspace.id
    if detail is None:
        raise HTTPException(404, "There is no such run in this workspace.")
    try:
        edited = orjson.loads(given) if given.strip() else detail.input
    except orjson.JSONDecodeError as error:
        told = f"The input is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        raise HTTPException(422, f"{told} Nothing was retried; go back and mend it.") from None
    try:
        await site.backend.retrier.retry(
            workspace_id,
            run_id,
            from_step=int(from_step) if from_step.isdecimal() else None,
            given=edited if edited != detail.input else None,
            by=person_of(request),
        )
    except RetryRefusedError as error:
        raise HTTPException(422, f"It was not retried: {error}. {error.hint}") from None
    return RedirectResponse(f"/w/{slug}/runs/{run_id}?done={'retried_from' if from_step else 'retried'}", 303)


@router.get("/{order_id}")
async def order(request: Request, slug: str, order_id: UUID) -> Response:
    """Show how far an order is."""
    async with site_of(request).page(request, slug) as page:
        found = await bulk_retry(page.connection, page.workspace.id, order_id)
        if found is None:
            raise HTTPException(404, "There is no such order in this workspace.")
        return page.html("retry_order.html", order=found)


@router.post("/{order_id}/stop")
async def stop(request: Request, slug: str, order_id: UUID) -> Response:
    """Send nothing more of an order."""
    site = site_of(request)
    is_done = await site.backend.retrier.stop(site.workspace(slug).id, order_id, by=person_of(request))
    return RedirectResponse(f"/w/{slug}/retries/{order_id}?done={'order_stopped' if is_done else 'order_not'}", 303)


@router.post("/{order_id}/resume")
async def resume(request: Request, slug: str, order_id: UUID) -> Response:
    """Let an order go on where it stopped."""
    site = site_of(request)
    is_done = await site.backend.retrier.resume(site.workspace(slug).id, order_id)
    return RedirectResponse(f"/w/{slug}/retries/{order_id}?done={'order_resumed' if is_done else 'order_not'}", 303)
