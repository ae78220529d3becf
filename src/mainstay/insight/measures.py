"""What a monitoring system reads: totals since the beginning, and how things stand now. No big table is counted.

Totals are of ended hours, added up once an hour, and the tallies since; the rest are look-ups in short indexes, capped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.insight.gates import list_gates
from mainstay.insight.monitors import list_monitors

if TYPE_CHECKING:
    from mainstay.db import Connection

MOST_COUNTED = 10_000
"""A count of runs that are now in a state ends here: more is as bad."""


@dataclass(frozen=True, slots=True)
class WorkspaceMeasures:
    """How a workspace stands.

    Attributes:
        totals: (kind, name, label) to how many since the beginning, as the tallies are named: ``source``, ``run``,
            ``attempt`` or ``pull``.
        runs: state to how many runs are in it now, at most ``MOST_COUNTED``.
        queue_age: seconds since the oldest run on the queue was made; 0 for none.
        incidents: how many are open.
        gates: connection to its state, and how many runs it holds.
        monitors: (kind, name) to its state.
    """

    totals: Mapping[tuple[str, str, str], int]
    runs: Mapping[str, int]
    queue_age: float
    incidents: int
    gates: Mapping[str, tuple[str, int]]
    monitors: Mapping[tuple[str, str], str]


@dataclass(frozen=True, slots=True)
class Measures:
    """How a deployment stands. ``worker_age`` is seconds since a worker was heard of last, None for never."""

    workspaces: Mapping[UUID, WorkspaceMeasures]
    workers: int
    worker_age: float | None


async def worker_age(connection: Connection) -> float | None:
    """Return how many seconds ago a worker was heard of last; None for never."""
    age: float | None = await connection.fetchval(
        "SELECT extract(epoch FROM clock_timestamp() - max(heartbeat_at))::float8 FROM workers"
    )
    return None if age is None else max(0.0, age)


async def measure(
    connection: Connection, workspaces: Sequence[UUID], now: datetime, *, silent_after: float
) -> Measures:
    """Measure some workspaces, and the workers that serve them."""
    workers = await connection.fetchval(
        "SELECT count(*) FROM workers WHERE heartbeat_at > now() - make_interval(secs => $1)", silent_after
    )
    found = {each: await _measure(connection, each, now) for each in workspaces}
    return Measures(found, workers, await worker_age(connection))


_RUNS = " UNION ALL ".join(  # one literal per state, so that the partial index of open runs serves each
    f"SELECT '{state}' AS state, count(*) AS count FROM "  # noqa: S608 - parts from this file
    f"(SELECT FROM runs WHERE workspace_id = $1 AND state = '{state}' LIMIT {MOST_COUNTED}) AS capped"
    for state in ("queued", "running", "waiting")
)


async def _measure(connection: Connection, workspace_id: UUID, now: datetime) -> WorkspaceMeasures:
    totals = await connection.fetch(
        """
        SELECT name, label, sum(count)::bigint AS count FROM (
            SELECT name, label, count FROM totals WHERE workspace_id = $1
            UNION ALL
            SELECT name, label, count FROM tallies
            WHERE workspace_id = $1 AND hour >= (SELECT hour FROM totals_until)
        ) AS counted GROUP BY name, label
        """,
        workspace_id,
    )
    queue_age = await connection.fetchval(
        """
        SELECT extract(epoch FROM clock_timestamp() - created_at)::float8 FROM runs
        WHERE workspace_id = $1 AND state = 'queued' ORDER BY id LIMIT 1
        """,
        workspace_id,
    )
    incidents = await connection.fetchval(
        """
        SELECT count(*) FROM (SELECT FROM incidents WHERE workspace_id = $1 AND state = 'open' LIMIT $2) AS capped
        """,
        workspace_id,
        MOST_COUNTED,
    )
    return WorkspaceMeasures(
        {(*_parts(row["name"]), row["label"]): row["count"] for row in totals},
        {row["state"]: row["count"] for row in await connection.fetch(_RUNS, workspace_id)},
        max(0.0, queue_age or 0.0),
        incidents,
        {gate.name: (gate.state, gate.held.number) for gate in await list_gates(connection, workspace_id)},
        {(row.kind, row.name): row.state for row in await list_monitors(connection, workspace_id, now)},
    )


def _parts(name: str) -> tuple[str, str]:
    kind, _, rest = name.partition(" ")
    return kind, rest
