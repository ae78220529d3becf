"""Merges: what became one contact, when, why, on whose word, and whether it was undone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from mainstay.db import Connection

_MOST = 100


@dataclass(frozen=True, slots=True)
class MergeRow:
    """One merge. ``by`` is the person who did it, empty where a rule did; ``merged_name`` what the other was called."""

    id: UUID
    survivor_id: UUID
    merged_id: UUID
    merged_name: str
    rule: str
    by: str
    note: str
    at: datetime
    undone_at: datetime | None
    undone_by: str

    @property
    def is_undoable(self) -> bool:
        """Tell whether it can be undone: it stands."""
        return self.undone_at is None


async def merges_of(connection: Connection, workspace_id: UUID, group: Sequence[UUID]) -> tuple[MergeRow, ...]:
    """Return the merges into any of these contacts, the newest first (at most a hundred)."""
    rows = await connection.fetch(
        f"""
        SELECT merges.id, survivor_id, merged_id, {NAME} AS merged_name, rule, by, note, at, undone_at, undone_by
        FROM merges LEFT JOIN contacts ON contacts.id = merges.merged_id
        WHERE survivor_id = ANY($1) AND merges.workspace_id = $2 ORDER BY merges.id DESC LIMIT {_MOST}
        """,  # noqa: S608 - no text of others
        group,
        workspace_id,
    )
    return tuple(MergeRow(**dict(row)) for row in rows)


NAME = (
    "coalesce(nullif(concat_ws(' ', nullif(contacts.first_name, ''), nullif(contacts.last_name, '')), ''), "
    "nullif(contacts.email, ''), contacts.phone, '')"
)
"""SQL of what a row of ``contacts`` is called."""
