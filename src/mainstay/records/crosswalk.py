"""SQL of the crosswalk: the ids of a record in each system, and where they go when contacts are merged and parted.

A record has one id in a system, which pushes go to; others that are known to be the same person's are kept beside it,
with the contact that each was first said of. Together they are the view ``record_ids``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from mainstay.db import Connection


@dataclass(frozen=True, slots=True)
class Adopted:
    """An id that a system has for a contact.

    Attributes:
        home_id: the contact that it was first said of; it goes back there when a merge is undone.
        is_ours: whether our own push made the record there.
        version: the version of the contact that the record holds.
    """

    workspace_id: UUID
    home_id: UUID
    connection: str
    external_id: str
    is_ours: bool = False
    version: int = 0


async def adopt(connection: Connection, item: Adopted, contact_id: UUID | None = None) -> None:
    """Keep an id that nothing has yet: as the contact's own there, or beside the one that it has.

    ``contact_id`` is the contact it means today, where the caller knows it.
    """
    await connection.execute(
        """
        WITH kept AS (
            INSERT INTO crosswalk AS known (workspace_id, record_type, record_id, home_id, connection, external_id,
                                            is_ours, wanted_version, pushed_version, updated_at)
            SELECT $1, 'contact', contact, nullif($2, contact), $3, $4, $5, $6::integer, $6::integer, now()
            FROM coalesce($7, surviving($2)) AS contact
            ON CONFLICT (workspace_id, record_type, record_id, connection) DO UPDATE SET
                external_id = excluded.external_id, home_id = excluded.home_id, is_ours = excluded.is_ours,
                updated_at = now()
            WHERE known.external_id IS NULL
            RETURNING external_id
        )
        INSERT INTO crosswalk_beside (workspace_id, record_type, connection, external_id, record_id, is_ours)
        SELECT $1, 'contact', $3, $4, $2, $5 WHERE NOT EXISTS (SELECT FROM kept)
        """,
        item.workspace_id,
        item.home_id,
        item.connection,
        item.external_id,
        item.is_ours,
        item.version,
        contact_id,
    )


async def keep_beside(connection: Connection, item: Adopted) -> None:
    """Keep an id that another has taken the place of."""
    await connection.execute(
        """
        INSERT INTO crosswalk_beside (workspace_id, record_type, connection, external_id, record_id, is_ours)
        VALUES ($1, 'contact', $3, $4, $2, $5) ON CONFLICT DO NOTHING
        """,
        item.workspace_id,
        item.home_id,
        item.connection,
        item.external_id,
        item.is_ours,
    )


async def drop_id(connection: Connection, workspace_id: UUID, system: str, external_id: str) -> None:
    """Take an id from where it is, to be kept elsewhere."""
    for table in ("crosswalk", "crosswalk_beside"):
        await connection.execute(
            f"DELETE FROM {table} WHERE workspace_id = $1 AND record_type = 'contact' AND connection = $2 "  # noqa: S608
            "AND external_id = $3",
            workspace_id,
            system,
            external_id,
        )


async def link(connection: Connection, links: Sequence[tuple[Adopted, UUID]]) -> None:
    """Note that a system told us of its own record of a contact. An id that is known stays where it is."""
    for item, contact_id in links:
        known = await connection.fetchval(
            """
            SELECT TRUE FROM record_ids
            WHERE workspace_id = $1 AND record_type = 'contact' AND connection = $2 AND external_id = $3
            """,
            item.workspace_id,
            item.connection,
            item.external_id,
        )
        if not known:
            await adopt(connection, item, contact_id)


async def follow_merge(
    connection: Connection, workspace_id: UUID, survivor_id: UUID, merged_id: UUID
) -> dict[str, tuple[str, str]]:
    """Give the survivor of a merge the ids it lacks; where both are known to a system, both stay, and lead to it.

    Returns these: connection to (the survivor's id, the merged one's).
    """
    rows = await connection.fetch(
        """
        DELETE FROM crosswalk
        WHERE workspace_id = $1 AND record_type = 'contact' AND record_id = $3 AND external_id IS NOT NULL
          AND NOT EXISTS (SELECT FROM crosswalk AS theirs WHERE theirs.workspace_id = $1
                          AND theirs.record_type = 'contact' AND theirs.record_id = $2
                          AND theirs.connection = crosswalk.connection AND theirs.external_id IS NOT NULL)
        RETURNING connection, external_id, coalesce(home_id, record_id) AS home_id, is_ours
        """,
        workspace_id,
        survivor_id,
        merged_id,
    )
    for row in rows:
        await adopt(connection, Adopted(workspace_id, **dict(row)), survivor_id)
    return await ids_of_both(connection, workspace_id, survivor_id, merged_id)


async def ids_of_both(
    connection: Connection, workspace_id: UUID, survivor_id: UUID, merged_id: UUID
) -> dict[str, tuple[str, str]]:
    """Return the systems that know both contacts: connection to (the one's id, the other's)."""
    rows = await connection.fetch(
        """
        SELECT one.connection, one.external_id AS survivor, other.external_id AS merged
        FROM crosswalk AS one JOIN crosswalk AS other USING (workspace_id, record_type, connection)
        WHERE one.workspace_id = $1 AND one.record_type = 'contact' AND one.record_id = $2 AND other.record_id = $3
          AND one.external_id IS NOT NULL AND other.external_id IS NOT NULL
        """,
        workspace_id,
        survivor_id,
        merged_id,
    )
    return {row["connection"]: (row["survivor"], row["merged"]) for row in rows}


async def follow_unmerge(connection: Connection, workspace_id: UUID, stayed_id: UUID, restored_id: UUID) -> None:
    """Give each side of an undone merge the ids that were first said of it."""
    rows = await connection.fetch(
        """
        DELETE FROM crosswalk
        WHERE workspace_id = $1 AND record_type = 'contact' AND external_id IS NOT NULL
          AND record_id = ANY(ARRAY(SELECT contact_group($2)))
          AND home_id = ANY(ARRAY(SELECT contact_group($3)))
        RETURNING connection, external_id, home_id, is_ours
        """,
        workspace_id,
        stayed_id,
        restored_id,
    )
    for row in rows:
        await adopt(connection, Adopted(workspace_id, **dict(row)), restored_id)
    for contact_id in (stayed_id, restored_id):
        await _move_up(connection, workspace_id, contact_id)


async def _move_up(connection: Connection, workspace_id: UUID, contact_id: UUID) -> None:
    """Where a contact has no own id in a system, but one beside, or of what is merged into it, let it be its own."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT ON (connection) connection, external_id, home_id, is_ours FROM record_ids AS ids
        WHERE workspace_id = $1 AND record_type = 'contact' AND record_id = ANY(ARRAY(SELECT contact_group($2)))
          AND NOT EXISTS (SELECT FROM crosswalk AS own WHERE own.workspace_id = $1 AND own.record_type = 'contact'
                          AND own.record_id = $2 AND own.connection = ids.connection AND own.external_id IS NOT NULL)
        ORDER BY connection, home_id, external_id
        """,
        workspace_id,
        contact_id,
    )
    for row in rows:
        await drop_id(connection, workspace_id, row["connection"], row["external_id"])
        await adopt(connection, Adopted(workspace_id, **dict(row)), contact_id)


async def forget(connection: Connection, workspace_id: UUID, record_ids: Sequence[UUID]) -> list[tuple[str, str]]:
    """Drop the ids of deleted contacts; returns them as (connection, id there)."""
    ids: list[tuple[str, str]] = []
    for table in ("crosswalk", "crosswalk_beside"):
        rows = await connection.fetch(
            f"DELETE FROM {table} WHERE workspace_id = $1 AND record_type = 'contact' AND record_id = ANY($2) "  # noqa: S608
            "RETURNING connection, external_id",
            workspace_id,
            record_ids,
        )
        ids += [(row["connection"], row["external_id"]) for row in rows if row["external_id"]]
    return sorted(ids)


async def forget_id(
    connection: Connection, workspace_id: UUID, system: str, external_ids: Sequence[str]
) -> dict[str, UUID]:
    """Drop ids of records that are gone in a system; returns those that were known, with the contact they led to.

    Whoever needs one of these contacts there has it pushed: found by its e-mail or phone, or made anew.
    """
    lost: dict[str, UUID] = {}
    for statement in (
        # A push that is under way has its row for as long.
        """
        UPDATE crosswalk SET external_id = NULL, home_id = NULL, is_ours = false, pushed_version = 0, updated_at = now()
        FROM (SELECT external_id FROM unnest($3::text[]) AS t (external_id)) AS gone
        WHERE workspace_id = $1 AND record_type = 'contact' AND connection = $2
          AND crosswalk.external_id = gone.external_id
        RETURNING gone.external_id, record_id
        """,
        """
        DELETE FROM crosswalk_beside
        WHERE workspace_id = $1 AND record_type = 'contact' AND connection = $2 AND external_id = ANY($3)
        RETURNING external_id, record_id
        """,
    ):
        rows = await connection.fetch(statement, workspace_id, system, external_ids)
        lost |= {row["external_id"]: row["record_id"] for row in rows}
    for record_id in sorted(set(lost.values())):
        await connection.execute(
            """
            DELETE FROM crosswalk
            WHERE workspace_id = $1 AND record_type = 'contact' AND record_id = $3 AND connection = $2
              AND external_id IS NULL
              AND NOT EXISTS (SELECT FROM runs WHERE runs.id = crosswalk.push_run_id
                              AND runs.state IN ('queued', 'running', 'waiting'))
            """,
            workspace_id,
            system,
            record_id,
        )
        await _move_up(connection, workspace_id, await connection.fetchval("SELECT surviving($1)", record_id))
    return lost
