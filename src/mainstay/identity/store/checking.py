"""SQL that proves the book whole: what must hold of contacts and all that is kept of them, whatever happened."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.identity.store.reading import is_opted_out, view_from_changes, view_of
from mainstay.identity.survivorship import Owners, differences

if TYPE_CHECKING:
    from mainstay.db import Connection
    from mainstay.model import Contact

SHOWN = 20
"""How many findings of one kind are told."""
_STEP = 500


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must not be: of which kind, and where."""

    invariant: str
    where: str


@dataclass(frozen=True, slots=True)
class Checked:
    """How far a check is: an invariant that was looked at, over how many rows, and what was found."""

    invariant: str
    rows: int
    findings: tuple[Finding, ...]


async def check_book(
    connection: Connection, workspace_id: UUID, *, sample: int | None = 1000
) -> AsyncIterator[Checked]:
    """Look at every invariant of a workspace's book, read only; yields after each.

    ``sample`` is how many contacts are told again from their changes, spread over the book; None for all. Run it in a
    transaction of isolation REPEATABLE READ, else a write in between looks like a fault.
    """
    for invariant, breaks in _INVARIANTS.items():
        query = f"SELECT found FROM ({breaks}) AS t (found) LIMIT {SHOWN}"  # noqa: S608 - parts of this file
        rows = await connection.fetch(query, workspace_id)
        yield Checked(invariant, len(rows), tuple(Finding(invariant, row["found"]) for row in rows))
    async for checked in _told_again(connection, workspace_id, sample):
        yield checked


async def _told_again(connection: Connection, workspace_id: UUID, sample: int | None) -> AsyncIterator[Checked]:
    invariant = "a contact is what follows from its changes"
    last, seen = UUID(int=0), 0
    owners = await connection.fetchval("SELECT owners FROM workspaces WHERE id = $1", workspace_id)
    spread = "" if sample is None else "AND hashtextextended(id::text, 0) % greatest($3::bigint, 1) = 0"
    values: list[Any] = []
    if sample is not None:
        query = f"SELECT count(*) FROM contacts WHERE {_STANDING}"  # noqa: S608 - parts of this file
        count = await connection.fetchval(query, workspace_id)
        values = [count // sample]
    while True:
        rows = await connection.fetch(
            f"SELECT * FROM contacts WHERE {_STANDING} AND id > $2 {spread} ORDER BY id LIMIT {_STEP}",  # noqa: S608
            workspace_id,
            last,
            *values,
        )
        if not rows:
            return
        findings = []
        for row in rows:
            findings += await _differs(connection, view_of(row).contact, owners)
        last, seen = rows[-1]["id"], seen + len(rows)
        yield Checked(invariant, seen, tuple(Finding(invariant, where) for where in findings[:SHOWN]))


async def _differs(connection: Connection, contact: Contact, owners: Owners) -> list[str]:
    view = await view_from_changes(connection, contact, owners)
    is_out = await is_opted_out(connection, contact.id)
    told = _comparable(replace(view.contact, do_not_contact=is_out))
    was, became = differences(_comparable(contact), told)
    found = [f"{contact.id}: {name} is {was[name]!r}, and {became[name]!r} follows" for name in was]
    for name in ("created_at", "updated_at"):
        kept, follows = getattr(contact, name), getattr(told, name)
        if follows is not None and kept != follows:
            found.append(f"{contact.id}: {name} is {kept}, and {follows} follows")
    return found


def _comparable(contact: Contact) -> Contact:
    """Return the contact with what has no order in one: changes of one instant may have come from two machines."""
    return replace(
        contact,
        tags=tuple(sorted({tag.casefold() for tag in contact.tags})),
        flags=tuple(sorted(contact.flags)),
        custom=dict(contact.custom),
    )


_STANDING = "workspace_id = $1 AND merged_into IS NULL AND deleted_at IS NULL"
# Each gives what breaks it, in words.
_INVARIANTS = {
    "an identifier has one owner": """
        SELECT kind || ' ' || value || ': ' || count(DISTINCT contact_id) || ' contacts own it'
        FROM identifiers WHERE workspace_id = $1 AND standing <> 'weak'
        GROUP BY kind, value HAVING count(DISTINCT contact_id) > 1 AND bool_or(standing = 'owner')
    """,
    "only a phone that several had is shared": """
        SELECT kind || ' ' || value || ': shared, and one alone has it' FROM identifiers
        WHERE workspace_id = $1 AND standing = 'shared'
          AND NOT EXISTS (SELECT FROM contacts WHERE contacts.workspace_id = $1 AND deleted_at IS NOT NULL)
        GROUP BY kind, value HAVING count(*) < 2 OR kind <> 'phone'
    """,
    "an identifier names a contact that stands": """
        SELECT i.kind || ' ' || i.value || ': names ' || i.contact_id || ', which is '
               || CASE WHEN c.id IS NULL THEN 'not there' WHEN c.deleted_at IS NULL THEN 'merged' ELSE 'deleted' END
        FROM identifiers AS i LEFT JOIN contacts AS c ON c.id = i.contact_id AND c.workspace_id = i.workspace_id
        WHERE i.workspace_id = $1 AND (c.id IS NULL OR c.merged_into IS NOT NULL OR c.deleted_at IS NOT NULL)
    """,
    "an identifier came to what is in its contact": """
        SELECT kind || ' ' || value || ': names ' || contact_id || ', and its home ' || home_id || ' means '
               || surviving(home_id)
        FROM identifiers WHERE workspace_id = $1 AND home_id <> contact_id AND surviving(home_id) <> contact_id
    """,
    "a contact's e-mail and phone are its identifiers": f"""
        SELECT id || ': ' || kind || ' ' || value || ' is none of its identifiers'
        FROM contacts CROSS JOIN LATERAL (VALUES ('email', email), ('phone', phone)) AS v (kind, value)
        WHERE {_STANDING} AND value <> ''
          AND NOT EXISTS (SELECT FROM identifiers AS i WHERE i.workspace_id = $1 AND i.kind = v.kind
                          AND i.value = v.value AND i.contact_id = contacts.id)
    """,  # noqa: S608 - parts of this file
    "a merged id leads to a contact that stands": """
        WITH RECURSIVE leads (id, at, steps) AS (
            SELECT id, merged_into, 1 FROM contacts WHERE workspace_id = $1 AND merged_into IS NOT NULL
            UNION ALL
            SELECT leads.id, contacts.merged_into, steps + 1 FROM leads JOIN contacts ON contacts.id = leads.at
            WHERE contacts.merged_into IS NOT NULL AND steps < 1000
        )
        SELECT id || ': leads in a circle' FROM leads WHERE steps >= 1000
        UNION ALL
        SELECT c.id || ': leads to ' || c.merged_into || ' of another workspace, or nowhere' FROM contacts AS c
        LEFT JOIN contacts AS o ON o.id = c.merged_into
        WHERE c.workspace_id = $1 AND c.merged_into IS NOT NULL AND (o.id IS NULL OR o.workspace_id <> $1)
    """,
    "the older id survives a merge": """
        SELECT id || ': merged into the younger ' || merged_into FROM contacts
        WHERE workspace_id = $1 AND merged_into > id
    """,
    "a merged contact has its merge": """
        SELECT c.id || ': merged into ' || c.merged_into || ' by no merge' FROM contacts AS c
        WHERE c.workspace_id = $1 AND c.merged_into IS NOT NULL
          AND NOT EXISTS (SELECT FROM merges AS m WHERE m.merged_id = c.id AND m.survivor_id = c.merged_into
                          AND m.undone_at IS NULL)
        UNION ALL
        SELECT m.id || ': stands, and ' || m.merged_id || ' is not merged' FROM merges AS m
        JOIN contacts AS c ON c.id = m.merged_id
        WHERE m.workspace_id = $1 AND m.undone_at IS NULL AND c.merged_into IS DISTINCT FROM m.survivor_id
    """,
    "the changes of a contact have versions without a gap": """
        SELECT contact_id || ': version ' || version || ' follows ' || coalesce(before::text, 'nothing') FROM (
            SELECT contact_id, version, lag(version) OVER (PARTITION BY contact_id ORDER BY version) AS before
            FROM changes WHERE workspace_id = $1
        ) AS t WHERE version <> coalesce(before, 1) AND version <> coalesce(before, 0) + 1
    """,
    "a contact has the version of its last change": """
        SELECT c.id || ': version ' || c.version || ', its last change has ' || coalesce(max(h.version), 0)
        FROM contacts AS c LEFT JOIN changes AS h ON h.contact_id = c.id
        WHERE c.workspace_id = $1 AND c.deleted_at IS NULL
        GROUP BY c.id HAVING c.version <> coalesce(max(h.version), 0)
    """,
    "a change belongs to a contact": """
        SELECT h.id || ': of ' || h.home_id || ', which is not there' FROM changes AS h
        LEFT JOIN contacts AS c ON c.id = h.home_id AND c.workspace_id = h.workspace_id
        WHERE h.workspace_id = $1 AND c.id IS NULL
    """,
    "a deleted contact is empty": """
        SELECT id || ': deleted, and still has data' FROM contacts
        WHERE workspace_id = $1 AND deleted_at IS NOT NULL
          AND (email || phone || first_name || last_name || company <> '' OR custom <> '{}' OR origins <> '{}')
        UNION ALL
        SELECT c.id || ': deleted, and its changes still speak' FROM contacts AS c JOIN changes AS h ON h.home_id = c.id
        WHERE c.workspace_id = $1 AND c.deleted_at IS NOT NULL
          AND (h.person <> '{}' OR h.raw <> '{}' OR h.after <> '{}')
    """,
    "an id of another system has one place": """
        SELECT connection || ' ' || external_id || ': kept ' || count(*) || ' times' FROM record_ids
        WHERE workspace_id = $1 AND record_type = 'contact' GROUP BY connection, external_id HAVING count(*) > 1
    """,
    "an id of another system leads to a contact": """
        SELECT r.connection || ' ' || r.external_id || ': of ' || r.record_id || ', which is '
               || CASE WHEN c.id IS NULL THEN 'not there' ELSE 'deleted' END
        FROM record_ids AS r
        LEFT JOIN contacts AS c ON c.id = surviving(r.record_id) AND c.workspace_id = r.workspace_id
        WHERE r.workspace_id = $1 AND r.record_type = 'contact' AND (c.id IS NULL OR c.deleted_at IS NOT NULL)
    """,
    "an id of another system goes back where it came from": """
        SELECT connection || ' ' || external_id || ': at ' || record_id || ', and its home ' || home_id || ' means '
               || surviving(home_id)
        FROM record_ids
        WHERE workspace_id = $1 AND record_type = 'contact' AND surviving(home_id) <> surviving(record_id)
    """,
    "a contact with ids in a system has one of its own": """
        SELECT DISTINCT surviving(record_id) || ': has ids in ' || connection || ' beside, and none of its own'
        FROM record_ids AS r WHERE workspace_id = $1 AND record_type = 'contact'
          AND NOT EXISTS (SELECT FROM crosswalk AS own WHERE own.workspace_id = $1 AND own.record_type = 'contact'
                          AND own.record_id = surviving(r.record_id) AND own.connection = r.connection
                          AND own.external_id IS NOT NULL)
    """,
    "an open suggestion is of two contacts that stand": """
        SELECT s.id || ': open, and ' || c.id || ' is merged or deleted' FROM suggestions AS s
        JOIN contacts AS c ON c.id IN (s.one_id, s.other_id)
        WHERE s.workspace_id = $1 AND s.state = 'open' AND (c.merged_into IS NOT NULL OR c.deleted_at IS NOT NULL)
    """,
}
