"""SQL that reads who is who, for identity's own use."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.identity.person import Person, person_from_json
from mainstay.identity.rules import Known
from mainstay.identity.store.keys import ID, Key, StaleReadError
from mainstay.identity.survivorship import Origin, Owners, Said, View, fold_all
from mainstay.model import Contact

if TYPE_CHECKING:
    from mainstay.db import Connection, Row


@dataclass(frozen=True, slots=True)
class Owner:
    """Whom a key names: the contact today, the contact it came to first, and its standing (``owner``, ``shared``)."""

    contact_id: UUID
    home_id: UUID
    standing: str = "owner"


@dataclass(frozen=True, slots=True)
class Erased:
    """What is known of a deleted contact's key. ``at`` is None where others had the key too."""

    at: datetime | None
    opted_out_at: datetime | None


@dataclass(frozen=True, slots=True)
class Keyring:
    """What a batch's keys name, and the contacts, which are held. A key with several owners is a shared phone."""

    owners: dict[Key, list[Owner]]
    erased: Mapping[Key, Erased]
    views: Mapping[UUID, View]


async def read_keys(
    connection: Connection, keys: Collection[Key], *, shared: Sequence[int] = (), locks: Sequence[int] = ()
) -> Keyring:
    """Take these locks, read what the keys name, and hold the contacts as they are until the commit.

    Raises:
        StaleReadError: a contact was merged, parted or deleted in the meantime.
    """
    owners: dict[Key, list[Owner]] = {}
    erased: dict[Key, Erased] = {}
    views: dict[UUID, View] = {}
    for row in await connection.fetch(_KEYS, shared, locks, *(zip(*keys, strict=True) if keys else ((), (), ()))):
        key = (row["of_workspace"], row["key_kind"], row["key_value"])
        if row["key_kind"] is None:
            views[row["id"]] = _standing(row)
        elif row["standing"] == "erased":
            erased[key] = Erased(row["erased_at"], row["erased_opt_out"])
        else:
            owners.setdefault(key, []).append(Owner(row["contact_id"], row["home_id"], row["standing"]))
    if any(owner.contact_id not in views for named in owners.values() for owner in named):
        raise StaleReadError("a contact was removed meanwhile")
    return Keyring(owners, erased, views)


_KEYS = """
    SELECT workspace_id AS of_workspace, kind AS key_kind, value AS key_value, standing, contact_id, home_id,
           erased_at, opted_out_at AS erased_opt_out, (contact).* FROM begin_writing($1, $2, $3, $4, $5)
"""


async def read_means(connection: Connection, asked: Sequence[tuple[UUID, UUID]]) -> dict[UUID, UUID]:
    """Return the contacts that ids, each with its workspace, mean today; those that name none are left out."""
    rows = await connection.fetch(
        """
        SELECT asked.id, contacts.id AS means FROM unnest($1::uuid[], $2::uuid[]) AS asked (id, workspace_id)
        JOIN contacts ON contacts.id = surviving(asked.id) AND contacts.workspace_id = asked.workspace_id
        WHERE contacts.deleted_at IS NULL
        """,
        *map(list, zip(*asked, strict=True)),
    )
    return {row["id"]: row["means"] for row in rows}


async def lock_contacts(connection: Connection, ids: Collection[UUID]) -> dict[UUID, View]:
    """Read contacts and keep them as they are until the commit.

    Raises:
        StaleReadError: one of them was merged or deleted in the meantime.
    """
    if not ids:
        return {}
    # Two writes of one contact by different keys meet here: the lock on a key does not cover the other.
    rows = await connection.fetch("SELECT * FROM contacts WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE", list(ids))
    if len(rows) < len(ids):
        raise StaleReadError("a contact was removed meanwhile")
    return {row["id"]: _standing(row) for row in rows}


def _standing(row: Row) -> View:
    if row["merged_into"] or row["deleted_at"]:
        raise StaleReadError("a contact was merged or deleted meanwhile")
    return view_of(row)


def view_of(row: Row) -> View:
    """Read a row of ``contacts`` with the origins of its values."""
    return View(contact_of(row), {name: Origin(*origin) for name, origin in row["origins"].items()})


_CONTACT = tuple(Contact.__dataclass_fields__)
_contact_values = itemgetter(*_CONTACT)
_LISTS = tuple(_CONTACT.index(name) for name in ("tags", "flags"))


def contact_of(row: Row) -> Contact:
    """Read a row of ``contacts``."""
    values = list(_contact_values(row))
    for place in _LISTS:
        values[place] = tuple(values[place])
    return Contact(*values)


def known_of(contact: Contact) -> Known:
    """Return what the rules look at."""
    return Known(contact.id, contact.first_name, contact.last_name, contact.email)


async def load_contact(connection: Connection, workspace_id: UUID, contact_id: UUID) -> Contact | None:
    """Return the contact that an id means today: itself, or what it was merged into; None when there is none."""
    row = await connection.fetchrow(
        "SELECT * FROM contacts WHERE id = $1 AND workspace_id = $2 AND deleted_at IS NULL", contact_id, workspace_id
    )
    if row is not None and row["merged_into"] is not None:
        row = await connection.fetchrow(
            "SELECT * FROM contacts WHERE id = surviving($1) AND deleted_at IS NULL", contact_id
        )
    return contact_of(row) if row is not None else None


async def load_contacts(connection: Connection, contact_ids: Collection[UUID]) -> Mapping[UUID, Contact]:
    """Return the contacts that ids mean today, by these ids; of what is deleted, nothing."""
    if not contact_ids:
        return {}
    rows = await connection.fetch(
        """
        SELECT asked.id AS asked_id, contacts.* FROM unnest($1::uuid[]) AS asked (id)
        JOIN contacts ON contacts.id = surviving(asked.id) AND contacts.deleted_at IS NULL
        """,
        list(contact_ids),
    )
    return {row["asked_id"]: contact_of(row) for row in rows}


async def view_from_changes(connection: Connection, contact: Contact, owners: Owners) -> View:
    """Return what follows from all that was ever said of a contact and of what is merged into it.

    What was taken back counts no more. What a merge said again for its chosen side counts where both of its sides are.
    An e-mail or phone counts where it is one of the contact's identifiers: after a merge was undone, what was said of
    both may name one that went away.
    """
    rows = await connection.fetch(
        """
        WITH members AS MATERIALIZED (SELECT contact_group($1) AS id)
        SELECT changes.id, occurred_at, kind, person FROM changes LEFT JOIN merges ON merges.id = changes.merge_id
        WHERE changes.home_id IN (SELECT id FROM members) AND changes.undone_at IS NULL
          AND (merges.id IS NULL OR (merges.undone_at IS NULL AND merges.merged_id IN (SELECT id FROM members)
                                     AND merges.survivor_id IN (SELECT id FROM members)))
        ORDER BY changes.id
        """,
        contact.id,
    )
    owned = {
        (row["kind"], row["value"])
        for row in await connection.fetch("SELECT kind, value FROM identifiers WHERE contact_id = $1", contact.id)
    }
    empty = Contact(contact.id, contact.workspace_id, version=contact.version)
    return fold_all(
        empty,
        (
            Said(row["id"], row["occurred_at"], row["kind"], _of_own(person_from_json(row["person"]), owned))
            for row in rows
        ),
        owners,
    )


def _of_own(person: Person, owned: Collection[tuple[str, str]]) -> Person:
    email = person.email if ("email", person.email) in owned else ""
    phone = person.phone if ("phone", person.phone) in owned else ""
    return person if (email, phone) == (person.email, person.phone) else replace(person, email=email, phone=phone)


async def is_opted_out(connection: Connection, contact_id: UUID) -> bool:
    """Tell whether the last wish of the contact, and of what is merged into it, is not to be contacted (R12)."""
    found: bool = await connection.fetchval(
        """
        SELECT coalesce(max(opted_out_at) >= coalesce(max(consented_at), '-infinity'), false)
        FROM contacts WHERE id IN (SELECT contact_group($1))
        """,
        contact_id,
    )
    return found


async def external_ids(connection: Connection, contact_id: UUID) -> dict[str, frozenset[str]]:
    """Return the ids that systems gave a contact and what is merged into it, by connection; not those of our pushes."""
    rows = await connection.fetch(
        """
        SELECT connection, array_agg(external_id) AS ids FROM record_ids
        WHERE record_type = 'contact' AND record_id = ANY(ARRAY(SELECT contact_group($1))) AND NOT is_ours
          AND workspace_id = (SELECT workspace_id FROM contacts WHERE id = $1)
        GROUP BY connection
        """,
        contact_id,
    )
    return {row["connection"]: frozenset(row["ids"]) for row in rows}


async def keys_of_contact(connection: Connection, workspace_id: UUID, contact_ids: Sequence[UUID]) -> list[Key]:
    """Return every key that names one of these contacts."""
    rows = await connection.fetch(
        """
        SELECT kind, value FROM identifiers WHERE contact_id = ANY($2) AND workspace_id = $1
        UNION
        SELECT $3::text || connection, external_id FROM record_ids
        WHERE workspace_id = $1 AND record_type = 'contact'
          AND record_id = ANY(ARRAY(SELECT contact_group(id) FROM unnest($2::uuid[]) AS t (id)))
        """,
        workspace_id,
        contact_ids,
        ID,
    )
    return [(workspace_id, row["kind"], row["value"]) for row in rows]


async def count_identifiers(connection: Connection, contact_ids: Sequence[UUID]) -> dict[str, int]:
    """Return how many e-mails and phones identify these contacts together."""
    rows: Any = await connection.fetch(
        """
        SELECT kind, count(DISTINCT value) AS count FROM identifiers
        WHERE contact_id = ANY($1) AND standing <> 'weak' GROUP BY kind
        """,
        contact_ids,
    )
    return {row["kind"]: row["count"] for row in rows}


async def read_identifiers(connection: Connection, contact_ids: Sequence[UUID]) -> dict[UUID, set[tuple[str, str]]]:
    """Return the e-mails and phones that identify each of these contacts, as (kind, value)."""
    rows = await connection.fetch(
        "SELECT contact_id, kind, value FROM identifiers WHERE contact_id = ANY($1) AND standing <> 'weak'", contact_ids
    )
    found: dict[UUID, set[tuple[str, str]]] = {}
    for row in rows:
        found.setdefault(row["contact_id"], set()).add((row["kind"], row["value"]))
    return found
