"""SQL of children: runs that another run began in one of its steps, a limited number of them at once.

All of a step's children are stored at once, waiting; as many as the limit allows begin, and the end of each lets the
next begin. The end of the last leaves what became of all of them in the parent's wait. Ends of one parent's children
take turns at the lock of that wait: two that end at once cannot both take the other for open, nor begin the same one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.model import Run, new_id
from mainstay.runs.waits import go_on
from mainstay.telemetry import is_tracing

if TYPE_CHECKING:
    from mainstay.db import Connection

ENDED = "children ended"
"""What a parent's wait is for. No source can give an event of this name."""

_TOGETHER = 16


@dataclass(frozen=True, slots=True)
class NewChild:
    """A run to be, begun by another. ``place`` is its number among those of its step, from 0."""

    id: UUID
    workflow: str
    input: Mapping[str, Any]
    contact_id: UUID | None
    place: int
    deadline_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FanOut:
    """What a step of a run begins: its ``children``, of which ``at_most`` (0: none yet) are under way at once.

    A child that is stored already stays as it is. ``again`` lets those go on that have failed.
    """

    step: int
    children: Sequence[NewChild] = ()
    at_most: int = 0
    again: bool = False


Requeue = Callable[["Connection", UUID, UUID], Awaitable[bool]]


async def begin(connection: Connection, parent: Run, fan_out: FanOut, requeue: Requeue) -> None:
    """Store a step's children, and let them begin as far as its limit goes. The parent's wait is recorded before."""
    await _store(connection, parent, fan_out)
    if fan_out.again:
        await _go_again(connection, parent, fan_out.step, requeue)
    if fan_out.at_most:
        await _let_begin(connection, parent.id, fan_out.step, fan_out.at_most)


async def _go_again(connection: Connection, parent: Run, step: int, requeue: Requeue) -> None:
    """Let the children that failed wait for their turns again, each from the step that failed."""
    rows = await connection.fetch(
        "SELECT id FROM runs WHERE parent_id = $1 AND parent_step = $2 AND state = 'failed' ORDER BY place",
        parent.id,
        step,
    )
    failed = [row["id"] for row in rows]
    for child_id in failed:
        await requeue(connection, parent.workspace_id, child_id)
    await connection.execute(
        """
        UPDATE runs SET state = 'waiting', waiting_for = 'its place', execution_id = id::text WHERE id = ANY($1)
        """,
        failed,
    )


async def _store(connection: Connection, parent: Run, fan_out: FanOut) -> None:
    """Store a step's children; they wait for their turns."""
    now = datetime.now(UTC)
    await connection.executemany(
        """
        INSERT INTO runs (id, workspace_id, workflow, state, waiting_for, input, execution_id, delivery_id, contact_id,
                          created_at, lane, parent_id, parent_step, place, deadline_at)
        VALUES ($1, $2, $3, 'waiting', 'its place', $4, $1::uuid::text, $5, $6, $7, $8, $9, $10, $11, $12)
        ON CONFLICT (parent_id, parent_step, place) WHERE parent_id IS NOT NULL DO NOTHING
        """,
        [
            (
                child.id,
                parent.workspace_id,
                child.workflow,
                child.input,
                parent.delivery_id,
                child.contact_id,
                now,
                parent.lane,
                parent.id,
                fan_out.step,
                child.place,
                child.deadline_at,
            )
            for child in fan_out.children
        ],
    )
    if is_tracing():
        await connection.execute(
            """
            INSERT INTO traces (run_id, workspace_id, traceparent)
            SELECT child, workspace_id, traceparent FROM traces, unnest($2::uuid[]) AS t (child) WHERE run_id = $1
            ON CONFLICT DO NOTHING
            """,
            parent.id,
            [child.id for child in fan_out.children],
        )


async def _begin_next(connection: Connection, parent_id: UUID, step: int, at_most: int) -> bool:
    """Let as many children of a step begin as its limit leaves room for; True when none is open any more."""
    under_way = await connection.fetchval(
        """
        SELECT count(*) FROM runs WHERE parent_id = $1 AND parent_step = $2 AND parent_id IS NOT NULL
          AND state IN ('queued', 'running', 'waiting') AND waiting_for <> 'its place'
        """,
        parent_id,
        step,
    )
    begun = await connection.fetch(
        """
        SELECT id, lane FROM runs
        WHERE parent_id = $1 AND parent_step = $2 AND parent_id IS NOT NULL
          AND state = 'waiting' AND waiting_for = 'its place'
        ORDER BY place LIMIT $3 FOR UPDATE
        """,
        parent_id,
        step,
        max(0, at_most - under_way),
    )
    # Some share a queue entry; not all, so that several workers may take part.
    for start in range(0, len(begun), _TOGETHER):
        together = begun[start : start + _TOGETHER]
        execution_id = str(new_id())
        await connection.execute(
            "UPDATE runs SET state = 'queued', waiting_for = '', execution_id = $2 WHERE id = ANY($1)",
            [row["id"] for row in together],
            execution_id,
        )
        await connection.execute("SELECT enqueue_execution($1, NULL, $2)", execution_id, together[0]["lane"])
    return not under_way and not begun


async def children_ended(connection: Connection, run_ids: Sequence[UUID]) -> None:
    """Let the next children begin after these runs have ended; of those that were the last, the parents go on.

    For any way in which a run ends. Runs without a parent, or with one that does not wait for them, are left out.
    """
    if not run_ids:
        return
    waiting = await connection.fetch(
        """
        SELECT waits.run_id, waits.step, (waits.match ->> 'at_most')::integer AS at_most FROM waits
        WHERE waits.event_type = $2 AND waits.event IS NULL AND (waits.run_id, waits.step) IN (
            SELECT parent_id, parent_step FROM runs WHERE id = ANY($1) AND parent_step IS NOT NULL)
          AND EXISTS (SELECT FROM runs WHERE id = waits.run_id AND state IN ('queued', 'running', 'waiting'))
        ORDER BY waits.run_id, waits.step FOR UPDATE OF waits
        """,
        run_ids,
        ENDED,
    )
    await _look_after(connection, [(row["run_id"], row["step"], row["at_most"]) for row in waiting])


async def recheck_children(connection: Connection) -> None:
    """Do the same for every parent that waits for children of which none is under way: the safety net."""
    waiting = await connection.fetch(
        """
        SELECT waits.run_id, waits.step, (waits.match ->> 'at_most')::integer AS at_most
        FROM waits JOIN runs AS parents ON parents.id = waits.run_id AND parents.state = 'waiting'
        WHERE waits.event_type = $1 AND waits.event IS NULL AND NOT EXISTS (
            SELECT FROM runs WHERE parent_id = waits.run_id AND parent_step = waits.step AND parent_id IS NOT NULL
              AND runs.state IN ('queued', 'running', 'waiting') AND runs.waiting_for <> 'its place')
        ORDER BY waits.run_id, waits.step FOR UPDATE OF waits SKIP LOCKED
        """,
        ENDED,
    )
    await _look_after(connection, [(row["run_id"], row["step"], row["at_most"]) for row in waiting])


async def _let_begin(connection: Connection, parent_id: UUID, step: int, at_most: int) -> bool:
    """Let a step's children begin; when all have ended already, leave that in the parent's wait. True if so."""
    if not await _begin_next(connection, parent_id, step, at_most):
        return False
    await connection.execute(
        """
        UPDATE waits SET seen = false, event = (
            SELECT jsonb_build_object(
                'results', coalesce(jsonb_agg(result ORDER BY place), '[]'),
                'failed', coalesce(jsonb_agg(jsonb_build_object(
                    'place', place, 'run_id', id, 'workflow', workflow, 'state', state, 'error', error) ORDER BY place)
                    FILTER (WHERE state <> 'done'), '[]'))
            FROM runs WHERE parent_id = $1 AND parent_step = $2)
        WHERE run_id = $1 AND step = $2
        """,
        parent_id,
        step,
    )
    return True


async def _look_after(connection: Connection, waiting: Sequence[tuple[UUID, int, int]]) -> None:
    ready = [each[0] for each in waiting if await _let_begin(connection, *each)]
    await go_on(connection, ready)
