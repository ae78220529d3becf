"""SQL of incidents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.db import storable
from mainstay.model import new_id

if TYPE_CHECKING:
    from mainstay.db import Connection
    from mainstay.watch.rules import Trouble


@dataclass(frozen=True, slots=True)
class Reported:
    """The incident that a trouble belongs to, and whether it opened with it."""

    id: UUID
    is_new: bool


async def report(connection: Connection, workspace_id: UUID, trouble: Trouble) -> Reported:
    """Add a trouble to the open incident of its cause, or open one."""
    (row,) = await connection.fetch(
        """
        INSERT INTO incidents AS known (id, workspace_id, fingerprint, state, title, cause, mend, workflow, connection,
                                        source, first_seen, last_seen)
        VALUES ($1, $2, $3, 'open', $4, $5, $6, $7, $8, $9, now(), now())
        ON CONFLICT (workspace_id, fingerprint) WHERE state = 'open'
        DO UPDATE SET occurrences = known.occurrences + 1, last_seen = now(), cause = excluded.cause
        RETURNING id, occurrences = 1 AS is_new
        """,
        new_id(),
        workspace_id,
        storable(trouble.fingerprint),
        trouble.title,
        storable(trouble.cause),
        trouble.mend,
        trouble.workflow,
        trouble.connection,
        trouble.source,
    )
    return Reported(row["id"], row["is_new"])


async def resolve_healed(connection: Connection) -> int:
    """Resolve the incidents whose runs have all ended well or been handled; those of senders after a quiet day.

    That of a mirror which somebody changed is over when all that differed is decided, or came right.
    """
    status: str = await connection.execute(
        """
        UPDATE incidents SET state = 'resolved', resolved_at = now()
        WHERE state = 'open' AND CASE WHEN source <> '' THEN last_seen < now() - interval '24 hours'
            WHEN fingerprint LIKE 'drift|%' THEN
            NOT EXISTS (SELECT FROM drifts AS d WHERE d.workspace_id = incidents.workspace_id
                        AND d.mirror = substr(incidents.fingerprint, 7) AND d.state = 'open'
                        AND NOT d.is_proposed)
            -- A monitor says itself when it is well again.
            WHEN fingerprint LIKE 'monitor|%' THEN false
            -- What is foreseen of a connection has no runs.
            WHEN workflow = '' AND connection <> '' THEN false ELSE
            -- In the index's order, so that it is gone by: of EXISTS a planner may read all runs.
            (SELECT id FROM runs WHERE runs.incident_id = incidents.id AND runs.incident_id IS NOT NULL
                        AND (runs.state IN ('queued', 'running', 'waiting')
                             OR runs.state = 'failed' AND runs.handled_at IS NULL)
             ORDER BY id LIMIT 1) IS NULL END
        """
    )
    return int(status.rpartition(" ")[2])


async def resolve_foreseen(connection: Connection, workspace_id: UUID, name: str) -> None:
    """Close what was foreseen of a connection: it will not come."""
    await resolve_cause(connection, workspace_id, f"access|{name}")


async def resolve_cause(connection: Connection, workspace_id: UUID, fingerprint: str) -> bool:
    """Close the incident of a cause that is gone; False when none is open."""
    found = await connection.fetchval(
        """
        UPDATE incidents SET state = 'resolved', resolved_at = now()
        WHERE workspace_id = $1 AND state = 'open' AND fingerprint = $2 RETURNING true
        """,
        workspace_id,
        fingerprint,
    )
    return found is not None


async def mark_handled(connection: Connection, workspace_id: UUID, run_id: UUID) -> bool:
    """Note that a person has dealt with a failed run; False when it is not a failed run. In a transaction."""
    found = await connection.fetchval(
        "UPDATE runs SET handled_at = now() WHERE id = $1 AND workspace_id = $2 AND state = 'failed' RETURNING TRUE",
        run_id,
        workspace_id,
    )
    await resolve_healed(connection)
    return found is not None


async def resolve_by_hand(connection: Connection, workspace_id: UUID, incident_id: UUID) -> bool:
    """Close an incident, its failed runs handled; False when it is not open. In a transaction."""
    await connection.execute(
        "UPDATE runs SET handled_at = now() WHERE incident_id = $1 AND workspace_id = $2 AND state = 'failed'",
        incident_id,
        workspace_id,
    )
    found = await connection.fetchval(
        """
        UPDATE incidents SET state = 'resolved', resolved_at = now()
        WHERE id = $1 AND workspace_id = $2 AND state = 'open' RETURNING TRUE
        """,
        incident_id,
        workspace_id,
    )
    return found is not None
