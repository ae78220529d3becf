"""SQL of pulls: how far each has come, what it is compared with, what it brought."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.db import hold
from mainstay.identity import Person, contact_of
from mainstay.kit.pulling import Cursor
from mainstay.model import first_id_at
from mainstay.pulls.rules import BACK, LATE, Former, Pull

if TYPE_CHECKING:
    from mainstay.db import Connection
    from mainstay.model import Contact, RecordState


CONTACT = "contact"
_MOST_CHANGES = 100


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a pull goes on, and since when this connection is pulled from at all."""

    cursor: str
    began_at: datetime


async def declare(connection: Connection, workspace_id: UUID, pulled: Mapping[str, str]) -> None:
    """Let a workspace pull these types alone, each from its connection; where it did so before, it goes on."""
    await connection.execute(
        """
        DELETE FROM pulls WHERE workspace_id = $1 AND (record_type, connection) NOT IN (
            SELECT * FROM unnest($2::text[], $3::text[]))
        """,
        workspace_id,
        list(pulled),
        list(pulled.values()),
    )
    await connection.execute(
        "DELETE FROM pulled_changes WHERE workspace_id = $1 AND connection <> $2", workspace_id, pulled.get(CONTACT, "")
    )
    now: datetime = await connection.fetchval("SELECT now()")
    await connection.executemany(
        """
        INSERT INTO pulls (workspace_id, record_type, connection, cursor, began_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT DO NOTHING
        """,
        [(workspace_id, kind, name, Cursor(now - BACK).write(), now) for kind, name in pulled.items()],
    )


async def hold_due(
    connection: Connection, workspace_id: UUID, name: str, every: timedelta, kind: str = CONTACT
) -> bool:
    """Hold a pull whose time has come, until the commit; False when it is not due, under way, or held elsewhere."""
    found = await hold(
        connection,
        """
        SELECT TRUE FROM pulls
        WHERE workspace_id = $1 AND connection = $2 AND record_type = $4
          AND coalesce(pulled_at, began_at) <= now() - $3::interval
          AND NOT EXISTS (SELECT FROM runs WHERE runs.id = pulls.run_id
                          AND runs.state IN ('queued', 'running', 'waiting', 'failed') AND runs.handled_at IS NULL)
        FOR NO KEY UPDATE OF pulls SKIP LOCKED
        """,
        workspace_id,
        name,
        every,
        kind,
    )
    return bool(found)


async def own(connection: Connection, workspace_id: UUID, name: str, run_id: UUID, kind: str = CONTACT) -> None:
    """Let a run be the one that pulls."""
    await connection.execute(
        "UPDATE pulls SET run_id = $3 WHERE workspace_id = $1 AND connection = $2 AND record_type = $4",
        workspace_id,
        name,
        run_id,
        kind,
    )


async def standing_of(
    connection: Connection, workspace_id: UUID, name: str, run_id: UUID, kind: str = CONTACT
) -> Standing | None:
    """Return where a run's pull goes on; None when another run has taken its place."""
    row = await connection.fetchrow(
        """
        SELECT cursor, began_at FROM pulls
        WHERE workspace_id = $1 AND connection = $2 AND run_id = $3 AND record_type = $4
        """,
        workspace_id,
        name,
        run_id,
        kind,
    )
    return None if row is None else Standing(row["cursor"], row["began_at"])


async def keep_cursor(
    connection: Connection,
    workspace_id: UUID,
    name: str,
    run_id: UUID,
    cursor: str,
    *,
    is_caught_up: bool,
    kind: str = CONTACT,
) -> None:
    """Note that all up to here is safe."""
    await connection.execute(
        """
        UPDATE pulls SET cursor = $4, pulled_at = CASE WHEN $5 THEN now() ELSE pulled_at END
        WHERE workspace_id = $1 AND connection = $2 AND run_id = $3 AND record_type = $6
        """,
        workspace_id,
        name,
        run_id,
        cursor,
        is_caught_up,
        kind,
    )


@dataclass(frozen=True, slots=True)
class Known:
    """Whom a record is of, and what that contact was where the system may not have heard of the change yet.

    ``is_ours``: our own push made the record; ``pushed_at``: when we last wrote to it, None for never.
    """

    contact: Contact
    former: Former
    is_ours: bool
    pushed_at: datetime | None


async def known(
    connection: Connection, workspace_id: UUID, system: str, people: Sequence[Person]
) -> Mapping[str, Known]:
    """Return the contacts whose ids in the system these people have, by id; also those that are being made there."""
    rows = await connection.fetch(
        """
        SELECT ours.*, asked.external_id, found.is_ours, coalesce(own.pushed_version, 0) AS pushed_version,
               CASE WHEN own.pushed_version > 0 THEN own.updated_at END AS pushed_at
        FROM unnest($3::text[], $4::text[], $5::text[]) AS asked (external_id, email, phone)
        -- Each look-up with its limit: as a join a planner may read whole tables for a page of ids.
        CROSS JOIN LATERAL (
            (SELECT record_id, is_ours FROM crosswalk WHERE workspace_id = $1 AND record_type = 'contact'
             AND connection = $2 AND external_id = asked.external_id LIMIT 1)
            UNION ALL
            (SELECT record_id, is_ours FROM crosswalk_beside WHERE workspace_id = $1 AND record_type = 'contact'
             AND connection = $2 AND external_id = asked.external_id LIMIT 1)
            UNION ALL
            (SELECT making.record_id, true FROM identifiers
             JOIN crosswalk AS making ON making.workspace_id = $1 AND making.record_type = 'contact'
                  AND making.record_id = identifiers.contact_id AND making.connection = $2
                  AND making.external_id IS NULL AND making.push_run_id IS NOT NULL
             WHERE identifiers.workspace_id = $1 AND standing = 'owner'
               AND kind = CASE WHEN asked.email <> '' THEN 'email' ELSE 'phone' END
               AND value = CASE WHEN asked.email <> '' THEN asked.email ELSE asked.phone END
             LIMIT 1)
            LIMIT 1
        ) AS found
        CROSS JOIN LATERAL (
            SELECT * FROM contacts WHERE id = surviving(found.record_id) AND deleted_at IS NULL LIMIT 1
        ) AS ours
        LEFT JOIN LATERAL (
            SELECT pushed_version, updated_at FROM crosswalk WHERE workspace_id = $1 AND record_type = 'contact'
            AND record_id = ours.id AND connection = $2 LIMIT 1
        ) AS own ON true
        """,
        workspace_id,
        system,
        [person.external_id for person in people],
        [person.email for person in people],
        [person.phone for person in people],
    )
    changed_at = {person.external_id: person.occurred_at for person in people}
    versions: dict[UUID, tuple[int, datetime | None]] = {}
    for row in rows:
        at = changed_at[row["external_id"]]
        versions[row["id"]] = row["pushed_version"], datetime.fromisoformat(at) if at else None
    former = await _former(connection, system, versions)
    return {
        row["external_id"]: Known(contact_of(row), former[row["id"]], row["is_ours"], row["pushed_at"]) for row in rows
    }


async def _former(
    connection: Connection, system: str, versions: Mapping[UUID, tuple[int, datetime | None]]
) -> dict[UUID, Former]:
    """Return what contacts were before changes that the system has not got, or got after its record changed last.

    Not before what the system said itself: that is gone there.
    """
    found = {contact_id: Former() for contact_id in versions}
    rows = await connection.fetch(
        """
        SELECT t.id AS contact_id, late.before
        FROM unnest($1::uuid[], $2::integer[], $3::timestamptz[]) AS t (id, version, changed_at)
        CROSS JOIN LATERAL (
            SELECT before FROM changes
            WHERE contact_id = t.id AND (version > t.version OR at >= t.changed_at) AND before <> '{}'
              AND NOT (kind = 'crm' AND person ->> 'connection' = $4)
            ORDER BY id DESC LIMIT $5
        ) AS late
        """,
        list(versions),
        [version for version, _ in versions.values()],
        [changed_at for _, changed_at in versions.values()],
        system,
        _MOST_CHANGES,
    )
    for row in rows:
        found[row["contact_id"]].add(row["before"])
    return found


async def note_brought(
    connection: Connection, workspace_id: UUID, name: str, brought: Collection[tuple[UUID, datetime]]
) -> None:
    """Keep changes that a pull brought (contact, when it was made there) until it is known whether a webhook does."""
    await connection.execute(
        """
        INSERT INTO pulled_changes (workspace_id, connection, contact_id, changed_at)
        SELECT $1, $2, id, changed_at FROM unnest($3::uuid[], $4::timestamptz[]) AS t (id, changed_at)
        ON CONFLICT DO NOTHING
        """,
        workspace_id,
        name,
        [contact_id for contact_id, _ in brought],
        [changed_at for _, changed_at in brought],
    )


async def judge(connection: Connection, workspace_id: UUID, pull: Pull) -> tuple[int, datetime | None]:
    """Take the changes whose webhook should have come by now; returns how many came by none, and since when."""
    row = await connection.fetchrow(
        """
        WITH due AS (
            DELETE FROM pulled_changes
            WHERE workspace_id = $1 AND connection = $2 AND changed_at <= now() - $3::interval
            RETURNING contact_id, changed_at
        )
        SELECT count(*) AS number, min(changed_at) AS since FROM due
        WHERE NOT EXISTS (SELECT FROM changes WHERE changes.contact_id = due.contact_id AND changes.source = ANY($4)
                          AND changes.delivery_id IS NOT NULL AND changes.at >= due.changed_at)
        """,
        workspace_id,
        pull.connection,
        LATE,
        list(pull.sources),
    )
    return (row["number"], row["since"]) if row else (0, None)


async def is_silent(connection: Connection, workspace_id: UUID, sources: Sequence[str], since: datetime) -> bool:
    """Tell whether nothing was delivered to any of these sources since then."""
    for source in sources:
        if await connection.fetchval(
            "SELECT TRUE FROM deliveries WHERE workspace_id = $1 AND source = $2 AND id >= $3 LIMIT 1",
            workspace_id,
            source,
            first_id_at(since),
        ):
            return False
    return True


async def missed_of_a_day(connection: Connection, workspace_id: UUID, name: str) -> int:
    """Return how many changes of the last day no webhook brought."""
    number: int = await connection.fetchval(
        """
        SELECT coalesce(sum(count), 0)::bigint FROM tallies
        WHERE workspace_id = $1 AND hour >= now() - interval '1 day' AND name = 'pull ' || $2 AND label = 'missed'
        """,
        workspace_id,
        name,
    )
    return number


async def records_of_somebody(
    connection: Connection, workspace_id: UUID, name: str, states: Sequence[RecordState]
) -> frozenset[str]:
    """Return which of these records (of one type) are of a contact that is known, by their ids in the system."""
    if not states:
        return frozenset()
    rows = await connection.fetch(
        """
        SELECT asked.external_id FROM unnest($4::text[], $5::text[]) AS asked (external_id, contact)
        WHERE EXISTS (
            SELECT FROM record_ids AS known JOIN records ON records.id = known.record_id
            WHERE known.workspace_id = $1 AND known.connection = $2 AND known.record_type = $3
              AND known.external_id = asked.external_id AND records.contact_id IS NOT NULL
        ) OR EXISTS (
            SELECT FROM record_ids AS known
            WHERE known.workspace_id = $1 AND known.connection = $2 AND known.record_type = 'contact'
              AND known.external_id = asked.contact AND asked.contact <> ''
        )
        """,
        workspace_id,
        name,
        states[0].type,
        [state.external_id for state in states],
        [state.contact_external_id for state in states],
    )
    return frozenset(row["external_id"] for row in rows)
