"""Records that are no contacts, written over HTTP: where our own book is right about them."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from mainstay.errors import PermanentError
from mainstay.recording import BY_HAND, ElsewhereError, NoRecordError, RecordChangedError, Recorded
from mainstay.web.api.bodies import RecordBody, RecordEditBody
from mainstay.web.api.contacts import REPEATED, IfMatch, Key
from mainstay.web.api.desk import Ask, Asking
from mainstay.web.api.etags import etag_of, states_in
from mainstay.web.api.problems import CHANGED, CONFLICT, ELSEWHERE, NOT_FOUND, ProblemError
from mainstay.web.api.records import RecordShape


class RecordWrittenShape(BaseModel):
    """What became of a write, and the record as it is now."""

    outcome: Literal["created", "updated", "unchanged"]
    changed: Annotated[tuple[str, ...], Field(description="The fields that changed, by canonical field or custom.KEY.")]
    record: RecordShape


router = APIRouter(prefix="/records", tags=["records"])


@router.post(
    "",
    response_model=RecordWrittenShape,
    responses={201: {"model": RecordWrittenShape, "description": "A record was created"}},
    response_description="A record had this reference: updated, or unchanged",
)
async def create_record(ask: Ask, body: RecordBody, idempotency_key: Key = "") -> Response:
    """Write a record of which our own book is right; one that has its reference already is brought up to date."""
    try:
        done = await ask.book.create(
            ask.workspace_id, body.type, body.wish(), source=_source(ask), key=_scoped(ask, idempotency_key)
        )
    except PermanentError as error:
        raise _problem(error) from error
    return _answer(done)


@router.patch("/{record_id}", response_model=RecordWrittenShape)
async def change_record(
    ask: Ask, record_id: UUID, body: RecordEditBody, idempotency_key: Key = "", if_match: IfMatch = ""
) -> Response:
    """Set values of a record by hand, where our own book is right about them."""
    try:
        done = await ask.book.change(
            ask.workspace_id,
            record_id,
            body.wish(),
            source=_source(ask),
            key=_scoped(ask, idempotency_key),
            seen=states_in(if_match),
        )
    except PermanentError as error:
        raise _problem(error) from error
    return _answer(done)


def _source(ask: Asking) -> str:
    return f"{BY_HAND}{ask.caller.name}"


def _scoped(ask: Asking, key: str) -> str:
    """Return a key apart from all others: each token has its own, and a space stands in none of them."""
    bare = key.strip('"')
    return f"{ask.caller.name}:{bare} record" if bare else ""


def _problem(error: PermanentError) -> ProblemError:
    match error:
        case ElsewhereError():
            return ProblemError(ELSEWHERE, str(error))
        case NoRecordError():
            return ProblemError(NOT_FOUND, "There is no such record in this workspace.")
        case RecordChangedError():
            detail = "It is not what If-Match names: read it again."
            return ProblemError(CHANGED, detail, headers={"ETag": etag_of(error.record)})
    return ProblemError(CONFLICT, str(error))


def _answer(done: Recorded) -> Response:
    shown = RecordWrittenShape(
        outcome=done.outcome,
        changed=done.changed,
        record=RecordShape.of(done.record),
    )
    headers = {"ETag": etag_of(done.record), "Location": f"/api/v1/records/{done.record.id}"}
    if done.is_repeat:
        headers[REPEATED] = "true"
    return JSONResponse(shown.model_dump(mode="json"), 201 if done.outcome == "created" else 200, headers)
