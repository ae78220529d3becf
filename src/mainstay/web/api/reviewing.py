"""Merges, their undoing, and suggestions over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from mainstay.insight.people import is_merge, list_suggestions, merges_of, suggestion_contacts
from mainstay.web.api.bodies import AcceptBody, MergeBody
from mainstay.web.api.contacts import ID, Limit
from mainstay.web.api.desk import Ask
from mainstay.web.api.etags import etag_of
from mainstay.web.api.problems import INVALID, NOT_FOUND, FieldError, ProblemError
from mainstay.web.api.shapes import (
    ContactShape,
    MergedShape,
    MergeShape,
    MergesShape,
    PartedShape,
    RejectedShape,
    SuggestionShape,
    SuggestionsPage,
)

if TYPE_CHECKING:
    from mainstay.identity import Merged
    from mainstay.insight.people import SuggestionRow

router = APIRouter(tags=["merges and suggestions"])


@router.post("/contacts/{contact_id}/merge")
async def merge(ask: Ask, contact_id: UUID, body: MergeBody, response: Response) -> MergedShape:
    """Merge two contacts on a person's word. The older id survives; the other leads to it for ever."""
    await ask.meant(contact_id)
    await ask.meant(body.other_id)
    _check_keep(body.keep, (contact_id, body.other_id))
    merged = await ask.verbs.merge(ask.workspace_id, contact_id, body.other_id, by=ask.caller.name, keep=body.keep)
    return _merged(merged, response)


@router.get("/contacts/{contact_id}/merges")
async def merges(ask: Ask, contact_id: UUID) -> MergesShape:
    """List the merges that a contact had a part in, the newest first; at most 100."""
    contact = await ask.meant(contact_id)
    async with ask.reading() as connection:
        rows = await merges_of(connection, ask.workspace_id, contact.id)
    return MergesShape(merges=[MergeShape.model_validate(row, from_attributes=True) for row in rows])


@router.post("/merges/{merge_id}/undo")
async def undo(ask: Ask, merge_id: UUID) -> PartedShape:
    """Undo a merge: each side has again what was said of it, also since; the two stay two from then on."""
    async with ask.reading() as connection:
        if not await is_merge(connection, ask.workspace_id, merge_id):
            raise ProblemError(NOT_FOUND, "There is no such merge in this workspace.")
    parted = await ask.verbs.unmerge(ask.workspace_id, merge_id, by=ask.caller.name)
    return PartedShape(
        merge_id=parted.merge_id,
        contact=ContactShape.of(parted.contact),
        restored=ContactShape.of(parted.restored),
    )


_PLACE: dict[str, Any] = {"pattern": f"^([0-9]+(\\.[0-9]+)?_{ID})?$"}
Place = Annotated[str, Query(max_length=100, description="The next of the page before.", json_schema_extra=_PLACE)]


@router.get("/suggestions")
async def suggestions(
    ask: Ask,
    state: Annotated[Literal["open", "accepted", "rejected"], Query()] = "open",
    cursor: Place = "",
    limit: Limit = 50,
) -> SuggestionsPage:
    """List pairs that may be one person: open ones the most probable first, decided ones the latest first."""
    before = _read_place(cursor) if cursor else None
    async with ask.reading() as connection:
        rows, more = await list_suggestions(connection, ask.workspace_id, state=state, before=before, size=limit)
    return SuggestionsPage(
        suggestions=[_suggestion(row) for row in rows], next=f"{more[0]!r}_{more[1]}" if more else None
    )


@router.post("/suggestions/{suggestion_id}/accept")
async def accept(ask: Ask, suggestion_id: UUID, response: Response, body: AcceptBody | None = None) -> MergedShape:
    """Merge the two contacts of a suggestion."""
    pair = await _pair(ask, suggestion_id)
    keep = body.keep if body else None
    _check_keep(keep, pair)
    merged = await ask.verbs.accept(ask.workspace_id, suggestion_id, by=ask.caller.name, keep=keep)
    return _merged(merged, response)


@router.post("/suggestions/{suggestion_id}/reject")
async def reject(ask: Ask, suggestion_id: UUID) -> RejectedShape:
    """Keep the two contacts of a suggestion as two, for good."""
    await _pair(ask, suggestion_id)
    await ask.verbs.reject(ask.workspace_id, suggestion_id, by=ask.caller.name)
    return RejectedShape(id=suggestion_id)


async def _pair(ask: Ask, suggestion_id: UUID) -> tuple[UUID, UUID]:
    async with ask.reading() as connection:
        found = await suggestion_contacts(connection, ask.workspace_id, suggestion_id)
    if found is None:
        raise ProblemError(NOT_FOUND, "There is no such suggestion in this workspace.")
    return found


def _check_keep(keep: UUID | None, pair: tuple[UUID, UUID]) -> None:
    if keep is not None and keep not in pair:
        message = f"should be one of the two: {pair[0]} or {pair[1]}"
        raise ProblemError(INVALID, f"keep: {message}", errors=[FieldError("keep", message)])


def _read_place(cursor: str) -> tuple[float, UUID]:
    score, _, last = cursor.partition("_")
    try:
        return float(score), UUID(last)
    except ValueError as error:
        message = "this is not the next of a page"
        raise ProblemError(INVALID, f"cursor: {message}", errors=[FieldError("cursor", message)]) from error


def _merged(merged: Merged, response: Response) -> MergedShape:
    response.headers["ETag"] = etag_of(merged.contact)
    return MergedShape(
        merge_id=merged.merge_id,
        survivor_id=merged.survivor_id,
        merged_id=merged.merged_id,
        changed=merged.changed,
        contact=ContactShape.of(merged.contact),
    )


def _suggestion(row: SuggestionRow) -> SuggestionShape:
    return SuggestionShape(
        id=row.id,
        state=row.state,  # type: ignore[arg-type]  # asked for one of the three
        rule=row.rule,
        score=row.score,
        reasons=list(row.reasons),
        opened_at=row.opened_at,
        decided_at=row.decided_at,
        decided_by=row.decided_by,
        contacts=[ContactShape.of(each) for each in row.contacts],
    )
