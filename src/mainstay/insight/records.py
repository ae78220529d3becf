"""Records that are no contacts: lists, and one with its lineage and its story."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.insight.merges import NAME
from mainstay.insight.paging import PAGE_SIZE, Page, Row, page_of, prefix_range, resolve_short_id
from mainstay.model.record import title_of

if TYPE_CHECKING:
    from mainstay.db import Connection
    from mainstay.model import RecordType

_LATEST = 50
OF_CONTACT = 50


@dataclass(frozen=True, slots=True)
class RecordRow:
    """One record: the values that stand, by field or ``custom.KEY``. ``contact_id`` is the contact as it is today."""

    id: UUID
    type: RecordType
    contact_id: UUID | None
    contact_name: str
    values: Mapping[str, str]
    version: int
    gone_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @property
    def title(self) -> str:
        """What it is called; empty where it has no name of its own."""
        return title_of(self.values)


@dataclass(frozen=True, slots=True)
class RecordChange:
    """What a system said of a record. ``refused`` are its values that do not stand, as another system is right."""

    id: UUID
    connection: str
    source: str
    delivery_id: UUID | None
    run_id: UUID | None
    said_at: datetime
    before: Mapping[str, str]
    after: Mapping[str, str]
    refused: Mapping[str, str]
    at: datetime


@dataclass(frozen=True, slots=True)
class RecordDetail:
    """One record with all that was said of it.

    Attributes:
        ids: its id in each system.
        origins: by field, the change that said the value that stands, and said so first.
        changes: the latest, the newest first.
    """

    record: RecordRow
    ids: Mapping[str, str]
    origins: Mapping[str, RecordChange]
    changes: tuple[RecordChange, ...]
    has_more: bool


async def list_records(
    connection: Connection,
    workspace_id: UUID,
    kind: RecordType,
    *,
    status: str = "",
    contact_id: UUID | None = None,
    before: UUID | None = None,
    size: int = PAGE_SIZE,
) -> Page[RecordRow]:
    """Return records of a type, the newest first, those that are gone too.

    Of one status, or of one contact and all that was merged into it, where that is given.
    """
    found = f"""
        SELECT * FROM records WHERE workspace_id = $1 AND type = $2
          AND id < coalesce($3, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
          {"AND values ->> 'status' = $5" if status else ""}
    """  # noqa: S608 - parts from this file
    if contact_id is not None:
        place = 6 if status else 5
        found = f"""
            SELECT theirs.* FROM contact_group(${place}) AS member
            CROSS JOIN LATERAL ({found} AND contact_id = member ORDER BY id DESC LIMIT $4) AS theirs
        """  # noqa: S608 - parts from this file
    rows = await connection.fetch(
        f"""
        SELECT {_COLUMNS} FROM ({found} ORDER BY id DESC LIMIT $4) AS records {_CONTACT} ORDER BY records.id DESC
        """,  # noqa: S608 - parts from this file
        workspace_id,
        kind,
        before,
        size + 1,
        *([status] if status else []),
        *([contact_id] if contact_id is not None else []),
    )
    return page_of(rows, _row, size)


async def search_records(
    connection: Connection,
    workspace_id: UUID,
    kind: RecordType,
    text: str,
    *,
    connections: Sequence[str],
    size: int = PAGE_SIZE,
) -> tuple[RecordRow, ...]:
    """Return the records that a text may mean: by its id or short id, its id in a system, or its beginning.

    That is of its reference, or of what it is called, regardless of case.
    """
    ids = await resolve_short_id(connection, "records", workspace_id, text)
    rows = await connection.fetch(
        f"""
        SELECT {_COLUMNS} FROM (
            SELECT * FROM records WHERE id IN (
                SELECT id FROM records WHERE id = ANY($3) AND workspace_id = $1 AND type = $2
                UNION
                SELECT record_id FROM crosswalk
                WHERE workspace_id = $1 AND record_type = $2 AND connection = ANY($4) AND external_id = $5
                UNION
                (SELECT id FROM records WHERE workspace_id = $1 AND type = $2 AND values ->> 'reference' <> ''
                 AND values ->> 'reference' ~>=~ $6 AND values ->> 'reference' ~<~ $7 LIMIT $8)
                UNION
                (SELECT id FROM records WHERE workspace_id = $1 AND type = $2 AND record_title(values) IS NOT NULL
                 AND record_title(values) ~>=~ $9 AND record_title(values) ~<~ $10 LIMIT $8)
            ) ORDER BY id DESC LIMIT $8
        ) AS records {_CONTACT} ORDER BY records.id DESC
        """,  # noqa: S608 - parts from this file
        workspace_id,
        kind,
        list(ids),
        list(connections),
        text.strip(),
        *prefix_range(text.strip()),
        size,
        *prefix_range(text.strip().lower()),
    )
    return tuple(_row(row) for row in rows)


async def records_of(
    connection: Connection,
    workspace_id: UUID,
    group: Sequence[UUID],
    *,
    before: UUID | None = None,
    size: int = OF_CONTACT,
) -> tuple[RecordRow, ...]:
    """Return the latest records of a contact, whose ``group`` are its id and those merged into it.

    With ``before``, the latest of those that came before that one.
    """
    rows = await connection.fetch(
        f"""
        SELECT {_COLUMNS} FROM (
            SELECT found.* FROM unnest($1::uuid[]) AS members (id) CROSS JOIN LATERAL (
                SELECT * FROM records WHERE contact_id = members.id AND workspace_id = $2
                  AND records.id < coalesce($3, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
                ORDER BY records.id DESC LIMIT $4
            ) AS found ORDER BY found.id DESC LIMIT $4
        ) AS records {_CONTACT} ORDER BY records.id DESC
        """,  # noqa: S608 - parts from this file
        list(group),
        workspace_id,
        before,
        size,
    )
    return tuple(_row(row) for row in rows)


async def record_detail(
    connection: Connection, workspace_id: UUID, record_id: UUID, *, latest: int = _LATEST
) -> RecordDetail | None:
    """Return one record, with the ``latest`` changes of it; None when there is none."""
    row = await connection.fetchrow(
        f"""
        SELECT {_COLUMNS}, records.origins FROM records {_CONTACT}
        WHERE records.id = $1 AND records.workspace_id = $2
        """,  # noqa: S608 - parts from this file
        record_id,
        workspace_id,
    )
    if row is None:
        return None
    ids = await connection.fetch(
        """
        SELECT connection, external_id FROM crosswalk
        WHERE workspace_id = $1 AND record_type = $2 AND record_id = $3 ORDER BY 1
        """,
        workspace_id,
        row["type"],
        record_id,
    )
    changes = await connection.fetch(
        "SELECT * FROM record_changes WHERE record_id = $1 AND workspace_id = $2 ORDER BY id DESC LIMIT $3",
        record_id,
        workspace_id,
        latest + 1,
    )
    since = {name: UUID(origin["since"]) for name, origin in row["origins"].items() if name in row["values"]}
    older = await connection.fetch(
        "SELECT * FROM record_changes WHERE id = ANY($1) AND workspace_id = $2",
        list(set(since.values())),
        workspace_id,
    )
    known = {change["id"]: _change(change) for change in (*changes, *older)}
    return RecordDetail(
        _row(row),
        {each["connection"]: each["external_id"] for each in ids},
        {name: known[change] for name, change in since.items() if change in known},
        tuple(_change(change) for change in changes[:latest]),
        len(changes) > latest,
    )


_COLUMNS = f"""
    records.id, records.type, contacts.id AS contact_id, {NAME} AS contact_name, records.values, records.version,
    records.gone_at, records.created_at, records.updated_at
"""
_CONTACT = "LEFT JOIN contacts ON contacts.id = surviving(records.contact_id) AND contacts.deleted_at IS NULL"


def _row(row: Row) -> RecordRow:
    return RecordRow(**{name: row[name] for name in RecordRow.__dataclass_fields__})


def _change(row: Row) -> RecordChange:
    found: dict[str, Any] = {name: row[name] for name in RecordChange.__dataclass_fields__}
    return RecordChange(**found)
