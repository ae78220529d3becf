"""What a transaction has to store, gathered over all its writes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.identity.person import person_to_json
from mainstay.identity.survivorship import Said, View
from mainstay.model import Contact

if TYPE_CHECKING:
    from mainstay.db import Connection
    from mainstay.identity.store.keys import Key
    from mainstay.identity.store.writing import ContactWrite


class Batch:
    """Contacts as they are after the writes so far, and the rows that say so; ``flush`` brings them to the database."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now
        self.views: dict[UUID, View] = {}
        self._new: set[UUID] = set()
        self._touched: set[UUID] = set()
        self._to_compare: set[UUID] = set()
        self._identifiers: list[tuple[Any, ...]] = []
        self._shared: set[Key] = set()
        self._changes: list[tuple[Any, ...]] = []

    def begin(self, contact: Contact) -> None:
        """Take up a contact that is not stored yet."""
        self.views[contact.id] = View(contact, {})
        self._new.add(contact.id)

    def put(self, view: View, *, is_touched: bool) -> None:
        """Note the newest state of a contact."""
        before = self.views[view.contact.id]
        self.views[view.contact.id] = view
        if is_touched or before.contact != view.contact:
            self._touched.add(view.contact.id)
        if any(getattr(before.contact, name) != getattr(view.contact, name) for name in _COMPARED):
            self._to_compare.add(view.contact.id)

    def share(self, key: Key) -> None:
        """Note that a phone has several owners from now on."""
        self._shared.add(key)

    def identifier(self, key: Key, home_id: UUID, contact_id: UUID, standing: str, alias: str, source: str) -> None:
        """Note a new identifier."""
        workspace_id, kind, value = key
        self._identifiers.append((workspace_id, kind, value, home_id, contact_id, standing, alias, source, self._now))

    def change(
        self,
        write: ContactWrite,
        said: Said,
        contact: Contact,
        home_id: UUID,
        rule: str,
        before: Mapping[str, Any],
        after: Mapping[str, Any],
        note: str,
        content: bytes | None,
    ) -> None:
        """Note what a write said and what it altered."""
        person = person_to_json(said.person)
        raw = person.pop("raw", {})
        self._changes.append(
            (
                said.change_id,
                write.workspace_id,
                contact.id,
                home_id,
                contact.version,
                rule,
                write.source,
                write.kind,
                write.delivery_id,
                write.run_id,
                said.at,
                person,
                raw,
                before,
                after,
                note,
                content,
                self._now,
                write.import_id,
                write.line,
            )
        )

    async def flush(self, *, also: UUID | None = None) -> None:
        """Store what has been noted so far; ``also`` a contact that has no values yet."""
        new = sorted(self._new & (self._touched | {also}), key=str)
        if new:
            await self._connection.executemany(_INSERT_CONTACT, [self._stored(each) for each in new])
        touched = sorted(self._touched - set(new), key=str)
        if touched:
            await self._connection.executemany(_UPDATE_CONTACT, [self._stored(each) for each in touched])
        if self._identifiers:
            await self._connection.executemany(_INSERT_IDENTIFIER, self._identifiers)
        if self._shared:  # after the identifiers: the one that was alone until now may be of this very batch
            await self._connection.execute(_SHARE, *map(list, zip(*sorted(self._shared, key=str), strict=True)))
        if self._changes:
            await self._connection.executemany(_INSERT_CHANGE, self._changes)
        self._new -= set(new)
        self._touched.clear()
        self._to_compare.clear()
        self._shared.clear()
        self._identifiers.clear()
        self._changes.clear()

    def _stored(self, contact_id: UUID) -> tuple[Any, ...]:
        return (*_row(self.views[contact_id]), contact_id in self._to_compare)


_COMPARED = ("email", "phone", "first_name", "last_name", "company", "custom")
# Written along with the contact, in the same round trip: what is to be compared is known when the contact is.
_TO_COMPARE = """
    INSERT INTO to_compare (workspace_id, contact_id) SELECT workspace_id, id FROM stored WHERE $17::boolean
"""
_INSERT_CONTACT = f"""
    WITH stored AS (
    INSERT INTO contacts (id, workspace_id, email, phone, first_name, last_name, company, source, tags, custom, flags,
                          do_not_contact, origins, version, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) RETURNING workspace_id, id)
    {_TO_COMPARE}
"""  # noqa: S608 - no text of others
_UPDATE_CONTACT = f"""
    WITH stored AS (
    UPDATE contacts SET email = $3, phone = $4, first_name = $5, last_name = $6, company = $7, source = $8, tags = $9,
           custom = $10, flags = $11, do_not_contact = $12, origins = $13, version = $14, created_at = $15,
           updated_at = $16
    WHERE id = $1 AND workspace_id = $2 RETURNING workspace_id, id)
    {_TO_COMPARE}
"""  # noqa: S608 - no text of others
_SHARE = """
    UPDATE identifiers SET standing = 'shared'
    FROM unnest($1::uuid[], $2::text[], $3::text[]) AS t (workspace_id, kind, value)
    WHERE identifiers.workspace_id = t.workspace_id AND identifiers.kind = t.kind AND identifiers.value = t.value
      AND identifiers.standing = 'owner'
"""
_INSERT_IDENTIFIER = """
    INSERT INTO identifiers (workspace_id, kind, value, home_id, contact_id, standing, alias_key, source, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT (workspace_id, kind, value, home_id) DO UPDATE SET standing = excluded.standing
    WHERE identifiers.standing = 'weak'
"""
_INSERT_CHANGE = """
    INSERT INTO changes (id, workspace_id, contact_id, home_id, version, rule, source, kind, delivery_id, run_id,
                         occurred_at, person, raw, before, after, note, content, at, import_id, line)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
"""


async def store_view(connection: Connection, view: View) -> None:
    """Store the newest state of one contact."""
    await connection.execute(_UPDATE_CONTACT, *_row(view), True)  # noqa: FBT003 - a place of the query


def _row(view: View) -> tuple[Any, ...]:
    contact = view.contact
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
        list(contact.flags),
        contact.do_not_contact,
        {name: tuple(origin) for name, origin in view.origins.items()},
        contact.version,
        contact.created_at,
        contact.updated_at,
    )
