"""Merging two contacts by hand, and parting what was merged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mainstay.errors import PermanentError
from mainstay.insight import Counterpart, compare, contact_detail, has_choice, search_contacts
from mainstay.web.pages.contacts import NOBODY, contact_page
from mainstay.web.render import site_of
from mainstay.web.security import person_of

router = APIRouter(prefix="/w/{slug}/contacts/{contact_id}")


@router.get("/merge")
async def find_other(request: Request, slug: str, contact_id: UUID, q: str = "") -> Response:
    """Find, by typing, the contact that is the same person."""
    async with site_of(request).page(request, slug) as page:
        workspace = page.workspace
        detail = await contact_detail(page.connection, workspace.id, contact_id)
        if detail is None:
            raise HTTPException(404, NOBODY)
        found = await search_contacts(page.connection, workspace.id, q[:200], region=workspace.region)
        others = [each for each in found if each.id != detail.contact.id]
        return page.html("merge_find.html", contact=detail.contact, twins=detail.twins, others=others, q=q)


@router.get("/merge/{other_id}")
async def side_by_side(request: Request, slug: str, contact_id: UUID, other_id: UUID) -> Response:
    """Show two contacts side by side, to be merged."""
    return await _side_by_side(request, slug, contact_id, other_id)


async def _side_by_side(
    request: Request, slug: str, contact_id: UUID, other_id: UUID, *, refusal: str = ""
) -> Response:
    site = site_of(request)
    async with site.page(request, slug) as page:
        found = [
            await contact_detail(page.connection, page.workspace.id, each) for each in sorted((contact_id, other_id))
        ]
        one, other = found
        if one is None or other is None:
            raise HTTPException(404, NOBODY)
        if one.contact.id == other.contact.id:
            return RedirectResponse(f"/w/{slug}/contacts/{one.contact.id}", 303)
        keys = [[(each.kind, each.value, each.standing) for each in side.identifiers] for side in (one, other)]
        lines = compare(one.contact, other.contact, *keys)
        return page.html(
            "merge.html",
            status=422 if refusal else 200,
            one=one.contact,
            other=other.contact,
            lines=lines,
            has_choice=has_choice(lines),
            counterparts={one.contact.id: one.counterparts, other.contact.id: other.counterparts},
            merging=merging_too(site.backend.merging_systems(page.workspace.id), one.counterparts, other.counterparts),
            back=contact_id,
            refusal=refusal,
        )


@router.post("/merge/{other_id}")
async def merge(
    request: Request, slug: str, contact_id: UUID, other_id: UUID, keep: Annotated[str, Form()] = ""
) -> Response:
    """Merge two contacts; the values of the side to ``keep`` stand where they differ."""
    site = site_of(request)
    try:
        merged = await site.backend.contacts.merge(
            site.workspace(slug).id, contact_id, other_id, by=person_of(request), keep=side_of(keep)
        )
    except PermanentError as error:
        return await _side_by_side(request, slug, contact_id, other_id, refusal=f"They were not merged: {error}.")
    return RedirectResponse(f"/w/{slug}/contacts/{merged.survivor_id}?done=merged", 303)


@router.post("/merges/{merge_id}/undo")
async def unmerge(request: Request, slug: str, contact_id: UUID, merge_id: UUID) -> Response:
    """Undo a merge, for good."""
    site = site_of(request)
    try:
        parted = await site.backend.contacts.unmerge(site.workspace(slug).id, merge_id, by=person_of(request))
    except PermanentError as error:
        return await contact_page(request, slug, contact_id, refusal=f"It was not un-merged: {error}.")
    return RedirectResponse(f"/w/{slug}/contacts/{parted.contact.id}?done=parted", 303)


def merging_too(systems: frozenset[str], *sides: Sequence[Counterpart]) -> list[str]:
    """Return the systems that will merge their own two records of two contacts."""
    known = [{each.connection for each in side if each.external_id and not each.is_beside} for side in sides]
    return sorted(systems.intersection(*known))


def side_of(keep: str) -> UUID | None:
    """Return the side that a form chose; None for the newest of each value."""
    try:
        return UUID(keep)
    except ValueError:
        return None
