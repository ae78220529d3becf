"""SQL of waits: a run that waits for an event leaves a row, and the event finds it there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.model import Run, new_id

if TYPE_CHECKING:
    from mainstay.db import Connection


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait for an event, kept until it comes or ``deadline`` passes. ``contact_id`` None matches any contact.

    ``since`` is an id made when the wait began: ids sort by time, so the events it waits for have later ones.
    """

    step: int
    event_type: str
    contact_id: UUID | None
    deadline: datetime | None
    since: UUID


async def add_waits(connection: Connection, waits: Sequence[tuple[Run, Wait]]) -> None:
    """Note what runs wait for."""
    if not waits:
        return
    await connection.executemany(
        """
        INSERT INTO waits (workspace_id, run_id, step, event_type, contact_id, deadline)
        VALUES ($1, $2, $3, $4, surviving($5), $6)
        ON CONFLICT (run_id, step) DO UPDATE
        SET event = NULL, seen = false, event_type = excluded.event_type, contact_id = excluded.contact_id
        """,
        [(r.workspace_id, r.id, w.step, w.event_type, w.contact_id, w.deadline) for r, w in waits],
    )


async def take_waits(connection: Connection, run_ids: Sequence[UUID]) -> Mapping[UUID, Mapping[int, Any]]:
    """Return what these runs wait for: run to step to the event, None where it has not come. They have seen it now."""
    rows = await connection.fetch(
        """
        UPDATE waits SET seen = event IS NOT NULL WHERE run_id = ANY($1) RETURNING run_id, step, event
        """,
        run_ids,
    )
    found: dict[UUID, dict[int, Any]] = {}
    for row in rows:
        found.setdefault(row["run_id"], {})[row["step"]] = row["event"]
    return found


async def awake_already(connection: Connection, run_ids: Sequence[UUID]) -> Collection[UUID]:
    """Return those of these parking runs for which an event has come that they have not seen."""
    rows = await connection.fetch(
        "SELECT DISTINCT run_id FROM waits WHERE run_id = ANY($1) AND event IS NOT NULL AND NOT seen", run_ids
    )
    return {row["run_id"] for row in rows}


async def recheck_wait(connection: Connection, run: Run, wait: Wait) -> None:
    """Wake a run whose event came while its wait was being recorded."""
    if wait.contact_id is not None:
        # A merge that was under way while the wait was being recorded has not moved it.
        await connection.execute(
            """
            UPDATE waits SET contact_id = surviving(contact_id)
            WHERE run_id = $1 AND step = $2 AND event IS NULL AND contact_id <> surviving(contact_id)
            """,
            run.id,
            wait.step,
        )
    query = "SELECT data, surviving(contact_id) AS means FROM events WHERE workspace_id = $1 AND type = $2 AND id > $3"
    values: list[Any] = [run.workspace_id, wait.event_type, wait.since]
    if wait.contact_id is not None:
        query += " AND contact_id IN (SELECT contact_group(surviving($4)))"
        values.append(wait.contact_id)
    found = await connection.fetchrow(f"{query} ORDER BY id LIMIT 1", *values)
    if found is not None:
        event = {"type": wait.event_type, **found["data"]}
        await wake(connection, [(run.workspace_id, wait.event_type, found["means"], event)], only=run.id)


async def recheck_waits(connection: Connection) -> int:
    """Do for every waiting run what :func:`recheck_wait` does for one: whoever had to may have died before it could.

    Returns how many events were found. A wait began when its step was first recorded as waiting.
    """
    found = await connection.fetch(
        """
        WITH open AS (
            SELECT waits.*, (lpad(to_hex(floor(extract(epoch FROM began.at) * 1000)::bigint), 12, '0')
                             || repeat('0', 20))::uuid AS since
            FROM waits JOIN runs ON runs.id = waits.run_id AND runs.state = 'waiting'
            CROSS JOIN LATERAL (SELECT min(started_at) AS at FROM attempts
                                WHERE run_id = waits.run_id AND step = waits.step AND state = 'waiting') AS began
            WHERE waits.event IS NULL AND began.at IS NOT NULL
        )
        SELECT workspace_id, run_id, event_type, contact_id, data FROM open CROSS JOIN LATERAL (
            SELECT data FROM events WHERE events.contact_id = open.contact_id AND events.id > open.since
              AND events.workspace_id = open.workspace_id AND events.type = open.event_type ORDER BY id LIMIT 1
        ) AS missed WHERE contact_id IS NOT NULL
        UNION ALL
        SELECT workspace_id, run_id, event_type, contact_id, data FROM open CROSS JOIN LATERAL (
            SELECT data FROM events WHERE events.workspace_id = open.workspace_id AND events.type = open.event_type
              AND events.id > open.since ORDER BY id LIMIT 1
        ) AS missed WHERE contact_id IS NULL
        """
    )
    for row in found:
        event = {"type": row["event_type"], **row["data"]}
        await wake(connection, [(row["workspace_id"], row["event_type"], row["contact_id"], event)], only=row["run_id"])
    return len(found)


async def wake(
    connection: Connection,
    happened: Sequence[tuple[UUID, str, UUID | None, Mapping[str, Any]]],
    *,
    only: UUID | None = None,
) -> None:
    """Wake the runs that wait for these events: (workspace, event type, contact, the event as they will see it)."""
    first: dict[tuple[UUID, str, UUID | None], Mapping[str, Any]] = {}
    for workspace_id, event_type, contact_id, event in happened:
        first.setdefault((workspace_id, event_type, contact_id), event)
    if not first:
        return
    woken = await connection.fetch(
        """
        UPDATE waits SET event = happened.event, seen = false
        FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::jsonb[]) AS happened (workspace_id, type, contact_id, event)
        WHERE waits.workspace_id = happened.workspace_id AND waits.event_type = happened.type AND waits.event IS NULL
          AND (waits.contact_id = happened.contact_id OR waits.contact_id IS NULL)
          AND ($5::uuid IS NULL OR waits.run_id = $5)
        RETURNING waits.run_id
        """,
        [key[0] for key in first],
        [key[1] for key in first],
        [key[2] for key in first],
        list(first.values()),
        only,
    )
    ids = sorted({row["run_id"] for row in woken}, key=str)
    if ids:
        # Also one that is running: it is held until the event stands, so that it cannot park without seeing it.
        await connection.execute("SELECT FROM runs WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE", ids)
    for run_id in ids:
        execution_id = str(new_id())
        moved = await connection.fetchval(
            "UPDATE runs SET execution_id = $2 WHERE id = $1 AND state = 'waiting' AND NOT is_behind RETURNING id",
            run_id,
            execution_id,
        )
        if moved is not None:
            await connection.execute("SELECT enqueue_execution($1, NULL)", execution_id)


async def move_waits(connection: Connection, from_id: UUID, to_id: UUID) -> None:
    """Let runs that wait for events of a contact wait for those of the one that it was merged into."""
    await connection.execute("UPDATE waits SET contact_id = $2 WHERE contact_id = $1 AND event IS NULL", from_id, to_id)


async def return_waits(connection: Connection, stayed_id: UUID, restored_id: UUID) -> None:
    """After a merge was undone, let the runs of the contact that is back wait for its own events again."""
    await connection.execute(
        """
        UPDATE waits SET contact_id = $2 FROM runs
        WHERE waits.contact_id = $1 AND waits.event IS NULL AND runs.id = waits.run_id
          AND runs.contact_id IN (SELECT contact_group($2))
        """,
        stayed_id,
        restored_id,
    )
