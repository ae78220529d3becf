"""A workspace's runs in line, as tests drive them: made, claimed, ended, without an engine."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from mainstay.db import Connection, Pool, acquire, transact
from mainstay.errors import FencedError
from mainstay.model import Overlap, Run, RunState, new_id
from mainstay.runs import NewRun, Progress, Settlement, Turn, add_runs, claim_execution, look_again, settle


class Lines:
    """The runs of one workflow in a workspace of its own."""

    def __init__(self, pool: Pool, workspace_id: UUID) -> None:
        self.pool = pool
        self.workspace_id = workspace_id

    @classmethod
    async def open(cls, pool: Pool) -> Lines:
        """Make the workspace."""
        workspace_id = new_id()
        async with acquire(pool) as connection:
            await connection.execute(
                "INSERT INTO workspaces (id, slug, name) VALUES ($1, $2, 'Acme')", workspace_id, f"acme-{workspace_id}"
            )
        return cls(pool, workspace_id)

    def new(self, key: str = "sarah", overlap: Overlap = Overlap.QUEUE, **more: Any) -> NewRun:
        """Return a run to be."""
        turn = Turn(key, overlap, more.pop("not_before", None)) if key else None
        return NewRun(new_id(), self.workspace_id, "welcome.v1", {}, str(new_id()), turn=turn, **more)

    @staticmethod
    async def add(connection: Connection, *runs: NewRun) -> set[UUID]:
        """Insert runs in the caller's transaction, and enqueue those that begin."""
        begun = await add_runs(connection, runs)
        for run in runs:
            if run.id in begun:
                await connection.execute("SELECT enqueue_execution($1, NULL)", run.execution_id)
        return begun

    async def made(self, *runs: NewRun) -> set[UUID]:
        """Insert runs in a transaction of their own; returns those that may begin."""
        return await transact(self.pool, lambda session: self.add(session, *runs))

    async def take(self) -> list[str]:
        """Take every entry that is on the queue, as one worker would."""
        async with acquire(self.pool) as connection:
            rows = await connection.fetch(
                """
                UPDATE dbos.workflow_status SET status = 'SUCCESS' WHERE status IN ('ENQUEUED', 'DELAYED')
                RETURNING workflow_uuid, created_at
                """
            )
        return [row["workflow_uuid"] for row in sorted(rows, key=lambda row: row["created_at"])]

    async def claim(self, execution_id: str) -> list[Run]:
        """Do with one entry what the driver does first."""
        claimed = await claim_execution(self.pool, execution_id)
        if not claimed:
            await look_again(self.pool, execution_id)
        return [item.run for item in claimed]

    async def end(self, run: Run, state: RunState = RunState.DONE) -> bool:
        """End a run; False when it was lost meanwhile."""
        (fence,) = await transact(self.pool, lambda session: settle(session, [Progress(run, (), Settlement(state))]))
        assert fence is None or isinstance(fence, FencedError)
        return fence is None

    async def drain(self) -> list[UUID]:
        """Drive whatever is due to its end, entry by entry; returns the runs in the order in which they began."""
        began: list[UUID] = []
        while entries := await self.take():
            for entry in entries:
                for run in await self.claim(entry):
                    began.append(run.id)
                    await self.check()
                    await self.end(run)
                    await self.check()
        return began

    async def rows(self) -> dict[UUID, Any]:
        """Return every run as it stands, by its id."""
        async with acquire(self.pool) as connection:
            rows = await connection.fetch("SELECT * FROM runs WHERE workspace_id = $1 ORDER BY id", self.workspace_id)
        return {row["id"]: row for row in rows}

    async def check(self) -> None:
        """Assert that of each key at most one run has its turn, those from before a merge left aside."""
        async with acquire(self.pool) as connection:
            found = await connection.fetch(
                """
                SELECT key, count(*) FROM runs
                WHERE workspace_id = $1 AND key <> '' AND state IN ('queued', 'running', 'waiting')
                  AND NOT is_behind AND NOT is_beside
                GROUP BY key HAVING count(*) > 1
                """,
                self.workspace_id,
            )
        assert not found
