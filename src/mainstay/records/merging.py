"""The merge of two records in a system that can: a run of its own, after our own merge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from mainstay.db import acquire

if TYPE_CHECKING:
    from mainstay.db import Pool
    from mainstay.engine import StepRunner
    from mainstay.kit import Http, MergingCRM
    from mainstay.runs import Claimed

MERGE_ELSEWHERE = "merge-elsewhere.v1"


class MergingSystems(Protocol):
    """How to reach a connection as a CRM that can merge."""

    def vendor(self, workspace_id: UUID, connection: str, role: str, http: Http) -> Any:
        """Return a connection's object for a role, for one attempt."""
        ...


class MergerElsewhere:
    """Runs merges in other systems. ``program`` is what the engine calls for each run."""

    def __init__(self, pool: Pool, systems: MergingSystems) -> None:
        self._pool = pool
        self._systems = systems

    async def program(self, steps: StepRunner) -> Sequence[Claimed]:
        """Merge there, and keep the id that stands."""
        run, data = steps.run, steps.run.input
        connection = data["connection"]

        async def call(http: Http) -> Any:
            crm: MergingCRM = self._systems.vendor(run.workspace_id, connection, "crm", http)
            return {"external_id": await crm.merge_contacts(data["survivor"], data["merged"])}

        result = await steps.step("crm.merge_contacts", call, connection=connection)
        async with acquire(self._pool) as session:
            await session.execute(
                """
                UPDATE crosswalk SET external_id = $4, updated_at = now()
                WHERE workspace_id = $1 AND record_type = 'contact' AND connection = $2 AND external_id = $3
                  AND NOT EXISTS (SELECT FROM crosswalk WHERE workspace_id = $1 AND record_type = 'contact'
                                  AND connection = $2 AND external_id = $4)
                """,
                run.workspace_id,
                connection,
                data["survivor"],
                result["external_id"],
            )
        return ()
