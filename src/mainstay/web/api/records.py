"""Records that are no contacts over HTTP: read."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from mainstay.insight.records import RecordChange, RecordDetail, RecordRow, list_records, record_detail
from mainstay.model import Record, RecordType
from mainstay.web.api.contacts import Cursor, Limit, read_cursor
from mainstay.web.api.desk import Ask
from mainstay.web.api.etags import etag_of
from mainstay.web.api.problems import NOT_FOUND, ProblemError

router = APIRouter(prefix="/records", tags=["records"])


class RecordShape(BaseModel):
    """A record: the values that stand, by canonical field or custom.KEY. ``gone_at``: when it was deleted there."""

    id: UUID
    type: RecordType
    contact_id: UUID | None
    values: dict[str, str]
    version: int
    gone_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, record: Record | RecordRow) -> RecordShape:
        """Return a record as the API gives it."""
        return cls.model_validate(record, from_attributes=True)


class SayingShape(BaseModel):
    """What a system said: ``refused`` are its values that do not stand, as another system is right about them."""

    id: UUID
    connection: str
    source: str
    delivery_id: UUID | None
    run_id: UUID | None
    said_at: datetime
    before: dict[str, str]
    after: dict[str, str]
    refused: dict[str, str]
    at: datetime

    @classmethod
    def of(cls, change: RecordChange) -> SayingShape:
        """Return a change as the API gives it."""
        return cls.model_validate(change, from_attributes=True)


class RecordWhole(RecordShape):
    """A record with its ids elsewhere, where each value comes from, and the latest that was said of it."""

    ids: Annotated[dict[str, str], Field(description="Connection to the record's id there.")]
    origins: Annotated[dict[str, SayingShape], Field(description="By field: what said the value that stands first.")]
    changes: list[SayingShape]

    @classmethod
    def of_detail(cls, detail: RecordDetail) -> RecordWhole:
        """Return a record with all that was said of it."""
        return cls(
            **RecordShape.of(detail.record).model_dump(),
            ids=dict(detail.ids),
            origins={name: SayingShape.of(change) for name, change in detail.origins.items()},
            changes=[SayingShape.of(change) for change in detail.changes],
        )


class RecordsPage(BaseModel):
    """A page of records. ``next`` is the cursor of the next page; null when this is the last."""

    records: list[RecordShape]
    next: str | None


Kind = Annotated[RecordType, Query(alias="type", description="Which type of record.")]


@router.get("")
async def list_of_type(
    ask: Ask,
    kind: Kind,
    status: Annotated[str, Query(max_length=100, description="Only those of this status.")] = "",
    contact: Annotated[UUID | None, Query(description="Only those of this contact, and of all merged into it.")] = None,
    cursor: Cursor = "",
    limit: Limit = 50,
) -> RecordsPage:
    """List records of one type, the newest first."""
    before = read_cursor(cursor)
    async with ask.reading() as connection:
        page = await list_records(
            connection, ask.workspace_id, kind, status=status, contact_id=contact, before=before, size=limit
        )
    return RecordsPage(
        records=[RecordShape.of(record) for record in page.items], next=str(page.before) if page.before else None
    )


@router.get("/{record_id}")
async def read_record(ask: Ask, record_id: UUID, response: Response) -> RecordWhole:
    """Read one record, with whose word each of its values is."""
    async with ask.reading() as connection:
        detail = await record_detail(connection, ask.workspace_id, record_id)
    if detail is None:
        raise ProblemError(NOT_FOUND, f"There is no record {record_id}")
    response.headers["ETag"] = etag_of(detail.record)
    return RecordWhole.of_detail(detail)
