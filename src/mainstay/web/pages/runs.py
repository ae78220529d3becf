"""Runs: the list, and the story of one, with its verbs."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mainstay.insight import (
    RunFilter,
    advice,
    count_newer_runs,
    delivery_detail,
    guard_words,
    list_runs,
    newest_run,
    run_detail,
    workflows_seen,
)
from mainstay.insight.around import runs_around
from mainstay.insight.families import family_of
from mainstay.insight.retries import retries_of
from mainstay.insight.turns import run_ahead
from mainstay.web.render import site_of
from mainstay.web.security import person_of
from mainstay.web.wording import body_text

router = APIRouter(prefix="/w/{slug}/runs")

# A larger one is on its delivery's page alone.
_LARGEST_BODY = 16_000


@router.get("")
async def runs(
    request: Request,
    slug: str,
    q: str = "",
    state: str = "",
    workflow: str = "",
    before: UUID | None = None,
    *,
    seen: UUID | None = None,
) -> Response:
    """List runs. ``seen`` is the newest run there was when a page of older ones was opened."""
    async with site_of(request).page(request, slug) as page:
        wanted = RunFilter(
            state=state,
            workflow=workflow,
            text=q[:200],
            region=page.workspace.region,
            by_id_alone=page.mask.is_on,
        )
        found = await list_runs(page.connection, page.workspace.id, wanted, before=before)
        workflows = await workflows_seen(page.connection, page.workspace.id, page.now)
        newer = None
        if before is not None:
            seen = seen or await newest_run(page.connection, page.workspace.id) or before
            newer = await count_newer_runs(page.connection, page.workspace.id, workflow, seen)
        return page.html(
            "runs.html",
            found=found,
            wanted=wanted,
            workflows=workflows,
            is_first=before is None,
            newer=newer,
            again=page.again(seen=seen) if before is not None else page.again(),
        )


@router.get("/{run_id}")
async def run(request: Request, slug: str, run_id: UUID) -> Response:
    """Show what triggered a run, what it tried, and where it stopped."""
    site = site_of(request)
    async with site.page(request, slug) as page:
        detail = await run_detail(page.connection, page.workspace.id, run_id)
        if detail is None:
            raise HTTPException(404, "There is no such run in this workspace.")
        stopped = detail.stopped_at
        arrived = detail.delivery and await delivery_detail(page.connection, page.workspace.id, detail.delivery.id)
        raw = arrived[1] if arrived and arrived[1].size <= _LARGEST_BODY else None
        return page.html(
            "run.html",
            detail=detail,
            run=detail.run,
            stopped=stopped,
            guard_words=guard_words,
            ahead=await run_ahead(page.connection, page.workspace.id, run_id),
            advice=advice(detail.run.fate, stopped.connection if stopped else ""),
            record_urls=site.backend.record_url,
            around=await runs_around(page.connection, page.workspace.id, detail.run),
            raw=raw,
            body=body_text(raw.body, raw.headers.get("content-type", "")) if raw else "",
            retries=await retries_of(page.connection, page.workspace.id, run_id),
            family=await family_of(page.connection, page.workspace.id, run_id),
        )


@router.post("/{run_id}/retry")
async def retry(request: Request, slug: str, run_id: UUID) -> Response:
    """Put a failed run back on the queue."""
    site = site_of(request)
    is_done = await site.backend.retry_run(site.workspace(slug).id, run_id, by=person_of(request))
    return RedirectResponse(f"/w/{slug}/runs/{run_id}?done={'retried' if is_done else 'not_failed'}", 303)


@router.post("/{run_id}/answer")
async def answer(request: Request, slug: str, run_id: UUID, happened: Annotated[bool, Form()]) -> Response:
    """Take a person's word on the call that a run asks about."""
    site = site_of(request)
    is_done = await site.backend.answer_run(site.workspace(slug).id, run_id, happened=happened)
    return RedirectResponse(f"/w/{slug}/runs/{run_id}?done={'answered' if is_done else 'not_asked'}", 303)


@router.post("/{run_id}/cancel")
async def cancel(request: Request, slug: str, run_id: UUID) -> Response:
    """Cancel a run that has not ended, and what it began."""
    site = site_of(request)
    gone = await site.backend.keeper.cancel(site.workspace(slug).id, [run_id], by=person_of(request))
    return RedirectResponse(f"/w/{slug}/runs/{run_id}?done={'cancelled' if gone else 'not_cancelled'}", 303)


@router.post("/{run_id}/handled")
async def handled(request: Request, slug: str, run_id: UUID) -> Response:
    """Note that a person has dealt with a failed run."""
    site = site_of(request)
    is_done = await site.backend.mark_handled(site.workspace(slug).id, run_id)
    return RedirectResponse(f"/w/{slug}/runs/{run_id}?done={'handled' if is_done else 'not_failed'}", 303)
