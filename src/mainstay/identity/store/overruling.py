"""SQL that tells what a system of record says anew of a value that was set by hand from what it has not heard yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.identity import survivorship
from mainstay.identity.survivorship import CUSTOM, Said

if TYPE_CHECKING:
    from mainstay.db import Connection
    from mainstay.identity.person import Person
    from mainstay.identity.store.batch import Batch
    from mainstay.identity.store.write import ContactWrite
    from mainstay.identity.survivorship import View

CRM = "crm"
"""The kind of what a system says as it changes; what a list of it says may be old."""


async def over_hand(connection: Connection, batch: Batch, view: View, write: ContactWrite, said: Said) -> Said:
    """Return what a write says, and where it takes the place of what was set by hand: the later word of its system.

    What the contact was before it was set by hand is none: the system may not have had that yet when it said so.
    """
    system = write.policy.system_of_record
    if not system or said.person.connection != system or write.kind != CRM:
        return said
    fields = survivorship.over_hand(view, said, write.policy.owners)
    if not fields:
        return said
    await batch.flush()
    since = [UUID(view.origins[name].change) for name in fields]
    old = await _former(connection, view.contact.id, system, since, said.at)
    news = tuple(name for name in fields if not any(_said(said.person, name) == _in(each, name) for each in old))
    return replace(said, person=replace(said.person, over_hand=news)) if news else said


async def _former(
    connection: Connection, contact_id: UUID, system: str, since: Sequence[UUID], at: datetime
) -> list[Mapping[str, Any]]:
    """Return what a contact was before changes that a system had not got for sure when it said something."""
    rows = await connection.fetch(
        """
        SELECT before FROM changes
        LEFT JOIN crosswalk AS there ON there.workspace_id = changes.workspace_id AND there.record_type = 'contact'
             AND there.record_id = $1 AND there.connection = $2
        WHERE changes.contact_id = $1 AND changes.id >= $3 AND before <> '{}'
          AND NOT (kind = 'crm' AND person ->> 'connection' = $2)
          AND (there.pushed_version IS NULL OR changes.version > there.pushed_version OR there.updated_at >= $4)
        ORDER BY changes.id DESC LIMIT 100
        """,
        contact_id,
        system,
        min(since),
        at,
    )
    return [row["before"] for row in rows]


def _said(person: Person, name: str) -> str:
    custom = name.removeprefix(CUSTOM)
    return (person.custom or {}).get(custom, "") if custom != name else str(getattr(person, name))


def _in(before: Mapping[str, Any], name: str) -> str | None:
    custom = name.removeprefix(CUSTOM)
    return (before.get("custom") or {}).get(custom) if custom != name else before.get(name)
