"""Contacts: the list, and one with its identifiers, its ids elsewhere, its merges and where its values come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.insight.lineage import Lineage, lineages
from mainstay.insight.merges import MergeRow, merges_of
from mainstay.insight.paging import PAGE_SIZE, Page, Row, page_of
from mainstay.insight.suggestions import Twin, twins_of
from mainstay.model import Contact

if TYPE_CHECKING:
    from mainstay.db import Connection

STANDING = "merged_into IS NULL AND deleted_at IS NULL"
"""SQL of a contact that is there under its own id: what the partial indexes of lists and searches hold."""


@dataclass(frozen=True, slots=True)
class Identifier:
    """One e-mail address or phone number of a contact, and the source that brought it.

    ``standing`` is ``owner``, ``shared`` (people of several names have the phone) or ``weak`` (kept and found, but it
    names nobody: a role mailbox, a blocked value, one too many). ``home_id`` is the contact that it came to first.
    """

    kind: str
    value: str
    standing: str
    source: str
    created_at: datetime
    home_id: UUID


@dataclass(frozen=True, slots=True)
class Counterpart:
    """A contact's record in one system. ``external_id`` is empty while it has none there yet.

    ``is_behind`` says that the system lacks our newest version; ``error`` why its last push stopped;
    ``push_run_id`` the run that pushes now. ``home_id`` is the contact that the id was first said of: itself, or one
    merged into it. ``is_beside`` says that the system has the person twice, and pushes go to another of its records.
    """

    connection: str
    external_id: str
    is_behind: bool
    error: str
    push_run_id: UUID | None
    updated_at: datetime | None
    record_id: UUID
    home_id: UUID
    is_beside: bool


@dataclass(frozen=True, slots=True)
class ContactDetail:
    """One contact with all by which it is known.

    Attributes:
        group: its id and those of all that was merged into it.
        counterparts: its records elsewhere, and those of what was merged into it.
        opted_out_at: when it was said not to contact this person, where that stands.
        merges: what was merged into it, undone ones too, the newest first.
        twins: who may be the same person, the likeliest first.
        lineages: where each value that stands comes from, by field (a custom one as ``custom.KEY``).
        owners: field to the connection that is right about it.
    """

    contact: Contact
    group: tuple[UUID, ...]
    identifiers: tuple[Identifier, ...]
    counterparts: tuple[Counterpart, ...]
    opted_out_at: datetime | None
    merges: tuple[MergeRow, ...]
    twins: tuple[Twin, ...]
    lineages: Mapping[str, Lineage]
    owners: Mapping[str, str]


async def list_contacts(
    connection: Connection, workspace_id: UUID, *, before: UUID | None = None, size: int = PAGE_SIZE
) -> Page[Contact]:
    """Return contacts, newest first; what was merged into another or deleted, or is a canary, is not among them."""
    rows = await connection.fetch(
        f"""
        SELECT * FROM contacts
        WHERE workspace_id = $1 AND id < coalesce($2, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid) AND {STANDING}
          AND NOT flags @> '{{canary}}'
        ORDER BY id DESC LIMIT $3
        """,  # noqa: S608 - no text of others
        workspace_id,
        before,
        size + 1,
    )
    return page_of(rows, contact_of, size)


async def contact_detail(connection: Connection, workspace_id: UUID, contact_id: UUID) -> ContactDetail | None:
    """Return the contact that an id means today: itself, or what it was merged into. None when there is none."""
    row = await connection.fetchrow(
        "SELECT * FROM contacts WHERE id = surviving($1) AND workspace_id = $2 AND deleted_at IS NULL",
        contact_id,
        workspace_id,
    )
    if row is None:
        return None
    group = await group_of(connection, row["id"])
    identifiers = await identifiers_of(connection, workspace_id, (row["id"],))
    opted_out_at = await connection.fetchval(
        """
        SELECT max(opted_out_at) FROM contacts
        WHERE id = ANY($1) AND (consented_at IS NULL OR opted_out_at >= consented_at)
        """,
        group,
    )
    return ContactDetail(
        contact_of(row),
        tuple(group),
        identifiers.get(row["id"], ()),
        await counterparts(connection, workspace_id, group),
        opted_out_at if row["do_not_contact"] else None,
        await merges_of(connection, workspace_id, group),
        await twins_of(connection, workspace_id, row["id"]),
        await lineages(connection, workspace_id, group, row["origins"]),
        await connection.fetchval("SELECT owners FROM workspaces WHERE id = $1", workspace_id),
    )


async def group_of(connection: Connection, contact_id: UUID) -> Sequence[UUID]:
    """Return the contact that an id means today, then all that was merged into it."""
    rows = await connection.fetch(
        "SELECT id FROM contact_group(surviving($1)) WITH ORDINALITY AS members (id, place) ORDER BY place", contact_id
    )
    return [row["id"] for row in rows]


async def identifiers_of(
    connection: Connection, workspace_id: UUID, contact_ids: Sequence[UUID]
) -> Mapping[UUID, tuple[Identifier, ...]]:
    """Return the identifiers of contacts, those that name them first, at most a hundred in all."""
    rows = await connection.fetch(
        """
        SELECT contact_id, kind, value, standing, source, created_at, home_id FROM identifiers
        WHERE contact_id = ANY($1) AND workspace_id = $2
        ORDER BY kind, array_position(ARRAY['owner', 'shared', 'weak'], standing), created_at, value LIMIT 100
        """,
        contact_ids,
        workspace_id,
    )
    found: dict[UUID, tuple[Identifier, ...]] = {}
    for row in rows:
        item = Identifier(**{name: row[name] for name in Identifier.__dataclass_fields__})
        # An e-mail or phone that several of a group had is one that the survivor has.
        known = found.get(row["contact_id"], ())
        if (item.kind, item.value) not in {(each.kind, each.value) for each in known}:
            found[row["contact_id"]] = (*known, item)
    return found


async def counterparts(connection: Connection, workspace_id: UUID, group: Sequence[UUID]) -> tuple[Counterpart, ...]:
    """Return the records of a group's contacts in the systems that have or shall have one, the survivor's first."""
    rows = await connection.fetch(
        """
        SELECT connection, coalesce(external_id, '') AS external_id, wanted_version > pushed_version AS is_behind,
               error, push_run_id, updated_at, record_id, coalesce(home_id, record_id) AS home_id,
               record_id <> ($2::uuid[])[1] AS is_beside
        FROM crosswalk WHERE workspace_id = $1 AND record_type = 'contact' AND record_id = ANY($2)
        UNION ALL
        SELECT connection, external_id, false, '', NULL, NULL, record_id, record_id, true
        FROM crosswalk_beside WHERE workspace_id = $1 AND record_type = 'contact' AND record_id = ANY($2)
        ORDER BY connection, is_beside, external_id
        """,
        workspace_id,
        group,
    )
    return tuple(Counterpart(**dict(row)) for row in rows)


def contact_of(row: Row) -> Contact:
    """Read a row of ``contacts``."""
    values = {name: row[name] for name in Contact.__dataclass_fields__}
    return Contact(**{**values, "tags": tuple(values["tags"]), "flags": tuple(values["flags"])})
