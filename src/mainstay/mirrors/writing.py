"""The run that writes a mirror: state-based, a batch a step, so that a batch written twice leaves the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from mainstay.db import acquire, transact
from mainstay.engine.programs import leave_to_others
from mainstay.errors import WorkflowError
from mainstay.mirrors import decided, store
from mainstay.mirrors.giving_back import give_back
from mainstay.mirrors.pushing import write_people
from mainstay.mirrors.rules import KEY, Mirror
from mainstay.model import Lane
from mainstay.runs import begin_run

if TYPE_CHECKING:
    from mainstay.consequences import Routing
    from mainstay.db import Connection, Pool
    from mainstay.engine import StepRunner
    from mainstay.kit import CRM, Http, PullingCRM, Table
    from mainstay.runs import Claimed

MIRROR = "mirror.v1"
MOST_BATCHES = 200
"""Batches of one run: the next goes on, so that no history grows without end."""


class Tables(Protocol):
    """What the composition root knows of mirrors."""

    def mirrors(self, workspace_id: UUID) -> Mapping[str, Mirror]:
        """Return a workspace's mirrors, by name."""
        ...

    def followed(self, workspace_id: UUID) -> str:
        """Return the system of record, which may have been a mirror; empty where it can be none."""
        ...

    def routing(self, workspace_id: UUID) -> Routing:
        """Return a workspace's routing."""
        ...

    def table(self, workspace_id: UUID, connection: str, http: Http) -> Table:
        """Return the connection's tables, for one attempt."""
        ...

    def crm(self, workspace_id: UUID, connection: str, http: Http) -> CRM:
        """Return the connection's CRM, for one attempt."""
        ...

    def can_pull(self, workspace_id: UUID, connection: str) -> bool:
        """Tell whether a CRM lists what changed."""
        ...

    def pulling_crm(self, workspace_id: UUID, connection: str, http: Http) -> PullingCRM:
        """Return such a CRM, for one attempt."""
        ...


class Writer:
    """Keeps mirrors alike. ``program`` is what the engine calls for each run."""

    def __init__(self, pool: Pool, tables: Tables) -> None:
        self._pool = pool
        self._tables = tables

    async def declare(self, workspace_id: UUID) -> None:
        """Let a workspace's mirrors be those of its stack."""
        mirrors = [each for each in self._tables.mirrors(workspace_id).values() if not each.is_followed]
        followed = self._tables.followed(workspace_id)
        await transact(self._pool, lambda connection: store.declare(connection, workspace_id, mirrors, followed))
        await transact(self._pool, lambda connection: store.begin(connection, workspace_id))

    async def begin_due(self, workspace_id: UUID) -> None:
        """Begin a run for each mirror that has something to write."""
        mirrors = list(self._tables.mirrors(workspace_id).values())
        if not mirrors:
            return

        async def work(connection: Connection) -> None:
            await store.end_following(connection, workspace_id)
            for name in await store.due(connection, workspace_id, mirrors):
                await store.own(
                    connection, workspace_id, name, await _begin(connection, workspace_id, {"mirror": name})
                )

        await transact(self._pool, work)

    async def program(self, steps: StepRunner) -> Sequence[Claimed]:
        """Write until nothing is stale."""
        workspace_id, name = steps.run.workspace_id, str(steps.run.input["mirror"])
        mirror = await declared_for(self._pool, self._tables, steps)
        if mirror is None:
            return ()
        if undo := steps.run.input.get("undo"):
            await self._undo(steps, mirror, [UUID(each) for each in undo])
            return ()

        async def call(http: Http) -> Mapping[str, Any]:
            if mirror.role == "crm":
                crm = self._tables.crm(workspace_id, mirror.connection, http)
                deleting = self._tables.routing(workspace_id).deleting
                return await write_people(self._pool, steps.run, mirror, crm, http, deleting)
            return await self._write(workspace_id, mirror, self._tables.table(workspace_id, mirror.connection, http))

        await transact(self._pool, lambda connection: store.count_to_load(connection, workspace_id, name))
        for _ in range(MOST_BATCHES):
            done = await steps.step(_step_of(mirror), call, connection=mirror.connection)
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
                found = await decided.reverted(connection, workspace_id, mirror.name, ids)
            if mirror.role == "crm":
                back = await give_back(self._pool, self._tables, steps.run, mirror, http, found)
                return {"drifts": [str(each) for each in back]}
            rows = [
                {KEY: str(each.record_id)} | {title: said["theirs"] for title, said in each.fields.items()}
                for each in found
                if each.kind == "changed"
            ]
            gone = [str(each.record_id) for each in found if each.kind == "missing"]
            table = self._tables.table(workspace_id, mirror.connection, http)
            if rows:
                await table.upsert_rows(mirror.table, KEY, rows)
            if gone:
                await table.remove_rows(mirror.table, KEY, gone)
            return {"drifts": [str(each.id) for each in found]}

        done = await steps.step(_step_of(mirror), call, connection=mirror.connection)
        back = [UUID(each) for each in done["drifts"]] if done else []
        await transact(
            self._pool,
            lambda connection: decided.decide(connection, workspace_id, back, "open", by="", only=["reverted"]),
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


def _step_of(mirror: Mirror) -> str:
    return "crm.push_contact" if mirror.role == "crm" else "table.upsert_rows"


async def _begin(connection: Connection, workspace_id: UUID, data: Mapping[str, Any]) -> UUID:
    return await begin_run(connection, workspace_id, MIRROR, data, lane=Lane.BACKFILL)


async def declared_for(pool: Pool, tables: Tables, steps: StepRunner) -> Mirror | None:
    """Return the mirror that a run is of; None where no stack has it any more, so that nothing is to be done.

    Where another process has it, as while a new stack goes from one to the next, the run is left to that.
    """
    workspace_id, name = steps.run.workspace_id, str(steps.run.input["mirror"])
    mirror = tables.mirrors(workspace_id).get(name)
    if mirror is None:
        async with acquire(pool) as connection:
            is_elsewhere = await store.is_declared(connection, workspace_id, name)
        if is_elsewhere:
            leave_to_others(steps, f"the mirror {name}")
    return mirror


def declared(tables: Tables, workspace_id: UUID, name: str) -> Mirror:
    """Return a mirror of a workspace; WorkflowError when its stack has it no more."""
    mirror = tables.mirrors(workspace_id).get(name)
    if mirror is None:
        message = f'the mirror "{name}" is no longer in stack.toml; restore it, then retry'
        raise WorkflowError(message)
    return mirror
