"""SQL of schedules: which ticks are due, and that each has been dealt with."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from mainstay.db import Connection


@dataclass(frozen=True, slots=True)
class Declared:
    """A workflow's schedule as a process declares it. ``next_at`` is its first tick after now, None for none ever."""

    workspace_id: UUID
    workflow: str
    cron: str
    timezone: str
    catch_up: str
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class Due:
    """A schedule with a tick to deal with: its first, ``next_at``; ``last_tick`` is the one that was fired before."""

    workspace_id: UUID
    workflow: str
    cron: str
    timezone: str
    next_at: datetime
    last_tick: datetime | None


async def declare_schedules(
    connection: Connection, workspace_ids: Collection[UUID], declared: Sequence[Declared]
) -> None:
    """Let these be the schedules of these workspaces; others of theirs are gone.

    One that is new, or says something else than before, begins with its next tick. One that is as it was keeps the
    ticks that are still due; a next tick further ahead than can be, after a clock was wrong, is put right.
    """
    await connection.execute(
        """
        DELETE FROM schedules WHERE workspace_id = ANY($1) AND NOT EXISTS (
            SELECT FROM unnest($2::uuid[], $3::text[]) AS kept (workspace_id, workflow)
            WHERE kept.workspace_id = schedules.workspace_id AND kept.workflow = schedules.workflow)
        """,
        list(workspace_ids),
        [each.workspace_id for each in declared],
        [each.workflow for each in declared],
    )
    await connection.executemany(
        """
        INSERT INTO schedules AS known (workspace_id, workflow, cron, timezone, catch_up, next_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (workspace_id, workflow) DO UPDATE
        SET cron = excluded.cron, timezone = excluded.timezone, catch_up = excluded.catch_up, next_at = excluded.next_at
        WHERE (known.cron, known.timezone, known.catch_up) <> (excluded.cron, excluded.timezone, excluded.catch_up)
           OR known.next_at IS DISTINCT FROM least(known.next_at, excluded.next_at)
        """,
        [
            (each.workspace_id, each.workflow, each.cron, each.timezone, each.catch_up, each.next_at)
            for each in sorted(declared, key=lambda each: (str(each.workspace_id), each.workflow))
        ],
    )


async def next_due(
    connection: Connection,
    workspace_ids: Collection[UUID],
    now: datetime,
    *,
    besides: Collection[tuple[UUID, str]] = (),
) -> Due | None:
    """Hold the schedule that has been due longest and that nobody else deals with, until the transaction's end."""
    row = await connection.fetchrow(
        """
        SELECT * FROM schedules WHERE workspace_id = ANY($1) AND next_at <= $2 AND NOT EXISTS (
            SELECT FROM unnest($3::uuid[], $4::text[]) AS tried (workspace_id, workflow)
            WHERE tried.workspace_id = schedules.workspace_id AND tried.workflow = schedules.workflow)
        ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED
        """,
        list(workspace_ids),
        now,
        [workspace_id for workspace_id, _ in besides],
        [workflow for _, workflow in besides],
    )
    if row is None:
        return None
    return Due(row["workspace_id"], row["workflow"], row["cron"], row["timezone"], row["next_at"], row["last_tick"])


async def advance(
    connection: Connection,
    due: Due,
    *,
    next_at: datetime | None,
    last_tick: datetime | None,
    run_id: UUID | None,
    missed: int,
) -> None:
    """Note that the ticks before ``next_at`` have been dealt with: ``last_tick`` fired last, as ``run_id``."""
    await connection.execute(
        """
        UPDATE schedules SET next_at = $3, last_tick = coalesce($4, last_tick), last_run_id = coalesce($5, last_run_id),
               missed = missed + $6
        WHERE workspace_id = $1 AND workflow = $2
        """,
        due.workspace_id,
        due.workflow,
        next_at,
        last_tick,
        run_id,
        missed,
    )


async def already_run(connection: Connection, run_ids: Collection[UUID]) -> set[UUID]:
    """Return those of these runs that are there."""
    rows = await connection.fetch("SELECT id FROM runs WHERE id = ANY($1)", list(run_ids))
    return {row["id"] for row in rows}


async def first_due_at(connection: Connection, workspace_ids: Collection[UUID]) -> datetime | None:
    """Return when the next tick of any schedule is due."""
    moment: datetime | None = await connection.fetchval(
        "SELECT min(next_at) FROM schedules WHERE workspace_id = ANY($1)", list(workspace_ids)
    )
    return moment
