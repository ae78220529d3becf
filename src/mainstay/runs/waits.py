"""SQL of waits: a run that waits for an event leaves a row, and the event finds it there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
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
    ``match`` is what the event must hold besides: keys of its data with their values.
    """

    step: int
    event_type: str
    contact_id: UUID | None
    deadline: datetime | None
    since: UUID
    match: Mapping[str, Any] = field(default_factory=dict)


async def add_waits(connection: Connection, waits: Sequence[tuple[Run, Wait]]) -> None:
    """Note what runs wait for."""
    if not waits:
        return
    await connection.executemany(
        """
        INSERT INTO waits (workspace_id, run_id, step, event_type, contact_id, deadline, match)
        VALUES ($1, $2, $3, $4, surviving($5), $6, $7)
        ON CONFLICT (run_id, step) DO UPDATE
        SET event = NULL, seen = false, event_type = excluded.event_type, contact_id = excluded.contact_id,
            match = excluded.match
        """,
        [(r.workspace_id, r.id, w.step, w.event_type, w.contact_id, w.deadline, dict(w.match)) for r, w in waits],
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
    query = """
        SELECT id, data, surviving(contact_id) AS means FROM events
        WHERE workspace_id = $1 AND type = $2 AND id > $3 AND data @> $4
        """
    values: list[Any] = [run.workspace_id, wait.event_type, wait.since, dict(wait.match)]
    if wait.contact_id is not None:
        query += " AND contact_id IN (SELECT contact_group(surviving($5)))"
        values.append(wait.contact_id)
    found = await connection.fetchrow(f"{query} ORDER BY id LIMIT 1", *values)
    if found is not None:
        event = event_as_seen(wait.event_type, found["id"], found["data"])
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
        SELECT workspace_id, run_id, event_type, contact_id, id, data FROM open CROSS JOIN LATERAL (
            SELECT id, data FROM events WHERE events.contact_id = open.contact_id AND events.id > open.since
              AND events.workspace_id = open.workspace_id AND events.type = open.event_type AND data @> open.match
            ORDER BY id LIMIT 1
        ) AS missed WHERE contact_id IS NOT NULL
        UNION ALL
        SELECT workspace_id, run_id, event_type, contact_id, id, data FROM open CROSS JOIN LATERAL (
            SELECT id, data FROM events WHERE events.workspace_id = open.workspace_id AND events.type = open.event_type
              AND events.id > open.since AND data @> open.match ORDER BY id LIMIT 1
        ) AS missed WHERE contact_id IS NULL
        """
    )
    for row in found:
        event = event_as_seen(row["event_type"], row["id"], row["data"])
        await wake(connection, [(row["workspace_id"], row["event_type"], row["contact_id"], event)], only=row["run_id"])
    return len(found)


def event_as_seen(event_type: str, event_id: UUID, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event as the run that waited for it gets it."""
    return {**data, "type": event_type, "event_id": str(event_id)}


async def wake(
    connection: Connection,
    happened: Sequence[tuple[UUID, str, UUID | None, Mapping[str, Any]]],
    *,
    only: UUID | None = None,
) -> None:
    """Wake the runs that wait for these events: (workspace, event type, contact, the event as they will see it).

    Of several that a run waits for, it gets the first.
    """
    if not happened:
        return
    woken = await connection.fetch(
        """
        WITH happened AS (
            SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::jsonb[])
                WITH ORDINALITY AS happened (workspace_id, type, contact_id, event, place)
        ), found AS (
            SELECT DISTINCT ON (waits.run_id, waits.step) waits.run_id, waits.step, happened.event
            FROM happened JOIN waits ON waits.workspace_id = happened.workspace_id AND waits.event_type = happened.type
             AND (waits.contact_id = happened.contact_id OR waits.contact_id IS NULL)
             AND waits.event IS NULL AND happened.event @> waits.match
            WHERE $5::uuid IS NULL OR waits.run_id = $5
            ORDER BY waits.run_id, waits.step, happened.place
        )
        UPDATE waits SET event = found.event, seen = false FROM found
        WHERE waits.run_id = found.run_id AND waits.step = found.step AND waits.event IS NULL
        RETURNING waits.run_id
        """,
        [workspace_id for workspace_id, _, _, _ in happened],
        [event_type for _, event_type, _, _ in happened],
        [contact_id for _, _, contact_id, _ in happened],
        [event for _, _, _, event in happened],
        only,
    )
    await go_on(connection, {row["run_id"] for row in woken})


async def go_on(connection: Connection, run_ids: Collection[UUID]) -> None:
    """Enqueue those of these runs that are parked, now that what they wait for is there."""
    ids = sorted(run_ids, key=str)
    if ids:
        # Also one that is running: it is held until the event stands, so that it cannot park without seeing it.
        await connection.execute("SELECT FROM runs WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE", ids)
    for run_id in ids:
        execution_id = str(new_id())
        moved = await connection.fetchval(
            """
            UPDATE runs SET execution_id = $2 WHERE id = $1 AND state = 'waiting' AND NOT is_behind RETURNING lane
            """,
            run_id,
            execution_id,
        )
        if moved is not None:
            await connection.execute("SELECT enqueue_execution($1, NULL, $2)", execution_id, moved)


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
