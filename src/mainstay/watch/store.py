"""SQL of incidents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from mainstay.db import storable
from mainstay.model import new_id
from mainstay.watch.telling import SETTLING

if TYPE_CHECKING:
    from mainstay.db import Connection
    from mainstay.watch.routes import Severity
    from mainstay.watch.rules import Trouble
    from mainstay.watch.telling import News


REOPENS_WITHIN_HOURS = 24
"""A cause that comes again within this time reopens its incident."""
# What resolving does to the telling: of what nobody has heard yet the digest says so, of the rest its end is told.
_OVER = """
    state = 'resolved', resolved_at = now(),
    alert_due_at = CASE WHEN alert_phase = 'none' OR alert_phase = 'telling' AND alert_place = 0 THEN alert_due_at
                        ELSE now() END,
    alert_place = 0,
    alert_phase = CASE WHEN alert_phase = 'none' OR alert_phase = 'telling' AND alert_place = 0 THEN alert_phase
                       ELSE 'recovering' END
"""


@dataclass(frozen=True, slots=True)
class Reported:
    """The incident that a trouble belongs to, and what news of it that is; empty for none."""

    id: UUID
    news: News | Literal[""]

    @property
    def is_new(self) -> bool:
        """Tell whether people are to hear of it."""
        return bool(self.news)


async def report(
    connection: Connection, workspace_id: UUID, trouble: Trouble, severity: Severity = "other"
) -> Reported:
    """Add a trouble to the open incident of its cause; reopen one that is over since a day at most, or open one.

    In a transaction. Whoever reports a cause that is not open inserts first, so that the index lets one alone go on.
    """
    (row,) = await connection.fetch(
        """
        WITH before AS (SELECT severity FROM incidents WHERE workspace_id = $2 AND fingerprint = $3 AND state = 'open')
        INSERT INTO incidents AS known (id, workspace_id, fingerprint, state, severity, title, cause, mend, workflow,
                                        connection, source, ends_by, first_seen, last_seen)
        VALUES ($1, $2, $3, 'open', $10, $4, $5, $6, $7, $8, $9, $11, now(), now())
        ON CONFLICT (workspace_id, fingerprint) WHERE state = 'open'
        DO UPDATE SET occurrences = known.occurrences + 1, last_seen = now(), cause = excluded.cause,
            news_at = CASE WHEN known.severity = 'other' AND excluded.severity = 'critical' THEN now()
                           ELSE known.news_at END,
            alert_news = CASE WHEN known.severity = 'other' AND excluded.severity = 'critical' THEN 'worse'
                              ELSE known.alert_news END,
            severity = CASE WHEN excluded.severity = 'critical' THEN 'critical' ELSE known.severity END
        RETURNING id, occurrences = 1 AS is_new,
            severity = 'critical' AND (SELECT severity FROM before) = 'other' AS is_worse
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
        severity,
        trouble.ending,
    )
    if not row["is_new"]:
        return Reported(row["id"], "worse" if row["is_worse"] else "")
    again = await _reopen(connection, row["id"])
    return again or Reported(row["id"], "opened")


async def _reopen(connection: Connection, opened_id: UUID) -> Reported | None:
    """Let the incident of a day ago that a new one repeats be open in its place; None where there is none.

    Before its end was told nobody needs to hear that it goes on.
    """
    over = await connection.fetchrow(
        f"""
        SELECT over.id, over.severity <= again.severity AND over.alert_phase IN ('recovering', 'telling') AS goes_on
        FROM incidents AS again JOIN incidents AS over USING (workspace_id, fingerprint)
        WHERE again.id = $1 AND over.state = 'resolved'
          AND over.resolved_at > now() - interval '{REOPENS_WITHIN_HOURS} hours'
        ORDER BY over.resolved_at DESC LIMIT 1 FOR UPDATE OF over
        """,  # noqa: S608 - a number of ours
        opened_id,
    )
    if over is None:
        return None
    again = await connection.fetchrow("DELETE FROM incidents WHERE id = $1 RETURNING *", opened_id)
    if again is None:
        return None
    await connection.execute(
        """
        UPDATE incidents SET state = 'open', resolved_at = NULL, reopened = reopened + 1, occurrences = occurrences + 1,
            last_seen = now(), cause = $2, severity = least(severity, $4), title = $5, mend = $6,
            news_at = CASE WHEN $3 THEN news_at ELSE now() END,
            alert_news = CASE WHEN $3 THEN alert_news ELSE 'reopened' END,
            acknowledged_at = CASE WHEN $3 THEN acknowledged_at END,
            acknowledged_by = CASE WHEN $3 THEN acknowledged_by ELSE '' END,
            alert_due_at = CASE WHEN alert_phase = 'recovering' THEN now() ELSE alert_due_at END,
            alert_place = CASE WHEN alert_phase = 'recovering' THEN 0 ELSE alert_place END,
            alert_phase = CASE WHEN alert_phase = 'recovering' THEN 'telling' ELSE alert_phase END
        WHERE id = $1
        """,
        over["id"],
        again["cause"],
        over["goes_on"],
        again["severity"],
        again["title"],
        again["mend"],
    )
    return Reported(over["id"], "" if over["goes_on"] else "reopened")


async def acknowledge(connection: Connection, workspace_id: UUID, incident_id: UUID, by: str) -> bool:
    """Note that somebody sees to an incident, so that nobody else is called; False: not open, or seen to already."""
    found = await connection.fetchval(
        """
        UPDATE incidents SET acknowledged_at = now(), acknowledged_by = $3
        WHERE id = $1 AND workspace_id = $2 AND state = 'open' AND acknowledged_at IS NULL RETURNING true
        """,
        incident_id,
        workspace_id,
        storable(by[:200]),
    )
    return found is not None


async def resolve_healed(connection: Connection) -> int:
    """Resolve the incidents whose runs have all ended well or been handled; those of senders after a quiet day.

    That of a mirror which somebody changed is over when all that differed is decided, or came right.
    """
    status: str = await connection.execute(
        f"""
        UPDATE incidents SET {_OVER}
        WHERE state = 'open' AND CASE ends_by WHEN 'quiet' THEN last_seen < now() - interval '24 hours'
            WHEN 'drift' THEN
            NOT EXISTS (SELECT FROM drifts AS d WHERE d.workspace_id = incidents.workspace_id
                        AND d.mirror = substr(incidents.fingerprint, 7) AND d.state = 'open'
                        AND NOT d.is_proposed)
            WHEN 'word' THEN false ELSE
            -- In the index's order, so that it is gone by: of EXISTS a planner may read all runs.
            (SELECT id FROM runs WHERE runs.incident_id = incidents.id AND runs.incident_id IS NOT NULL
                        AND (runs.state IN ('queued', 'running', 'waiting')
                             OR runs.state = 'failed' AND runs.handled_at IS NULL)
             ORDER BY id LIMIT 1) IS NULL END
        """  # noqa: S608 - a part of ours
    )
    return int(status.rpartition(" ")[2])


async def resolve_foreseen(connection: Connection, workspace_id: UUID, name: str) -> None:
    """Close what was foreseen of a connection: it will not come."""
    await recover(connection, workspace_id, f"access|{name}")


async def recover(connection: Connection, workspace_id: UUID, fingerprint: str) -> bool:
    """Close the incident of a cause that is gone; False when none is open."""
    found = await connection.fetchval(
        f"""
        UPDATE incidents SET {_OVER}
        WHERE workspace_id = $1 AND state = 'open' AND fingerprint = $2 RETURNING true
        """,  # noqa: S608 - a part of ours
        workspace_id,
        storable(fingerprint),
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
        f"""
        UPDATE incidents SET {_OVER}
        WHERE id = $1 AND workspace_id = $2 AND state = 'open' RETURNING TRUE
        """,  # noqa: S608 - a part of ours
        incident_id,
        workspace_id,
    )
    # Somebody's word needs no time to prove itself; if it comes back after that, that is news.
    await connection.execute(
        "UPDATE incidents SET alert_place = $2 WHERE id = $1 AND alert_phase = 'recovering'", incident_id, SETTLING
    )
    return found is not None
