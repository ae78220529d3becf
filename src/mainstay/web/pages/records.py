"""Records that are no contacts: lists by type, and one with where its values come from."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mainstay.insight import Page
from mainstay.insight.records import list_records, record_detail, search_records
from mainstay.model import RECORD_FIELDS, RECORD_TYPES, RecordType
from mainstay.web.record_wording import shown_fields
from mainstay.web.render import site_of

router = APIRouter(prefix="/w/{slug}/records")

NOTHING = "There is no such record in this workspace, or its contact was deleted."
_LONGEST = 200


@router.get("")
async def types(slug: str) -> Response:
    """Lead to the first type."""
    return RedirectResponse(f"/w/{slug}/records/deal", 303)


@router.get("/{kind}")
async def records(
    request: Request, slug: str, kind: str, q: str = "", status: str = "", before: UUID | None = None
) -> Response:
    """List records of a type, or search them."""
    if kind not in RECORD_TYPES:
        raise HTTPException(404, "There is no such type of record.")
    of: RecordType = kind
    site = site_of(request)
    async with site.page(request, slug) as page:
        workspace_id = page.workspace.id
        if q.strip():
            names = [card.name for card in site.backend.connection_cards(workspace_id)]
            found = Page(await search_records(page.connection, workspace_id, of, q[:_LONGEST], connections=names))
        else:
            found = await list_records(page.connection, workspace_id, of, status=status[:_LONGEST], before=before)
        field = RECORD_FIELDS[of].get("status")
        return page.html(
            "records.html",
            types=RECORD_TYPES,
            kind=of,
            found=found,
            fields=shown_fields(of),
            statuses=field.means.removeprefix("one of ").split(", ") if field and field.means != "a text" else [],
            wanted=status,
            q=q,
            ownership=site.backend.ownership(workspace_id)[of],
            is_first=before is None,
        )


@router.get("/{kind}/{record_id}")
async def record(request: Request, slug: str, kind: str, record_id: UUID) -> Response:
    """Show one record: its values with their origins, its ids elsewhere, and all that was said of it."""
    site = site_of(request)
    async with site.page(request, slug) as page:
        detail = await record_detail(page.connection, page.workspace.id, record_id)
        if detail is None or detail.record.type != kind:
            raise HTTPException(404, NOTHING)
        known = [name for name in RECORD_FIELDS[detail.record.type] if name in detail.record.values]
        return page.html(
            "record.html",
            detail=detail,
            record=detail.record,
            fields=[*known, *sorted(name for name in detail.record.values if name not in known)],
            ownership=site.backend.ownership(page.workspace.id)[kind],
        )
