"""SQL that reads records as a mirror shows them: some by their ids, or a page of all in the order of ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.identity import contact_of
from mainstay.mirrors.fields import MirroredRecord, MirroredType
from mainstay.model import Contact

if TYPE_CHECKING:
    from mainstay.db import Connection

_CONTACT = ", ".join(Contact.__dataclass_fields__)
# What a contact is read of: not all of its row, which has the origins of every value.
_RECORD = "r.id, r.values, concat_ws(' ', nullif(who.first_name, ''), nullif(who.last_name, '')), who.email, who.phone"
_WHO = """
    LEFT JOIN LATERAL (SELECT first_name, last_name, email, phone FROM contacts
                       WHERE id = surviving(r.contact_id) AND deleted_at IS NULL LIMIT 1) AS who ON true
"""


async def records_by_id(
    connection: Connection, workspace_id: UUID, kind: MirroredType, ids: Sequence[UUID]
) -> list[Contact | MirroredRecord]:
    """Return those of some records that there are: neither merged into others, nor deleted, nor gone."""
    # One by one: where statistics are of a book before its import, the planner would read all of it.
    if kind == "contact":
        rows = await connection.fetch(
            f"""
            SELECT {_CONTACT} FROM unnest($2::uuid[]) AS asked (contact_id)
            JOIN LATERAL (SELECT * FROM contacts WHERE id = contact_id LIMIT 1) AS c
                ON workspace_id = $1 AND merged_into IS NULL AND deleted_at IS NULL
            """,  # noqa: S608 the names above
            workspace_id,
            ids,
        )
        return list(map(contact_of, rows))
    rows = await connection.fetch(
        f"""
        SELECT {_RECORD} FROM unnest($2::uuid[]) AS asked (record_id)
        JOIN LATERAL (SELECT * FROM records WHERE id = record_id LIMIT 1) AS r
            ON workspace_id = $1 AND type = $3 AND gone_at IS NULL {_WHO}
        """,  # noqa: S608 the names above
        workspace_id,
        ids,
        kind,
    )
    return list(map(_record, rows))


async def records_after(
    connection: Connection, workspace_id: UUID, kind: MirroredType, after: UUID, size: int
) -> list[Contact | MirroredRecord]:
    """Return the next records of a type in the order of their ids, ``size`` at the most."""
    if kind == "contact":
        rows = await connection.fetch(
            f"""
            SELECT {_CONTACT} FROM contacts
            WHERE workspace_id = $1 AND id > $2 AND merged_into IS NULL AND deleted_at IS NULL ORDER BY id LIMIT $3
            """,  # noqa: S608 the names above
            workspace_id,
            after,
            size,
        )
        return list(map(contact_of, rows))
    rows = await connection.fetch(
        f"""
        SELECT {_RECORD} FROM (SELECT * FROM records WHERE workspace_id = $1 AND type = $4 AND id > $2
                               AND gone_at IS NULL ORDER BY id LIMIT $3) AS r {_WHO} ORDER BY r.id
        """,  # noqa: S608 the names above
        workspace_id,
        after,
        size,
        kind,
    )
    return list(map(_record, rows))


def _record(row: Any) -> MirroredRecord:
    return MirroredRecord(row[0], row[1], row[2] or "", row[3] or "", row[4] or "")
