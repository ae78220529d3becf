"""SQL of deletion: a contact's data goes; digests of its keys stay, so that an opt-out outlives it (R12, R16)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.errors import PermanentError
from mainstay.identity.store.keys import ID, StaleReadError, lock
from mainstay.identity.store.reading import is_opted_out, keys_of_contact

if TYPE_CHECKING:
    from mainstay.db import Connection


@dataclass(frozen=True, slots=True)
class Erased:
    """A contact that was deleted, with all that was merged into it, and its ids in other systems, by connection.

    ``begun`` are the runs that delete it there; what has none stays.
    """

    contact_id: UUID
    group: tuple[UUID, ...]
    delivery_ids: tuple[UUID, ...]
    elsewhere: tuple[tuple[str, str], ...]
    begun: Mapping[tuple[str, str], UUID] = field(default_factory=dict)


async def erase(connection: Connection, workspace_id: UUID, contact_id: UUID) -> Erased:
    """Delete a contact: its values, its keys and all that was ever said of it, inside the caller's transaction.

    A new write makes a new contact; one that was said before the deletion is dropped.

    Raises:
        PermanentError: there is no such contact in this workspace.
        StaleReadError: others wrote in between; the transaction is to be done again.
    """
    root_id = await connection.fetchval(
        "SELECT surviving(id) FROM contacts WHERE id = $1 AND workspace_id = $2 AND deleted_at IS NULL",
        contact_id,
        workspace_id,
    )
    if root_id is None:
        raise PermanentError(f"there is no contact {contact_id}")
    await lock(connection, await keys_of_contact(connection, workspace_id, (root_id,)), (workspace_id,))
    # The root first: whoever merges something into it needs its row, so that what is read of the group then stands.
    root = await connection.fetchrow(
        "SELECT merged_into, deleted_at FROM contacts WHERE id = $1 FOR NO KEY UPDATE", root_id
    )
    if root is None or root["merged_into"] is not None or root["deleted_at"] is not None:
        raise StaleReadError("who is who has changed meanwhile")
    group = [row["id"] for row in await connection.fetch("SELECT contact_group($1) AS id", root_id)]
    await connection.execute("SELECT FROM contacts WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE", group)
    now = datetime.now(UTC)
    is_out = await is_opted_out(connection, root_id)
    await connection.execute(_KEEP_DIGESTS, workspace_id, root_id, is_out, group, ID, now)
    elsewhere = await connection.fetch(
        """
        SELECT connection, external_id FROM record_ids
        WHERE workspace_id = $1 AND record_type = 'contact' AND record_id = ANY($2)
        ORDER BY connection, external_id
        """,
        workspace_id,
        group,
    )
    deliveries = await connection.fetch(
        "SELECT DISTINCT delivery_id AS id FROM changes WHERE home_id = ANY($1) AND delivery_id IS NOT NULL", group
    )
    for statement in _ERASE:
        await connection.execute(statement, group)
    await connection.execute(_BLANK, group, now)
    return Erased(
        root_id,
        tuple(group),
        tuple(row["id"] for row in deliveries),
        tuple((row["connection"], row["external_id"]) for row in elsewhere),
    )


# A number or a mailbox that others have too says nothing of them; it only keeps the opt-out, for whoever has it next.
# What the contact owned alone had told it of an older opt-out already: there its own last wish stands.
_KEEP_DIGESTS = """
    WITH keys (kind, value, is_own) AS (
        SELECT kind, value, bool_or(standing = 'owner') FROM identifiers WHERE contact_id = $2 GROUP BY 1, 2
        UNION ALL
        SELECT $5::text || connection, external_id, true FROM record_ids
        WHERE workspace_id = $1 AND record_type = 'contact' AND record_id = ANY($4)
    )
    INSERT INTO erased_identifiers AS known (workspace_id, digest, erased_at, opted_out_at)
    SELECT $1, identifier_digest(w.digest_key, kind, value), CASE WHEN is_own THEN $6::timestamptz END,
           CASE WHEN $3::boolean THEN $6::timestamptz END
    FROM keys JOIN workspaces AS w ON w.id = $1
    WHERE is_own OR $3
    ON CONFLICT (workspace_id, digest) DO UPDATE SET
        erased_at = greatest(known.erased_at, excluded.erased_at),
        opted_out_at = CASE WHEN excluded.erased_at IS NULL THEN greatest(known.opted_out_at, excluded.opted_out_at)
                            ELSE excluded.opted_out_at END
"""
_ERASE = (
    "DELETE FROM identifiers WHERE contact_id = ANY($1)",
    # First those that another's merge is moving: when it is done, the next statement sees what it has made of them.
    "SELECT FROM suggestions WHERE one_id = ANY($1) OR other_id = ANY($1) ORDER BY id FOR UPDATE",
    "DELETE FROM suggestions WHERE one_id = ANY($1) OR other_id = ANY($1)",
    """
    UPDATE changes SET person = '{}', raw = '{}', before = '{}', after = '{}', note = '', content = NULL
    WHERE home_id = ANY($1)
    """,
    "UPDATE merges SET note = '' WHERE survivor_id = ANY($1)",
)
_BLANK = """
    UPDATE contacts SET email = '', phone = '', first_name = '', last_name = '', company = '', source = '', tags = '{}',
           custom = '{}', flags = '{}', origins = '{}', deleted_at = $2, version = version + 1
    WHERE id = ANY($1)
"""
