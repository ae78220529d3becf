"""The weekly review as a page: the week that runs, and each that is over."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mainstay.insight.weekly import weekly_review
from mainstay.insight.weeks import Week
from mainstay.web.render import site_of

router = APIRouter(prefix="/w/{slug}/weeks")

_LONGEST_BACK = timedelta(days=7 * 520)


@router.get("")
async def weeks(request: Request, slug: str) -> Response:
    """Lead to the last week that is over."""
    async with site_of(request).page(request, slug) as page:
        week = Week.of(page.now, ZoneInfo(page.workspace.timezone)).before
    return RedirectResponse(f"/w/{slug}/weeks/{week.name}", 303)


@router.get("/{name}")
async def week(request: Request, slug: str, name: str) -> Response:
    """Show the review of one week."""
    async with site_of(request).page(request, slug) as page:
        zone = ZoneInfo(page.workspace.timezone)
        this = Week.of(page.now, zone)
        try:
            wanted = Week.named(name)
        except ValueError as error:
            raise HTTPException(404, str(error)) from None
        if wanted > this or wanted.monday < this.monday - _LONGEST_BACK:
            raise HTTPException(
                404, "This week has not come yet." if wanted > this else "Nothing is known of this week."
            )
        review = await weekly_review(page.connection, page.workspace.id, wanted, zone, page.now)
        run_id = await page.connection.fetchval(
            "SELECT run_id FROM weekly_reviews WHERE workspace_id = $1 AND week = $2", page.workspace.id, wanted.name
        )
        return page.html(
            "week.html",
            review=review,
            earlier=wanted.before.name,
            later=wanted.after.name if wanted < this else "",
            sent_by=run_id,
        )
