"""The deletion of a contact's records in other systems: a run for each, after our own deletion."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from mainstay.db import transact
from mainstay.records.crosswalk import drop_id
from mainstay.runs import begin_run

if TYPE_CHECKING:
    from mainstay.db import Connection, Pool
    from mainstay.engine import StepRunner
    from mainstay.kit import DeletingCRM, Http
    from mainstay.records.store import Done
    from mainstay.runs import Claimed

DELETE_ELSEWHERE = "delete-elsewhere.v1"
Elsewhere = tuple[str, str]
"""A record in another system: its connection, and its id there."""


class DeletingSystems(Protocol):
    """What the composition root knows of systems in which a contact can be deleted."""

    def deleting(self, workspace_id: UUID) -> Collection[str]:
        """Return the connections in which a contact is deleted that is deleted here."""
        ...

    def vendor(self, workspace_id: UUID, connection: str, role: str, http: Http) -> Any:
        """Return a connection's object for a role, for one attempt."""
        ...


async def delete_elsewhere(
    connection: Connection,
    workspace_id: UUID,
    contact_id: UUID,
    elsewhere: Sequence[Elsewhere],
    deleting: Collection[str],
) -> Mapping[Elsewhere, UUID]:
    """Begin to delete a deleted contact's records in the systems ``deleting``; returns the run of each."""
    begun = {}
    for name, external_id in elsewhere:
        if name in deleting:
            data = {"connection": name, "external_id": external_id}
            begun[name, external_id] = await begin_run(
                connection, workspace_id, DELETE_ELSEWHERE, data, contact_id=contact_id
            )
    return begun


async def delete_late(connection: Connection, pushed: Sequence[Done], deleting: Collection[str]) -> set[UUID]:
    """Begin to delete what was pushed of contacts that are deleted by now; returns these contacts.

    None of the others is deleted before the transaction ends.
    """
    rows = await connection.fetch(
        "SELECT id, deleted_at IS NOT NULL AS is_deleted FROM contacts WHERE id = ANY($1) ORDER BY id FOR SHARE",
        [each.want.record_id for each in pushed],
    )
    gone = {row["id"] for row in rows if row["is_deleted"]}
    for each in pushed:
        want = each.want
        if want.record_id in gone and not await _is_of_another(connection, each):
            there = [(want.connection, each.external_id)]
            await delete_elsewhere(connection, want.workspace_id, want.record_id, there, deleting)
    return gone


async def _is_of_another(connection: Connection, pushed: Done) -> bool:
    found: bool = await connection.fetchval(
        """
        SELECT EXISTS (SELECT FROM record_ids WHERE workspace_id = $1 AND record_type = 'contact' AND connection = $2
                       AND external_id = $3 AND record_id <> $4)
        """,
        pushed.want.workspace_id,
        pushed.want.connection,
        pushed.external_id,
        pushed.want.record_id,
    )
    return found


class DeleterElsewhere:
    """Runs deletions in other systems. ``program`` is what the engine calls for each run."""

    def __init__(self, pool: Pool, systems: DeletingSystems) -> None:
        self._pool = pool
        self._systems = systems

    async def program(self, steps: StepRunner) -> Sequence[Claimed]:
        """Delete there; what a delivery or a pull of meanwhile made of its id leads nowhere any more."""
        run, name, external_id = steps.run, str(steps.run.input["connection"]), str(steps.run.input["external_id"])

        async def call(http: Http) -> Any:
            crm: DeletingCRM = self._systems.vendor(run.workspace_id, name, "crm", http)
            await crm.delete_contact(external_id)
            return {"external_id": external_id}

        await steps.step("crm.delete_contact", call, connection=name)
        await transact(self._pool, lambda connection: drop_id(connection, run.workspace_id, name, external_id))
        return ()
