"""Turns: whom a run waits for, and whether a contact has runs that can be cancelled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from mainstay.db import Connection


async def run_ahead(connection: Connection, workspace_id: UUID, run_id: UUID) -> tuple[UUID | None, int]:
    """Return the run that has the turn which this one waits for, and how many of their line are before it.

    (None, 0) when it is not behind, or its turn is just coming.
    """
    row = await connection.fetchrow(
        """
        SELECT (SELECT id FROM runs AS first
                WHERE first.workspace_id = own.workspace_id AND first.key = own.key AND first.key <> ''
                  AND first.workflow = own.workflow AND first.state IN ('queued', 'running', 'waiting')
                  AND NOT first.is_behind ORDER BY id LIMIT 1) AS ahead,
               (SELECT count(*) FROM (
                    SELECT FROM runs AS other
                    WHERE other.workspace_id = own.workspace_id AND other.key = own.key AND other.key <> ''
                      AND other.workflow = own.workflow AND other.state IN ('queued', 'running', 'waiting')
                      AND (NOT other.is_behind OR other.id < own.id) LIMIT 1000) AS line) AS place
        FROM runs AS own WHERE id = $1 AND workspace_id = $2 AND is_behind AND state = 'waiting'
        """,
        run_id,
        workspace_id,
    )
    return (row["ahead"], row["place"]) if row is not None else (None, 0)


async def has_open_runs(connection: Connection, workspace_id: UUID, contact_ids: Sequence[UUID]) -> bool:
    """Tell whether any run about these contacts has not ended."""
    return bool(
        await connection.fetchval(
            """
            SELECT EXISTS (SELECT FROM runs WHERE contact_id = ANY($2) AND workspace_id = $1
                           AND state IN ('queued', 'running', 'waiting'))
            """,
            workspace_id,
            list(contact_ids),
        )
    )
