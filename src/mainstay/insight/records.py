"""Records that are no contacts: lists, and one with its lineage and its story."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.insight.merges import NAME
from mainstay.insight.paging import PAGE_SIZE, Page, Row, page_of, prefix_range, resolve_short_id

if TYPE_CHECKING:
    from mainstay.db import Connection
    from mainstay.model import RecordType

_TITLES = ("title", "name", "number", "subject", "reference")
_LATEST = 50
_OF_CONTACT = 50


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
        return next((self.values[name] for name in _TITLES if self.values.get(name)), "")


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
    before: UUID | None = None,
    size: int = PAGE_SIZE,
) -> Page[RecordRow]:
    """Return records of a type, the newest first, those that are gone too; of one status where one is given."""
    rows = await connection.fetch(
        f"""
        SELECT {_COLUMNS} FROM (
            SELECT * FROM records WHERE workspace_id = $1 AND type = $2
              AND id < coalesce($3, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
              {"AND values ->> 'status' = $5" if status else ""}
            ORDER BY id DESC LIMIT $4
        ) AS records {_CONTACT} ORDER BY records.id DESC
        """,  # noqa: S608 - parts from this file
        workspace_id,
        kind,
        before,
        size + 1,
        *([status] if status else []),
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
    """Return the records that a text may mean: by its id or short id, its id in a system, its reference's beginning."""
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
    )
    return tuple(_row(row) for row in rows)


async def records_of(connection: Connection, workspace_id: UUID, group: Sequence[UUID]) -> tuple[RecordRow, ...]:
    """Return the latest records of a contact, whose ``group`` are its id and those merged into it."""
    rows = await connection.fetch(
        f"""
        SELECT {_COLUMNS} FROM (
            SELECT found.* FROM unnest($1::uuid[]) AS members (id) CROSS JOIN LATERAL (
                SELECT * FROM records WHERE contact_id = members.id AND workspace_id = $2
                ORDER BY records.id DESC LIMIT {_OF_CONTACT}
            ) AS found ORDER BY found.id DESC LIMIT {_OF_CONTACT}
        ) AS records {_CONTACT} ORDER BY records.id DESC
        """,  # noqa: S608 - parts from this file
        list(group),
        workspace_id,
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
