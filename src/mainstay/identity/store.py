"""SQL of identity: the one path by which contacts are written, for many writes in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from mainstay.errors import PermanentError
from mainstay.identity.rules import Match, Person, match, merge
from mainstay.model import Contact, new_id

if TYPE_CHECKING:
    from mainstay.db import Connection, Row

Key = tuple[UUID, str, str]


@dataclass(frozen=True, slots=True)
class ContactWrite:
    """One write about one person, and where it came from."""

    workspace_id: UUID
    person: Person
    source: str
    delivery_id: UUID | None = None
    run_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Resolution:
    """What became of a write. ``changed`` names the fields that changed; empty when nothing did."""

    contact: Contact
    rule: str
    is_new: bool
    changed: tuple[str, ...] = ()
    note: str = ""


async def resolve(connection: Connection, writes: Sequence[ContactWrite]) -> list[Resolution]:
    """Find or make the contact of each write, in order, inside the caller's transaction.

    Exact under concurrency: every identifier of the batch is locked first, in one order, until the commit; whoever
    else writes about one of these people waits, in this process and in any other.
    """
    keys = sorted({key for write in writes for key in _keys(write)}, key=str)
    if keys:
        await connection.execute(
            "SELECT pg_advisory_xact_lock(k) FROM unnest($1::bigint[]) AS t (k)", sorted({_lock(key) for key in keys})
        )
    owners = await _owners(connection, keys)
    contacts = await _contacts(connection, set(owners.values()))
    now = datetime.now(UTC)
    batch = _Batch()
    resolutions = []
    for write in writes:
        found = _match(write, owners, contacts)
        resolutions.append(_apply(write, found, owners, contacts, batch, now))
    await batch.store(connection, contacts)
    return resolutions


def _match(write: ContactWrite, owners: Mapping[Key, UUID], contacts: Mapping[UUID, Contact]) -> Match:
    person, workspace_id = write.person, write.workspace_id
    by_phone = owners.get((workspace_id, "phone", person.phone))
    return match(
        person,
        by_external_id=owners.get((workspace_id, f"id:{person.connection}", person.external_id)),
        by_email=owners.get((workspace_id, "email", person.email)),
        by_phone=by_phone,
        phone_owner_first_name=contacts[by_phone].first_name if by_phone else "",
    )


class _Batch:
    """What a transaction has to write, gathered over all its resolutions."""

    def __init__(self) -> None:
        self.new: set[UUID] = set()
        self.updated: set[UUID] = set()
        self.identifiers: list[tuple[Any, ...]] = []
        self.changes: list[tuple[Any, ...]] = []

    async def store(self, connection: Connection, contacts: Mapping[UUID, Contact]) -> None:
        if self.new:
            await connection.executemany(
                """
                INSERT INTO contacts (id, workspace_id, email, phone, first_name, last_name, company, source, tags,
                                      custom, version, created_at, updated_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
                """,
                [_row(contacts[contact_id]) for contact_id in self.new],
            )
        if self.updated - self.new:
            await connection.executemany(
                """
                UPDATE contacts SET email = $3, phone = $4, first_name = $5, last_name = $6, company = $7, source = $8,
                       tags = $9, custom = $10, version = $11, updated_at = $12
                WHERE id = $1 AND workspace_id = $2
                """,
                [
                    (*row[:11], row[12])
                    for row in (_row(contacts[contact_id]) for contact_id in sorted(self.updated - self.new, key=str))
                ],
            )
        if self.identifiers:
            await connection.executemany(
                """
                INSERT INTO identifiers (workspace_id, kind, value, contact_id, source, created_at)
                VALUES ($1, $2, $3, $4, $5, $6)
                """,
                self.identifiers,
            )
        if self.changes:
            await connection.executemany(
                """
                INSERT INTO changes (id, workspace_id, contact_id, version, rule, source, delivery_id, run_id, before,
                                     after, note, at)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
                """,
                self.changes,
            )


def _apply(
    write: ContactWrite,
    found: Match,
    owners: dict[Key, UUID],
    contacts: dict[UUID, Contact],
    batch: _Batch,
    now: datetime,
) -> Resolution:
    person, note = write.person, found.note
    owner = owners.get((write.workspace_id, "phone", person.phone))
    if person.phone and person.email and owner is not None and owner != found.contact_id:
        # With it, a system that tells people apart by phone would write this person over the number's owner.
        person, note = replace(person, phone=""), f"{note}: {person.phone}"
    if found.contact_id is None:
        known = Contact(id=new_id(), workspace_id=write.workspace_id, version=0, created_at=now, updated_at=now)
        batch.new.add(known.id)
    else:
        known = contacts[found.contact_id]
    contact, before, after = merge(known, person, now)
    if contact.version == 0:
        contact = Contact(id=known.id, workspace_id=write.workspace_id, created_at=now, updated_at=now)
    contacts[contact.id] = contact
    for kind, value in (("email", person.email), ("phone", person.phone)):
        if value and (write.workspace_id, kind, value) not in owners:
            owners[write.workspace_id, kind, value] = contact.id
            batch.identifiers.append((write.workspace_id, kind, value, contact.id, write.source, now))
    if person.external_id:
        owners.setdefault((write.workspace_id, f"id:{person.connection}", person.external_id), contact.id)
    note = "; ".join(filter(None, (note, *person.notes)))
    if after:
        batch.updated.add(contact.id)
    # Also where nothing changed: that a person wrote again is part of their story.
    batch.changes.append(
        (
            new_id(),
            write.workspace_id,
            contact.id,
            contact.version,
            found.rule,
            write.source,
            write.delivery_id,
            write.run_id,
            before,
            after,
            note,
            now,
        )
    )
    return Resolution(contact, found.rule, found.contact_id is None, tuple(after), note)


def _keys(write: ContactWrite) -> Iterable[Key]:
    person = write.person
    if person.email:
        yield write.workspace_id, "email", person.email
    if person.phone:
        yield write.workspace_id, "phone", person.phone
    if person.external_id:
        yield write.workspace_id, f"id:{person.connection}", person.external_id


def _lock(key: Key) -> int:
    workspace_id, kind, value = key
    digest = blake2b(f"{workspace_id}\0{kind}\0{value}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


async def _owners(connection: Connection, keys: Sequence[Key]) -> dict[Key, UUID]:
    owners: dict[Key, UUID] = {}
    plain = [key for key in keys if not key[1].startswith("id:")]
    if plain:
        rows = await connection.fetch(
            """
            SELECT workspace_id, kind, value, contact_id
            FROM unnest($1::uuid[], $2::text[], $3::text[]) AS k (workspace_id, kind, value)
            JOIN identifiers USING (workspace_id, kind, value)
            """,
            *map(list, zip(*plain, strict=True)),
        )
        owners.update({(row["workspace_id"], row["kind"], row["value"]): row["contact_id"] for row in rows})
    foreign = [key for key in keys if key[1].startswith("id:")]
    if foreign:
        rows = await connection.fetch(
            """
            SELECT c.workspace_id, c.connection, c.external_id, c.record_id
            FROM unnest($1::uuid[], $2::text[], $3::text[]) AS k (workspace_id, connection, external_id)
            JOIN crosswalk c USING (workspace_id, connection, external_id)
            WHERE c.record_type = 'contact'
            """,
            [key[0] for key in foreign],
            [key[1].removeprefix("id:") for key in foreign],
            [key[2] for key in foreign],
        )
        owners.update(
            {(row["workspace_id"], f"id:{row['connection']}", row["external_id"]): row["record_id"] for row in rows}
        )
    return owners


async def _contacts(connection: Connection, ids: set[UUID]) -> dict[UUID, Contact]:
    if not ids:
        return {}
    # Two writes of one contact by different identifiers meet here: the lock on an identifier does not cover the other.
    rows = await connection.fetch("SELECT * FROM contacts WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE", list(ids))
    return {row["id"]: contact_of(row) for row in rows}


async def annotate(
    connection: Connection, workspace_id: UUID, contact_id: UUID, person: Person, *, source: str, key: str = ""
) -> Contact:
    """Write to a contact that is known by our own id: tags, fields, or a note.

    With a ``key``, a second call with the same key writes nothing.

    Raises:
        PermanentError: there is no such contact in this workspace.
    """
    row = await connection.fetchrow(
        "SELECT * FROM contacts WHERE id = $1 AND workspace_id = $2 FOR NO KEY UPDATE", contact_id, workspace_id
    )
    if row is None:
        message = f"there is no contact {contact_id}"
        raise PermanentError(message)
    now = datetime.now(UTC)
    known = contact_of(row)
    contact, before, after = merge(known, person, now)
    change_id = uuid5(contact_id, key) if key else new_id()
    if not after and not person.notes:
        return known
    if await connection.fetchval("SELECT TRUE FROM changes WHERE id = $1", change_id):
        return known
    batch = _Batch()
    if after:
        batch.updated.add(contact_id)
    note = "; ".join(person.notes)
    batch.changes.append(
        (change_id, workspace_id, contact_id, contact.version, "id", source, None, None, before, after, note, now)
    )
    await batch.store(connection, {contact_id: contact})
    return contact


async def load_contact(connection: Connection, workspace_id: UUID, contact_id: UUID) -> Contact | None:
    """Return one contact, or None."""
    row = await connection.fetchrow(
        "SELECT * FROM contacts WHERE id = $1 AND workspace_id = $2", contact_id, workspace_id
    )
    return contact_of(row) if row is not None else None


def contact_of(row: Row) -> Contact:
    """Read a row of ``contacts``."""
    values = {name: row[name] for name in Contact.__dataclass_fields__}
    return Contact(**{**values, "tags": tuple(values["tags"])})


def person_to_json(person: Person) -> dict[str, Any]:
    """Return what a run keeps as its input."""
    return {name: value for name in Person.__dataclass_fields__ if (value := getattr(person, name))}


def person_from_json(data: Mapping[str, Any]) -> Person:
    """Read what :func:`person_to_json` wrote."""
    return Person(**{**data, "tags": tuple(data.get("tags", ())), "notes": tuple(data.get("notes", ()))})


def _row(contact: Contact) -> tuple[Any, ...]:
    return (
        contact.id,
        contact.workspace_id,
        contact.email,
        contact.phone,
        contact.first_name,
        contact.last_name,
        contact.company,
        contact.source,
        list(contact.tags),
        dict(contact.custom),
        contact.version,
        contact.created_at,
        contact.updated_at,
    )
