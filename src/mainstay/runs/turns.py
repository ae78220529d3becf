"""SQL of turns: of the runs of one workflow and key one has its turn, the others are behind, in order.

Whoever ends the one lets the next begin in the same transaction. A run that is put behind without a lock may have
missed that; it has a queue entry whose only work is to look again (:func:`look_again`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg

from mainstay.db import acquire, transact
from mainstay.model import new_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mainstay.db import Connection, Pool

OPEN = "state IN ('queued', 'running', 'waiting')"
IN_LINE = f"workspace_id = $1 AND key = $2 AND key <> '' AND workflow = $3 AND {OPEN}"
PLACE = "CASE WHEN is_behind OR is_beside THEN id END"
_AT_ONCE = 100


@dataclass(frozen=True, slots=True, order=True)
class Line:
    """What runs take turns in: a workflow's runs of one key."""

    workspace_id: UUID
    workflow: str
    key: str


async def begin_next(connection: Connection, line: Line) -> None:
    """Let the first that is behind begin, unless one of the line has its turn; inside the caller's transaction.

    Waits for whoever is just ending the one that has it.
    """
    values = (line.workspace_id, line.key, line.workflow)
    while True:
        has_turn = await connection.fetchval(
            f"SELECT TRUE FROM runs WHERE {IN_LINE} AND NOT is_behind LIMIT 1 FOR SHARE",  # noqa: S608
            *values,
        )
        if has_turn:
            return
        # Asked once more, as another may have taken the turn of whoever ended while we waited.
        first = await connection.fetchrow(
            f"""
            SELECT id, EXISTS (SELECT FROM runs WHERE {IN_LINE} AND NOT is_behind) AS is_taken
            FROM runs WHERE {IN_LINE} AND is_behind AND state = 'waiting'
            ORDER BY workspace_id, key, workflow, is_behind, ({PLACE}) LIMIT 1
            """,  # noqa: S608 - parts from this file
            *values,
        )
        if first is None or (not first["is_taken"] and await _begin(connection, first["id"])):
            return


async def _begin(connection: Connection, run_id: UUID) -> bool:
    """Give a run its turn; False when it is no longer behind, or another took the turn meanwhile."""
    execution_id = str(new_id())
    try:
        async with connection.transaction():
            row = await connection.fetchrow(
                """
                UPDATE runs SET is_behind = false, execution_id = $2,
                       state = CASE WHEN wake_at IS NULL THEN 'queued' ELSE 'waiting' END,
                       waiting_for = CASE WHEN wake_at IS NULL THEN '' ELSE 'its time' END
                WHERE id = $1 AND is_behind AND state = 'waiting' RETURNING wake_at, lane
                """,
                run_id,
                execution_id,
            )
    except asyncpg.UniqueViolationError:
        return False
    if row is not None:
        await connection.execute("SELECT enqueue_execution($1, $2, $3)", execution_id, row["wake_at"], row["lane"])
    return row is not None


async def look_again(pool: Pool, execution_id: str) -> None:
    """Let those begin whose turn came while they were put behind; ``execution_id`` is the entry they were given."""
    async with acquire(pool) as connection:
        rows = await connection.fetch(
            "SELECT DISTINCT workspace_id, workflow, key FROM runs "
            "WHERE execution_id = $1 AND is_behind AND state = 'waiting'",
            execution_id,
        )
    await _begin_each(pool, [Line(*row) for row in rows])


async def begin_missed(pool: Pool, after: UUID | None) -> UUID | None:
    """Let those begin that nothing else did: the safety net. Looks at a page of them; returns where that ended."""
    # Who has the turn is looked up row by row: of EXISTS a planner may make a hash of all open runs.
    async with acquire(pool) as connection:
        rows = await connection.fetch(
            f"""
            SELECT id, workspace_id, workflow, key, (
                SELECT id FROM runs WHERE workspace_id = page.workspace_id AND key = page.key AND key <> ''
                  AND workflow = page.workflow AND {OPEN} AND NOT is_behind LIMIT 1) IS NULL AS is_missed
            FROM (SELECT id, workspace_id, workflow, key FROM runs
                  WHERE is_behind AND state = 'waiting' AND ($1::uuid IS NULL OR id > $1) ORDER BY id LIMIT $2) AS page
            """,  # noqa: S608 - parts from this file
            after,
            _AT_ONCE * 5,
        )
    missed = {Line(row["workspace_id"], row["workflow"], row["key"]) for row in rows if row["is_missed"]}
    await _begin_each(pool, sorted(missed))
    return max((row["id"] for row in rows), default=None) if len(rows) == _AT_ONCE * 5 else None


async def _begin_each(pool: Pool, lines: Sequence[Line]) -> None:
    for line in lines:
        await transact(pool, partial(begin_next, line=line))


async def _enqueue_look(connection: Connection, workspace_id: UUID, key: str) -> None:
    """Let all that are behind with this key look again once the transaction is committed."""
    execution_id = str(new_id())
    status: str = await connection.execute(
        f"""
        UPDATE runs SET execution_id = $3
        WHERE workspace_id = $1 AND key = $2 AND key <> '' AND {OPEN} AND is_behind AND state = 'waiting'
        """,  # noqa: S608 - parts from this file
        workspace_id,
        key,
        execution_id,
    )
    if not status.endswith(" 0"):
        await connection.execute("SELECT enqueue_execution($1, NULL)", execution_id)


async def move_turns(connection: Connection, workspace_id: UUID, from_id: UUID, to_id: UUID) -> None:
    """Let the runs of a contact stand in line with those of the one that it was merged into.

    What has begun goes on to its end, beside what has begun there; nothing else begins before both have ended.
    """
    moved = await connection.fetchval(
        f"""
        WITH moved AS (
            UPDATE runs SET key = $3, is_beside = NOT is_behind
            WHERE workspace_id = $1 AND key = $2 AND key <> '' AND {OPEN} RETURNING is_behind
        ) SELECT bool_or(is_behind) FROM moved
        """,  # noqa: S608 - parts from this file
        workspace_id,
        str(from_id),
        str(to_id),
    )
    if moved:
        await _enqueue_look(connection, workspace_id, str(to_id))


async def return_turns(connection: Connection, workspace_id: UUID, stayed_id: UUID, restored_id: UUID) -> None:
    """After a merge was undone, let the runs of the contact that is back stand in a line of their own again."""
    moved = await connection.fetchval(
        f"""
        WITH moved AS (
            UPDATE runs SET key = $3, is_beside = NOT is_behind
            WHERE workspace_id = $1 AND key = $2 AND key <> '' AND {OPEN}
              AND contact_id IN (SELECT contact_group($4)) RETURNING id
        ) SELECT TRUE FROM moved LIMIT 1
        """,  # noqa: S608 - parts from this file
        workspace_id,
        str(stayed_id),
        str(restored_id),
        restored_id,
    )
    if moved:
        for key in (str(stayed_id), str(restored_id)):
            await _enqueue_look(connection, workspace_id, key)


async def wake_overdue(connection: Connection, now: datetime) -> int:
    """Put runs that wait past their deadline on the queue, where they fail; returns how many. In a transaction."""
    execution_id = str(new_id())
    rows = await connection.fetch(
        """
        UPDATE runs SET state = 'queued', execution_id = $2, wake_at = NULL, waiting_for = '', held_at = ''
        FROM (SELECT id FROM runs WHERE state = 'waiting' AND deadline_at IS NOT NULL AND deadline_at <= $1
              ORDER BY deadline_at LIMIT $3 FOR UPDATE SKIP LOCKED) AS overdue
        WHERE runs.id = overdue.id RETURNING runs.id
        """,
        now,
        execution_id,
        _AT_ONCE,
    )
    if rows:
        await connection.execute("SELECT enqueue_execution($1, NULL)", execution_id)
    return len(rows)
