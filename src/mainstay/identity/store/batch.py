"""What a transaction has to store, gathered over all its writes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.identity.person import person_to_json
from mainstay.identity.survivorship import Said, View
from mainstay.model import Contact

if TYPE_CHECKING:
    from mainstay.db import Connection
    from mainstay.identity.store.keys import Key
    from mainstay.identity.store.write import ContactWrite


class Batch:
    """Contacts as they are after the writes so far, and the rows that say so; ``flush`` brings them to the database.

    Attributes:
        is_compared: what is written is to be compared with the book thereafter; a list of millions is not.
    """

    def __init__(self, connection: Connection, now: datetime, views: Mapping[UUID, View]) -> None:
        self._connection = connection
        self._now = now
        self.is_compared = True
        self.views = dict(views)
        self._new: set[UUID] = set()
        self._touched: set[UUID] = set()
        self._to_compare: set[UUID] = set()
        self._identifiers: dict[tuple[Key, UUID], dict[str, Any]] = {}
        self._shared: set[Key] = set()
        self._changes: list[dict[str, Any]] = []

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
        if self.is_compared and any(getattr(before.contact, name) != getattr(view.contact, name) for name in _COMPARED):
            self._to_compare.add(view.contact.id)

    def share(self, key: Key) -> None:
        """Note that a phone has several owners from now on."""
        self._shared.add(key)

    def identifier(self, key: Key, home_id: UUID, contact_id: UUID, standing: str, alias: str, source: str) -> None:
        """Note a new identifier."""
        workspace_id, kind, value = key
        known = self._identifiers.get((key, home_id))
        if known is not None:
            # One that named nobody may come to name its contact; nothing else changes of it.
            known["standing"] = standing if known["standing"] == "weak" else known["standing"]
            return
        self._identifiers[key, home_id] = {
            "workspace_id": workspace_id,
            "kind": kind,
            "value": value,
            "home_id": home_id,
            "contact_id": contact_id,
            "standing": standing,
            "alias_key": alias,
            "source": source,
            "created_at": self._now,
        }

    def change(  # noqa: PLR0913, PLR0917 - a row's values
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
            {
                "id": said.change_id,
                "workspace_id": write.workspace_id,
                "contact_id": contact.id,
                "home_id": home_id,
                "version": contact.version,
                "rule": rule,
                "source": write.source,
                "kind": write.kind,
                "delivery_id": write.delivery_id,
                "run_id": write.run_id,
                "occurred_at": said.at,
                "person": person,
                "raw": raw,
                "before": before,
                "after": after,
                "note": note,
                "content": f"\\x{content.hex()}" if content else None,
                "at": self._now,
                "import_id": write.import_id,
                "line": write.line,
            }
        )

    async def flush(self, *, also: UUID | None = None) -> None:
        """Store what has been noted so far; ``also`` a contact that has no values yet."""
        new = sorted(self._new & (self._touched | {also}))
        touched = sorted(self._touched - set(new))
        rows = {
            _BEGIN: [_row(self.views[each]) for each in new],
            _ALTER: [_row(self.views[each]) for each in touched],
            _NAME: list(self._identifiers.values()),
            _TELL: self._changes,
            _COMPARE: [self._waiting(each) for each in sorted(self._to_compare)],
        }
        rows = {part: found for part, found in rows.items() if found}
        if rows:
            # One statement, and one round trip, for all.
            await self._connection.execute(_together(*rows), *rows.values())
        if self._shared:  # after the identifiers: the one that was alone until now may be of this very batch
            await self._connection.execute(_SHARE, *map(list, zip(*sorted(self._shared), strict=True)))
        self._new -= set(new)
        self._touched.clear()
        self._to_compare.clear()
        self._shared.clear()
        self._identifiers.clear()
        self._changes.clear()

    def _waiting(self, contact_id: UUID) -> dict[str, Any]:
        return {"workspace_id": self.views[contact_id].contact.workspace_id, "contact_id": contact_id}


_COMPARED = ("email", "phone", "first_name", "last_name", "company", "custom")
_CONTACT = (
    "id workspace_id email phone first_name last_name company source tags custom flags do_not_contact origins version "
    "created_at updated_at"
)
_COLUMNS = ", ".join(_CONTACT.split())
_SETTERS = ", ".join(f"{name} = t.{name}" for name in _CONTACT.split()[2:])
_BEGIN = f"INSERT INTO contacts ({_COLUMNS}) SELECT {_COLUMNS} FROM jsonb_populate_recordset(NULL::contacts, $1)"  # noqa: S608 - the names above
_ALTER = f"""
    UPDATE contacts SET {_SETTERS} FROM jsonb_populate_recordset(NULL::contacts, $1) AS t
    WHERE contacts.id = t.id AND contacts.workspace_id = t.workspace_id
"""  # noqa: S608 - the names above
_STORE_VIEW = f"""
    WITH altered AS ({_ALTER} RETURNING contacts.workspace_id, contacts.id)
    INSERT INTO to_compare (workspace_id, contact_id) SELECT workspace_id, id FROM altered
"""  # noqa: S608 - the names above
_CHANGE_COLUMNS = (
    "id, workspace_id, contact_id, home_id, version, rule, source, kind, delivery_id, run_id, occurred_at, person, "
    "raw, before, after, note, content, at, import_id, line"
)
_IDENTIFIER_COLUMNS = "workspace_id, kind, value, home_id, contact_id, standing, alias_key, source, created_at"
_TELL = f"""
    INSERT INTO changes ({_CHANGE_COLUMNS})
    SELECT {_CHANGE_COLUMNS} FROM jsonb_populate_recordset(NULL::changes, $1)
"""  # noqa: S608 - the names above
_COMPARE = """
    INSERT INTO to_compare (workspace_id, contact_id)
    SELECT workspace_id, contact_id FROM jsonb_populate_recordset(NULL::to_compare, $1)
"""
_NAME = f"""
    INSERT INTO identifiers ({_IDENTIFIER_COLUMNS})
    SELECT {_IDENTIFIER_COLUMNS} FROM jsonb_populate_recordset(NULL::identifiers, $1)
    ON CONFLICT (workspace_id, kind, value, home_id) DO UPDATE SET standing = excluded.standing
    WHERE identifiers.standing = 'weak'
"""  # noqa: S608 - the names above
_SHARE = """
    UPDATE identifiers SET standing = 'shared'
    FROM unnest($1::uuid[], $2::text[], $3::text[]) AS t (workspace_id, kind, value)
    WHERE identifiers.workspace_id = t.workspace_id AND identifiers.kind = t.kind AND identifiers.value = t.value
      AND identifiers.standing = 'owner'
"""


@cache
def _together(*parts: str) -> str:
    """Return one statement of several that each take one list of rows."""
    *others, last = (part.replace("$1", f"${place}") for place, part in enumerate(parts, 1))
    named = ", ".join(f"part_{place} AS ({part})" for place, part in enumerate(others))
    return f"WITH {named} {last}" if named else last


async def store_view(connection: Connection, view: View) -> None:
    """Store the newest state of one contact."""
    await connection.execute(_STORE_VIEW, [_row(view)])


def _row(view: View) -> dict[str, Any]:
    row = {name: getattr(view.contact, name) for name in Contact.__dataclass_fields__}
    return {**row, "origins": {name: tuple(origin) for name, origin in view.origins.items()}}
