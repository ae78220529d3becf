"""SQL of swaps: what was begun and by whom, and how far the mirror is that is to take over."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.model import new_id
from mainstay.swaps.rules import MANY_BEHIND, Standing, State, Swap

if TYPE_CHECKING:
    from mainstay.db import Connection

_SAMPLE = 10_000


async def latest(connection: Connection, workspace_id: UUID) -> Swap | None:
    """Return the last swap of a workspace."""
    row = await connection.fetchrow(
        """
        SELECT id, old, new, state, began_at, began_by, over_at, over_by, ended_at, despite
        FROM swaps WHERE workspace_id = $1 AND record_type = 'contact' ORDER BY began_at DESC, id DESC LIMIT 1
        """,
        workspace_id,
    )
    return Swap(**dict(row)) if row is not None else None


async def note(
    connection: Connection, workspace_id: UUID, old: str, new: str, state: State, *, by: str, despite: str = ""
) -> None:
    """Note where a swap is by the stack that is in force; told again, it changes nothing."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('swap ' || $1::uuid, 0))", workspace_id)
    last = await latest(connection, workspace_id)
    is_same = last is not None and (last.old, last.new) == (old, new) and last.state != "back"
    if last is not None and is_same:
        if last.state != state:
            await connection.execute(
                """
                UPDATE swaps SET state = $2,
                       over_at = CASE $2 WHEN 'over' THEN now() WHEN 'running' THEN NULL ELSE over_at END,
                       over_by = CASE $2 WHEN 'over' THEN $3 WHEN 'running' THEN '' ELSE over_by END,
                       despite = CASE $2 WHEN 'over' THEN $4 ELSE despite END,
                       ended_at = CASE $2 WHEN 'back' THEN now() END
                WHERE id = $1
                """,
                last.id,
                state,
                by,
                despite,
            )
        return
    if state == "back":
        return
    await connection.execute(
        """
        INSERT INTO swaps (id, workspace_id, record_type, old, new, state, began_by, over_at, over_by, despite)
        VALUES ($1, $2, 'contact', $3, $4, $5, $6, CASE WHEN $5 = 'over' THEN now() END,
                CASE WHEN $5 = 'over' THEN $6 ELSE '' END, $7)
        """,
        new_id(),
        workspace_id,
        old,
        new,
        state,
        by,
        despite,
    )


async def standing_of(connection: Connection, workspace_id: UUID, name: str) -> Standing | None:
    """Return how a mirror stands; None where no process has declared it yet."""
    row = await connection.fetchrow(
        """
        SELECT loaded, to_load, loaded_at, compared_at, coalesce(writing.state, '') AS run_state,
               coalesce(writing.error, '') AS error,
               comparing.state IS NOT NULL AND comparing.state IN ('queued', 'running', 'waiting') AS is_comparing,
               (SELECT count(*) FROM (SELECT FROM stale_in_mirror AS s
                                      WHERE s.workspace_id = $1 AND s.mirror = $2
                                      ORDER BY s.record_id LIMIT $3) AS t) AS behind,
               (SELECT count(*) FROM (SELECT FROM drifts AS d WHERE d.workspace_id = $1 AND d.mirror = $2
                                      AND d.state = 'open' LIMIT $3) AS t) AS open_drifts
        FROM mirrors
        LEFT JOIN runs AS writing ON writing.id = mirrors.run_id AND writing.handled_at IS NULL
             AND writing.state IN ('queued', 'running', 'waiting', 'failed')
        LEFT JOIN runs AS comparing ON comparing.id = mirrors.compare_run_id
        WHERE mirrors.workspace_id = $1 AND name = $2 AND is_declared AND followed_until IS NULL
        """,
        workspace_id,
        name,
        MANY_BEHIND,
    )
    return Standing(**dict(row)) if row is not None else None


async def contacts_to_copy(connection: Connection, workspace_id: UUID) -> int:
    """Count the contacts that a backfill is of; one by one, so for a person's question alone."""
    count: int = await connection.fetchval(
        "SELECT count(*) FROM contacts WHERE workspace_id = $1 AND merged_into IS NULL AND deleted_at IS NULL",
        workspace_id,
    )
    return count


async def common_fields(connection: Connection, workspace_id: UUID) -> list[str]:
    """Return the custom fields that the newest contacts have."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT jsonb_object_keys(custom) AS key
        FROM (SELECT custom FROM contacts WHERE workspace_id = $1 AND merged_into IS NULL AND deleted_at IS NULL
              ORDER BY id DESC LIMIT $2) AS newest
        ORDER BY key LIMIT 200
        """,
        workspace_id,
        _SAMPLE,
    )
    return [row["key"] for row in rows]
