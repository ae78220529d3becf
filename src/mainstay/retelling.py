"""Contacts are told anew when the stack names other owners of their fields: in the background, a portion at a time.

Which value stands is decided as each change comes, by the owners of then; when the owners are others, it is decided
again. Only contacts of which anything was said in such a field are touched, and only what changes is news.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from mainstay.consequences import Cause, Consequences, Routing
from mainstay.db import hold, transact
from mainstay.identity import Owners, follow_owners
from mainstay.model import Lane
from mainstay.runs import begin_run

if TYPE_CHECKING:
    from mainstay.db import Connection, Pool
    from mainstay.engine import StepRunner
    from mainstay.kit import Http
    from mainstay.model import Run
    from mainstay.runs import Claimed

TELL_ANEW = "tell-anew.v1"
MOST_STEPS = 200
"""Steps of one run: the next goes on, so that no history grows without end."""
_PORTIONS = 100
_AT_ONCE = 200
"""Contacts that are looked at in one transaction: a lead that is about one of them waits no longer."""


class Routings(Protocol):
    """What the composition root knows of every workspace."""

    def routing(self, workspace_id: UUID) -> Routing:
        """Return a workspace's routing."""
        ...


@dataclass(frozen=True, slots=True)
class Told:
    """How far a workspace's contacts are told by its owners: ``fields`` are those whose owner is another than before.

    ``to`` is the last contact that is told; None before the first.
    """

    fields: tuple[str, ...]
    to: UUID | None


class Reteller:
    """Lets contacts follow the owners that the stack names. ``program`` is what the engine calls for each run."""

    def __init__(self, pool: Pool, workspaces: Routings) -> None:
        self._pool = pool
        self._workspaces = workspaces

    async def declare(self, workspace_id: UUID) -> None:
        """Let the owners be those of the workspace's stack; where there is no contact yet, nothing is to be told."""
        owners = dict(self._workspaces.routing(workspace_id).policy.owners)
        await transact(self._pool, lambda connection: connection.execute(_DECLARE, workspace_id, owners))

    async def begin_due(self, workspace_id: UUID) -> None:
        """Begin to tell contacts anew where the owners are others; not of owners that a newer process has replaced."""
        owners = dict(self._workspaces.routing(workspace_id).policy.owners)

        async def work(connection: Connection) -> None:
            if await hold(connection, _DUE, workspace_id, owners):
                run_id = await begin_run(connection, workspace_id, TELL_ANEW, {"owners": owners}, lane=Lane.BACKFILL)
                await connection.execute("UPDATE workspaces SET tell_run_id = $2 WHERE id = $1", workspace_id, run_id)

        await transact(self._pool, work)

    async def program(self, steps: StepRunner) -> Sequence[Claimed]:
        """Tell until every contact is told."""

        async def call(_http: Http) -> Mapping[str, Any]:
            changed = 0
            for _ in range(_PORTIONS):
                portion = await transact(self._pool, lambda connection: self._portion(connection, steps.run))
                if portion is None:
                    return {"changed": changed, "has_more": False}
                changed += portion
            return {"changed": changed, "has_more": True}

        for _ in range(MOST_STEPS):
            told = await steps.step("contacts.tell_anew", call)
            if not told or not told["has_more"]:
                break
        return ()

    async def _portion(self, connection: Connection, run: Run) -> int | None:
        """Tell a portion; returns how many contacts changed, None when all are told or a later run has its place."""
        owners: Owners = run.input["owners"]
        told = await told_of(connection, run.workspace_id, owners, run.id)
        if told is None:
            return None
        last, concerned = await _next(connection, run.workspace_id, told)
        if last is None:
            await connection.execute(
                "UPDATE workspaces SET told_by = owners, told_to = NULL WHERE id = $1", run.workspace_id
            )
            return None
        fields = ", ".join(field.removeprefix("custom.") for field in told.fields)
        contacts = await follow_owners(
            connection, run.workspace_id, concerned, note=f"another owner of {fields}", owners=owners
        )
        if contacts:
            cause = Cause(
                run.workspace_id, self._workspaces.routing(run.workspace_id), "the stack", run=run, is_apart=True
            )
            consequences = Consequences()
            await consequences.of_hand(connection, cause, contacts)
            await consequences.store(connection)
        await connection.execute("UPDATE workspaces SET told_to = $2 WHERE id = $1", run.workspace_id, last)
        return len(contacts)


async def told_of(connection: Connection, workspace_id: UUID, owners: Owners, run_id: UUID) -> Told | None:
    """Return how far contacts are told, held until the transaction ends; None where these owners or run are past."""
    row = await connection.fetchrow(
        "SELECT told_by, told_to FROM workspaces WHERE id = $1 AND owners = $2 AND tell_run_id = $3 FOR NO KEY UPDATE",
        workspace_id,
        dict(owners),
        run_id,
    )
    return None if row is None else Told(differing(row["told_by"], owners), row["told_to"])


def differing(before: Owners, owners: Owners) -> tuple[str, ...]:
    """Return the fields whose owner is another than before."""
    return tuple(sorted(field for field in {*before, *owners} if before.get(field) != owners.get(field)))


async def _next(connection: Connection, workspace_id: UUID, told: Told) -> tuple[UUID | None, list[UUID]]:
    """Return the last contact of the next portion, None at the end, and those of it that the fields concern."""
    rows = await connection.fetch(_NEXT, workspace_id, told.to or UUID(int=0), list(told.fields), _AT_ONCE)
    return (rows[-1]["id"] if rows else None), [row["id"] for row in rows if row["is_concerned"]]


_NEXT = """
    SELECT id, origins ?| $3 AS is_concerned FROM contacts
    WHERE workspace_id = $1 AND id > $2 AND merged_into IS NULL AND deleted_at IS NULL ORDER BY id LIMIT $4
"""
_DECLARE = """
    UPDATE workspaces SET owners = $2, told_to = NULL,
           told_by = CASE WHEN EXISTS (SELECT FROM contacts WHERE workspace_id = $1) THEN told_by ELSE $2 END
    WHERE id = $1 AND owners <> $2
"""
_DUE = """
    SELECT TRUE FROM workspaces
    WHERE id = $1 AND owners = $2 AND owners <> told_by
      AND NOT EXISTS (SELECT FROM runs WHERE runs.id = workspaces.tell_run_id
                      AND runs.state IN ('queued', 'running', 'waiting', 'failed') AND runs.handled_at IS NULL)
    FOR NO KEY UPDATE SKIP LOCKED
"""
