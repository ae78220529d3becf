"""SQL of bulk retries: the failed runs that one order means, sent on in the order of their ids, as its brake allows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.db import storable
from mainstay.errors import FencedError
from mainstay.model import Lane, new_id, short_id
from mainstay.runs.choosing import FIRST, Chosen
from mainstay.runs.retrying import Again, Deadline, requeue
from mainstay.runs.store import hold

if TYPE_CHECKING:
    from mainstay.db import Connection, Row
    from mainstay.model import Run

_AT_ONCE = 100
_LOOK_AGAIN = timedelta(seconds=1)
# With stops_on_error: the first goes alone; once one has got through, so many are under way at a time.
_UNDER_WAY = 10


@dataclass(frozen=True, slots=True)
class Brake:
    """How a bulk retry goes about it.

    Attributes:
        per_second: runs a second at the most; None: as fast as they are taken up.
        stops_on_error: it stops when one fails again; the first goes alone.
    """

    per_second: float | None = None
    stops_on_error: bool = False


async def begin_bulk(
    connection: Connection,
    workspace_id: UUID,
    run_id: UUID,
    chosen: Chosen,
    brake: Brake,
    *,
    from_start: bool,
    by: str,
) -> UUID:
    """Take down an order, which the run ``run_id`` will carry out."""
    bulk_id = new_id()
    await connection.execute(
        """
        INSERT INTO bulk_retries (id, workspace_id, run_id, state, chosen, per_second, stops_on_error, from_start, by,
                                  begun_at)
        VALUES ($1, $2, $3, 'running', $4, $5, $6, $7, $8, $9)
        """,
        bulk_id,
        workspace_id,
        run_id,
        chosen.to_json(),
        brake.per_second,
        brake.stops_on_error,
        from_start,
        by,
        # By the clock that also writes when runs failed.
        datetime.now(UTC),
    )
    return bulk_id


async def stop_bulk(connection: Connection, workspace_id: UUID, bulk_id: UUID, *, by: str) -> bool:
    """Send nothing more of it; False when it is not running."""
    return (
        await connection.fetchval(
            """
        UPDATE bulk_retries SET state = 'stopped', note = $3, ended_at = now()
        WHERE id = $2 AND workspace_id = $1 AND state = 'running' RETURNING TRUE
        """,
            workspace_id,
            bulk_id,
            storable(f"stopped by {by or 'hand'}"),
        )
        is not None
    )


async def resume_bulk(connection: Connection, workspace_id: UUID, bulk_id: UUID, run_id: UUID) -> bool:
    """Let a stopped one go on where it stopped, carried out by the run ``run_id``; False when it is not stopped."""
    found = await connection.fetchval(
        """
        UPDATE bulk_retries SET state = 'running', note = '', ended_at = NULL, run_id = $3
        WHERE id = $2 AND workspace_id = $1 AND state = 'stopped' RETURNING TRUE
        """,
        workspace_id,
        bulk_id,
        run_id,
    )
    if found:
        # What failed again is known, and is no reason to stop once more.
        await connection.execute("UPDATE hand_retries SET is_open = false WHERE bulk_id = $1 AND is_open", bulk_id)
    return found is not None


async def send_some(
    connection: Connection, run: Run, bulk_id: UUID, now: datetime, *, deadline: Deadline, own: Collection[str]
) -> datetime | None:
    """Send the next few, in a transaction; returns when to come again, or None when it is over.

    Raises:
        FencedError: ``run`` is no longer this worker's.
    """
    if run.fence not in await hold(connection, [run]):
        raise FencedError(f"run {run.id} is driven by another worker now")
    bulk = await connection.fetchrow("SELECT * FROM bulk_retries WHERE id = $1 FOR NO KEY UPDATE", bulk_id)
    if bulk is None or bulk["state"] != "running" or bulk["run_id"] != run.id:
        return None
    if bulk["next_at"] is not None and bulk["next_at"] > now:
        wait: datetime = bulk["next_at"]
        return wait
    under_way = 0
    count, pause = _portion(bulk["per_second"])
    if bulk["stops_on_error"]:
        failed, under_way = await _look(connection, bulk_id)
        if failed is not None:
            await _end(connection, bulk_id, "stopped", f"run {short_id(failed['id'])} failed again: {failed['error']}")
            return None
        count = min(count, (_UNDER_WAY if await _has_passed(connection, bulk) else 1) - under_way)
        if count <= 0:
            return now + _LOOK_AGAIN
    sent = await _next(connection, bulk, count, own)
    if not sent:
        if under_way:
            return now + _LOOK_AGAIN
        await _end(connection, bulk_id, "done", "")
        return None
    again = Again(
        1 if bulk["from_start"] else None, None, Lane.BACKFILL, bulk["by"], bulk_id, is_watched=bulk["stops_on_error"]
    )
    for run_id in sent:
        await requeue(connection, run.workspace_id, run_id, again=again, deadline=deadline)
    next_at = now + pause * len(sent) if pause else None
    await connection.execute(
        "UPDATE bulk_retries SET after = $2, sent = sent + $3, next_at = $4 WHERE id = $1",
        bulk_id,
        sent[-1],
        len(sent),
        next_at,
    )
    return next_at or (now + _LOOK_AGAIN if bulk["stops_on_error"] else now)


def _portion(per_second: float | None) -> tuple[int, timedelta]:
    """Return how many go at once at the most, and how long to wait for each that went."""
    if per_second is None:
        return _AT_ONCE, timedelta()
    return min(max(1, int(per_second)), _AT_ONCE), timedelta(seconds=1 / per_second)


async def _next(connection: Connection, bulk: Row, count: int, own: Collection[str]) -> list[UUID]:
    values: list[Any] = [bulk["workspace_id"], bulk["after"], bulk["begun_at"], count]
    condition = Chosen.from_json(bulk["chosen"]).condition(values)
    if bulk["from_start"]:
        # Mainstay's own go on from where they failed alone.
        values.append(list(own))
        condition += f" AND runs.workflow <> ALL(${len(values)})"
    rows = await connection.fetch(
        f"""
        SELECT id FROM runs
        WHERE workspace_id = $1 AND id > coalesce($2, {FIRST}) AND finished_at <= $3 AND {condition}
        ORDER BY id LIMIT $4 FOR UPDATE
        """,  # noqa: S608 - parts from this package
        *values,
    )
    return [row["id"] for row in rows]


async def _look(connection: Connection, bulk_id: UUID) -> tuple[Row | None, int]:
    """Return one that failed again, if any, and how many are neither through nor failed."""
    rows = await connection.fetch(
        """
        SELECT sent.id AS sent_id, runs.id, runs.state, runs.error,
               runs.state IN ('done', 'cancelled') OR runs.state = 'waiting' AND sent.from_step IS NULL
               OR EXISTS (SELECT FROM attempts WHERE attempts.run_id = runs.id AND attempts.step = sent.from_step
                          AND attempts.state = 'ok' AND NOT attempts.is_set_aside) AS is_through
        FROM hand_retries AS sent JOIN runs ON runs.id = sent.run_id WHERE sent.bulk_id = $1 AND sent.is_open
        """,
        bulk_id,
    )
    through = [row["sent_id"] for row in rows if row["state"] != "failed" and row["is_through"]]
    await connection.execute("UPDATE hand_retries SET is_open = false WHERE id = ANY($1)", through)
    return next((row for row in rows if row["state"] == "failed"), None), len(rows) - len(through)


async def _has_passed(connection: Connection, bulk: Row) -> bool:
    """Tell whether one has got through since it began, or was let go on."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM hand_retries WHERE bulk_id = $1 AND NOT is_open)", bulk["id"]
    )
    return found


async def _end(connection: Connection, bulk_id: UUID, state: str, note: str) -> None:
    await connection.execute(
        "UPDATE bulk_retries SET state = $2, note = $3, ended_at = now() WHERE id = $1",
        bulk_id,
        state,
        storable(note[:2000]),
    )
