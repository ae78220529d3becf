"""Reviews: pairs that may be one person, one at a time, likeliest first; and what was decided."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mainstay.errors import PermanentError
from mainstay.insight import find_suggestion, has_choice, learned_from, list_decided, list_suggestions, review
from mainstay.web.pages.merging import merging_too, side_of
from mainstay.web.render import site_of
from mainstay.web.security import person_of

router = APIRouter(prefix="/w/{slug}/reviews")

_FOLLOWING = 20


@router.get("")
async def reviews(request: Request, slug: str, at: UUID | None = None, last: UUID | None = None) -> Response:
    """Show the suggestion to decide, and what follows it; ``last`` is the one that was decided just now."""
    return await _reviews(request, slug, at, last=last)


async def _reviews(
    request: Request, slug: str, at: UUID | None, *, last: UUID | None = None, refusal: str = ""
) -> Response:
    site = site_of(request)
    async with site.page(request, slug) as page:
        workspace_id = page.workspace.id
        shown = await review(page.connection, workspace_id, at)
        before = shown.suggestion.id if shown else None
        following = await list_suggestions(page.connection, workspace_id, before=before, size=_FOLLOWING)
        decided = await find_suggestion(page.connection, workspace_id, last) if last else None
        return page.html(
            "reviews.html",
            status=409 if refusal else 200,
            review=shown,
            has_choice=has_choice(shown.lines) if shown else False,
            merging=merging_too(site.backend.merging_systems(workspace_id), *shown.counterparts.values())
            if shown
            else (),
            following=following,
            decisions=await learned_from(page.connection, workspace_id),
            last=decided if decided and decided.state in {"accepted", "rejected"} else None,
            refusal=refusal,
        )


@router.get("/decided")
async def decided(request: Request, slug: str, before: UUID | None = None) -> Response:
    """List what was decided, by whom and when."""
    return await _decided(request, slug, before=before)


async def _decided(request: Request, slug: str, *, before: UUID | None = None, refusal: str = "") -> Response:
    async with site_of(request).page(request, slug) as page:
        found = await list_decided(page.connection, page.workspace.id, before=before)
        return page.html(
            "reviews_decided.html",
            status=409 if refusal else 200,
            found=found,
            is_first=before is None,
            refusal=refusal,
        )


@router.post("/{suggestion_id}/merge")
async def accept(
    request: Request,
    slug: str,
    suggestion_id: UUID,
    keep: Annotated[str, Form()] = "",
    following: Annotated[str, Form()] = "",
) -> Response:
    """Merge the two, then show the next pair."""
    site = site_of(request)
    try:
        await site.backend.contacts.accept(
            site.workspace(slug).id, suggestion_id, by=person_of(request), keep=side_of(keep)
        )
    except PermanentError as error:
        return await _reviews(request, slug, side_of(following), refusal=f"They were not merged: {error}.")
    return _next(slug, suggestion_id, following)


@router.post("/{suggestion_id}/reject")
async def reject(request: Request, slug: str, suggestion_id: UUID, following: Annotated[str, Form()] = "") -> Response:
    """Keep the two as two, for good, then show the next pair."""
    site = site_of(request)
    try:
        await site.backend.contacts.reject(site.workspace(slug).id, suggestion_id, by=person_of(request))
    except PermanentError as error:
        return await _reviews(request, slug, side_of(following), refusal=f"Nothing was recorded: {error}.")
    return _next(slug, suggestion_id, following)


@router.post("/{suggestion_id}/undo")
async def undo(request: Request, slug: str, suggestion_id: UUID, place: Annotated[str, Form()] = "") -> Response:
    """Take a decision back, and show the pair again."""
    site = site_of(request)
    try:
        await site.backend.contacts.reopen(site.workspace(slug).id, suggestion_id, by=person_of(request))
    except PermanentError as error:
        refusal = f"Nothing was undone: {error}."
        if place == "decided":
            return await _decided(request, slug, refusal=refusal)
        return await _reviews(request, slug, None, refusal=refusal)
    return RedirectResponse(f"/w/{slug}/reviews?at={suggestion_id}&done=reopened", 303)


def _next(slug: str, decided_id: UUID, following: str) -> Response:
    at = side_of(following)
    return RedirectResponse(f"/w/{slug}/reviews?{f'at={at}&' if at else ''}last={decided_id}", 303)
