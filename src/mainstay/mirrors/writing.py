"""The run that writes a mirror: state-based, a batch a step, so that a batch written twice leaves the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from mainstay.db import acquire, transact
from mainstay.errors import WorkflowError
from mainstay.mirrors import drifts, store
from mainstay.mirrors.rules import KEY, Mirror
from mainstay.model import Lane
from mainstay.runs import begin_run

if TYPE_CHECKING:
    from mainstay.db import Connection, Pool
    from mainstay.engine import StepRunner
    from mainstay.kit import Http, Table
    from mainstay.runs import Claimed

MIRROR = "mirror.v1"
MOST_BATCHES = 200
"""Batches of one run: the next goes on, so that no history grows without end."""


class Tables(Protocol):
    """What the composition root knows of mirrors."""

    def mirrors(self, workspace_id: UUID) -> Mapping[str, Mirror]:
        """Return a workspace's mirrors, by name."""
        ...

    def table(self, workspace_id: UUID, connection: str, http: Http) -> Table:
        """Return the connection's tables, for one attempt."""
        ...


class Writer:
    """Keeps mirrors alike. ``program`` is what the engine calls for each run."""

    def __init__(self, pool: Pool, tables: Tables) -> None:
        self._pool = pool
        self._tables = tables

    async def declare(self, workspace_id: UUID) -> None:
        """Let a workspace's mirrors be those of its stack."""
        mirrors = list(self._tables.mirrors(workspace_id).values())
        await transact(self._pool, lambda connection: store.declare(connection, workspace_id, mirrors))
        await transact(self._pool, lambda connection: store.begin(connection, workspace_id))

    async def begin_due(self, workspace_id: UUID) -> None:
        """Begin a run for each mirror that has something to write."""
        mirrors = list(self._tables.mirrors(workspace_id).values())
        if not mirrors:
            return

        async def work(connection: Connection) -> None:
            for name in await store.due(connection, workspace_id, mirrors):
                await store.own(
                    connection, workspace_id, name, await _begin(connection, workspace_id, {"mirror": name})
                )

        await transact(self._pool, work)

    async def program(self, steps: StepRunner) -> Sequence[Claimed]:
        """Write until nothing is stale."""
        workspace_id, name = steps.run.workspace_id, str(steps.run.input["mirror"])
        mirror = declared(self._tables, workspace_id, name)
        if undo := steps.run.input.get("undo"):
            await self._undo(steps, mirror, [UUID(each) for each in undo])
            return ()

        async def call(http: Http) -> Mapping[str, Any]:
            return await self._write(workspace_id, mirror, self._tables.table(workspace_id, mirror.connection, http))

        for _ in range(MOST_BATCHES):
            done = await steps.step("table.upsert_rows", call, connection=mirror.connection)
            if not done or not done["is_more"]:
                break
        return ()

    async def undo(self, workspace_id: UUID, name: str, ids: Sequence[UUID]) -> UUID:
        """Let rows that were reverted be again what somebody had made of them; returns the run's id."""
        data = {"mirror": name, "undo": [str(each) for each in ids]}
        return await transact(self._pool, lambda connection: _begin(connection, workspace_id, data))

    async def _undo(self, steps: StepRunner, mirror: Mirror, ids: Sequence[UUID]) -> None:
        workspace_id = steps.run.workspace_id

        async def call(http: Http) -> Mapping[str, Any]:
            async with acquire(self._pool) as connection:
                found = await drifts.reverted(connection, workspace_id, mirror.name, ids)
            rows = [
                {KEY: str(each.contact_id)} | {title: said["theirs"] for title, said in each.fields.items()}
                for each in found
            ]
            if rows:
                table = self._tables.table(workspace_id, mirror.connection, http)
                await table.upsert_rows(mirror.table, KEY, rows)
            return {"drifts": [str(each.id) for each in found]}

        done = await steps.step("table.upsert_rows", call, connection=mirror.connection)
        back = [UUID(each) for each in done["drifts"]] if done else []
        await transact(
            self._pool,
            lambda connection: drifts.decide(connection, workspace_id, back, "open", by="", only=["reverted"]),
        )

    async def _write(self, workspace_id: UUID, mirror: Mirror, table: Table) -> Mapping[str, Any]:
        async with acquire(self._pool) as connection:
            batch = await store.next_batch(connection, workspace_id, mirror, table.batch)
        rows = {record.id: mirror.row(record) for record in batch.records}
        digests = {record_id: mirror.digest(row) for record_id, row in rows.items()}
        changed = {each: digest for each, digest in digests.items() if batch.digests.get(each) != digest}
        if changed:
            await table.upsert_rows(mirror.table, KEY, [rows[each] for each in changed])
        if batch.gone:
            await table.remove_rows(mirror.table, KEY, [str(each) for each in batch.gone])
        if not batch.is_empty:
            await transact(
                self._pool,
                lambda connection: store.note_written(connection, workspace_id, mirror.name, batch, changed),
            )
        return {"written": len(changed), "removed": len(batch.gone), "is_more": not batch.is_empty}


async def _begin(connection: Connection, workspace_id: UUID, data: Mapping[str, Any]) -> UUID:
    return await begin_run(connection, workspace_id, MIRROR, data, lane=Lane.BACKFILL)


def declared(tables: Tables, workspace_id: UUID, name: str) -> Mirror:
    """Return a mirror of a workspace; WorkflowError when its stack has it no more."""
    mirror = tables.mirrors(workspace_id).get(name)
    if mirror is None:
        message = f'the mirror "{name}" is no longer in stack.toml; restore it, then retry'
        raise WorkflowError(message)
    return mirror
