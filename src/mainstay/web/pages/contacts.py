"""Contacts: the list with its search, one with everything that happened to it, edits by hand and deletion."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mainstay.contacts import BY_HAND
from mainstay.errors import PermanentError
from mainstay.insight import Page, contact_detail, list_contacts, search_contacts, timeline
from mainstay.insight.lineage import CUSTOM
from mainstay.insight.records import records_of
from mainstay.insight.turns import has_open_runs
from mainstay.web.render import site_of
from mainstay.web.security import person_of
from mainstay.web.wording import display_name, place

router = APIRouter(prefix="/w/{slug}/contacts")

NOBODY = "There is no such contact in this workspace, or it was deleted."
_LONGEST_VALUE = 2000
_WAS = "was."


@router.get("")
async def contacts(request: Request, slug: str, q: str = "", before: UUID | None = None) -> Response:
    """List contacts, or search them."""
    async with site_of(request).page(request, slug) as page:
        workspace = page.workspace
        if q.strip():
            found = Page(await search_contacts(page.connection, workspace.id, q[:200], region=workspace.region))
        else:
            found = await list_contacts(page.connection, workspace.id, before=before)
        return page.html("contacts.html", found=found, q=q, is_first=before is None)


@router.get("/{contact_id}")
async def contact(
    request: Request, slug: str, contact_id: UUID, before: UUID | None = None, merged: UUID | None = None
) -> Response:
    """Show who a contact is, its ids elsewhere, its merges and its timeline; a merged id leads to its survivor."""
    return await contact_page(request, slug, contact_id, before=before, merged=merged)


async def contact_page(
    request: Request,
    slug: str,
    contact_id: UUID,
    *,
    before: UUID | None = None,
    merged: UUID | None = None,
    refusal: str = "",
    typed: Mapping[str, str] | None = None,
) -> Response:
    """Return a contact's page; with a ``refusal`` it says what was not done, with what was ``typed`` still there."""
    site = site_of(request)
    async with site.page(request, slug) as page:
        detail = await contact_detail(page.connection, page.workspace.id, contact_id)
        if detail is None:
            raise HTTPException(404, NOBODY)
        if detail.contact.id != contact_id and not refusal:
            return RedirectResponse(f"/w/{slug}/contacts/{detail.contact.id}?merged={contact_id}", 303)
        entries = await timeline(page.connection, page.workspace.id, detail.contact.id, before=before)
        return page.html(
            "contact.html",
            status=422 if refusal else 200,
            detail=detail,
            contact=detail.contact,
            entries=entries,
            deleting=site.backend.deleting_systems(page.workspace.id),
            records=await records_of(page.connection, page.workspace.id, detail.group),
            is_first=before is None,
            merged=merged if merged in detail.group and merged != detail.contact.id else None,
            refusal=refusal,
            typed=typed,
            editable=(*sorted(BY_HAND, key=place), *(f"{CUSTOM}{key}" for key in sorted(detail.contact.custom))),
            record_urls=site.backend.record_url,
            has_open_runs=await has_open_runs(page.connection, page.workspace.id, tuple(detail.group)),
        )


@router.post("/{contact_id}/edit")
async def edit(request: Request, slug: str, contact_id: UUID) -> Response:
    """Set what differs from what the form showed; a value that another wrote meanwhile is left alone."""
    site = site_of(request)
    form = await request.form()
    typed = {name: text for name, text in form.items() if isinstance(text, str)}
    values = {
        name: text[:_LONGEST_VALUE].strip()
        for name, text in typed.items()
        if f"{_WAS}{name}" in typed and text.strip() != typed[f"{_WAS}{name}"].strip()
    }
    if not values:
        return RedirectResponse(f"/w/{slug}/contacts/{contact_id}?done=unchanged", 303)
    try:
        resolution = await site.backend.contacts.edit(
            site.workspace(slug).id, contact_id, values, by=person_of(request)
        )
    except PermanentError as error:
        return await contact_page(request, slug, contact_id, refusal=f"Nothing was saved: {error}.", typed=typed)
    if resolution.forwarded:
        return RedirectResponse(f"/w/{slug}/contacts/{resolution.contact.id}?done=forwarded", 303)
    has_more = resolution.note or resolution.merged or resolution.suggestion_ids
    done = "edited_with_a_note" if has_more else "edited"
    return RedirectResponse(f"/w/{slug}/contacts/{resolution.contact.id}?done={done}", 303)


@router.post("/{contact_id}/cancel-runs")
async def cancel_runs(request: Request, slug: str, contact_id: UUID) -> Response:
    """Cancel all open runs of workflows about a contact."""
    site = site_of(request)
    gone = await site.backend.keeper.cancel_open(site.workspace(slug).id, by=person_of(request), contact_id=contact_id)
    return RedirectResponse(f"/w/{slug}/contacts/{contact_id}?done={'cancelled_all' if gone else 'not_cancelled'}", 303)


@router.post("/{contact_id}/delete")
async def delete(request: Request, slug: str, contact_id: UUID) -> Response:
    """Delete a contact, once its name is typed."""
    site = site_of(request)
    workspace = site.workspace(slug)
    typed = (await request.form()).get("name")
    async with site.page(request, slug) as page:
        detail = await contact_detail(page.connection, workspace.id, contact_id)
    if detail is None:
        raise HTTPException(404, NOBODY)
    name = display_name(detail.contact, workspace.region)
    if not isinstance(typed, str) or _plain(typed) != _plain(name):
        refusal = f"Nothing was deleted: type “{name}” to confirm."
        return await contact_page(request, slug, contact_id, refusal=refusal)
    try:
        await site.backend.contacts.delete(workspace.id, contact_id)
    except PermanentError as error:
        raise HTTPException(404, NOBODY) from error
    return RedirectResponse(f"/w/{slug}/contacts?done=deleted", 303)


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()
