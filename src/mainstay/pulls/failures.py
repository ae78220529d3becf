"""The run that asks a layer what failed there, and takes each failure in as if the layer had reported it itself.

A failure is kept under its execution's id, so it is one delivery however often it is told, and by whichever way: a pull
that is killed before its cursor is kept costs a read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

import orjson

from mainstay.db import acquire, hold, transact
from mainstay.model import Lane, RawRequest
from mainstay.runs import begin_run

if TYPE_CHECKING:
    from mainstay.db import Connection, Pool
    from mainstay.engine import StepRunner
    from mainstay.intake import Intake, SourceBinding
    from mainstay.kit import Http, PullingLayer
    from mainstay.runs import Claimed

PULL_FAILURES = "pull-failures.v1"
MOST_PAGES = 100
"""Pages of one run: the next goes on, so that no history grows without end."""


@dataclass(frozen=True, slots=True)
class FailurePull:
    """A source of failures that is asked for, and how often."""

    source: SourceBinding
    connection: str
    every: timedelta


class Layers(Protocol):
    """What the composition root knows of layers."""

    def failure_pulls(self, workspace_id: UUID) -> Mapping[str, FailurePull]:
        """Return what is asked for, by the source's name."""
        ...

    def vendor(self, workspace_id: UUID, connection: str, role: str, http: Http) -> Any:
        """Return a connection's object for a role, for one attempt."""
        ...


class FailurePuller:
    """Asks layers what failed. ``program`` is what the engine calls for each run."""

    def __init__(self, pool: Pool, layers: Layers, intake: Intake, clock: Callable[[], datetime]) -> None:
        self._pool = pool
        self._layers = layers
        self._intake = intake
        self._clock = clock

    async def begin_due(self, workspace_id: UUID) -> None:
        """Begin each pull whose time has come; of two that try at once, one does."""
        for name, pull in self._layers.failure_pulls(workspace_id).items():

            async def work(connection: Connection, name: str = name, pull: FailurePull = pull) -> None:
                if await _hold_due(connection, workspace_id, name, pull):
                    run_id = await begin_run(
                        connection, workspace_id, PULL_FAILURES, {"source": name}, lane=Lane.BACKFILL
                    )
                    await connection.execute(
                        "UPDATE failure_pulls SET run_id = $3 WHERE workspace_id = $1 AND source = $2",
                        workspace_id,
                        name,
                        run_id,
                    )

            await transact(self._pool, work)

    async def program(self, steps: StepRunner) -> Sequence[Claimed]:
        """Ask until all was told that had failed."""
        workspace_id, name = steps.run.workspace_id, str(steps.run.input["source"])
        pull = self._layers.failure_pulls(workspace_id).get(name)
        if pull is None:
            return ()

        async def call(http: Http) -> Mapping[str, Any]:
            return await self._page(steps.run.id, pull, http)

        for _ in range(MOST_PAGES):
            page = await steps.step("layer.pull_failures", call, connection=pull.connection)
            if not page or not page["has_more"]:
                break
        return ()

    async def _page(self, run_id: UUID, pull: FailurePull, http: Http) -> Mapping[str, Any]:
        workspace_id, name = pull.source.workspace_id, pull.source.name
        own = (workspace_id, name, run_id, pull.connection)
        async with acquire(self._pool) as connection:
            cursor = await connection.fetchval(
                "SELECT cursor FROM failure_pulls WHERE workspace_id = $1 AND source = $2 AND run_id = $3 "
                "AND connection = $4",
                *own,
            )
        if cursor is None:
            return {"has_more": False}
        layer: PullingLayer = self._layers.vendor(workspace_id, pull.connection, "layer", http)
        found = await layer.pull_failures(cursor)
        told = 0
        for failure in found.failures:
            body = orjson.dumps(failure.report())
            headers = {"content-type": "application/json"}
            request = RawRequest("POST", f"{pull.connection}: what failed there", headers, body, self._clock())
            receipt = await self._intake.take(pull.source, request, f"asked of {pull.connection}")
            told += receipt.state == "accepted"
        async with acquire(self._pool) as connection:
            await connection.execute(
                """
                UPDATE failure_pulls SET cursor = $5, pulled_at = CASE WHEN $6 THEN now() ELSE pulled_at END
                WHERE workspace_id = $1 AND source = $2 AND run_id = $3 AND connection = $4
                """,
                *own,
                found.cursor,
                not found.has_more,
            )
        return {"failures": len(found.failures), "new": told, "has_more": found.has_more}


async def _hold_due(connection: Connection, workspace_id: UUID, name: str, pull: FailurePull) -> bool:
    """Hold a pull whose time has come, until the commit; False when it is not due, under way, or held elsewhere."""
    await connection.execute(
        """
        INSERT INTO failure_pulls (workspace_id, source, connection) VALUES ($1, $2, $3)
        ON CONFLICT (workspace_id, source) DO UPDATE SET connection = excluded.connection, cursor = '', pulled_at = NULL
        WHERE failure_pulls.connection <> excluded.connection
        """,
        workspace_id,
        name,
        pull.connection,
    )
    found = await hold(
        connection,
        """
        SELECT TRUE FROM failure_pulls
        WHERE workspace_id = $1 AND source = $2 AND (pulled_at IS NULL OR pulled_at <= now() - $3::interval)
          AND NOT EXISTS (SELECT FROM runs WHERE runs.id = failure_pulls.run_id
                          AND runs.state IN ('queued', 'running', 'waiting', 'failed') AND runs.handled_at IS NULL)
        FOR NO KEY UPDATE OF failure_pulls SKIP LOCKED
        """,
        workspace_id,
        name,
        pull.every,
    )
    return bool(found)
