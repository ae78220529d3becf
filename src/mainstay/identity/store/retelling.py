"""SQL that lets a contact follow anew from all that is said of it: after a merge, an undoing, or of new owners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from mainstay.errors import PermanentError
from mainstay.identity.person import Person, person_from_json, person_to_json
from mainstay.identity.store.batch import store_view
from mainstay.identity.store.keys import lock
from mainstay.identity.store.reading import is_opted_out, lock_contacts, view_from_changes
from mainstay.identity.survivorship import CHOSEN, MANUAL, Owners, View, differences
from mainstay.model import Contact, new_id

if TYPE_CHECKING:
    from mainstay.db import Connection

UNDO = "undo"
OWNERS = "owners"
"""The rules of changes that tell of what was taken back, and of a new owner of fields."""


class Word(NamedTuple):
    """What is said with a story: of which contact, of which kind, and for which connection; empty for none."""

    home_id: UUID
    kind: str
    connection: str = ""


@dataclass(frozen=True, slots=True)
class Story:
    """The change that tells why a contact was told anew. ``merge_id`` is of the merge that it was, or was undone."""

    workspace_id: UUID
    contact_id: UUID
    rule: str
    by: str
    note: str
    merge_id: UUID | None
    at: datetime
    id: UUID = field(default_factory=new_id)


async def retell(
    connection: Connection,
    before: Contact,
    story: Story,
    owners: Owners,
    words: Mapping[Word, Person] | None = None,
) -> tuple[View, tuple[str, ...]]:
    """Let a contact follow anew from all that is said of it now, and note what that altered.

    ``words`` are said with it.
    """
    own = Word(story.contact_id, CHOSEN)
    for word, person in {own: Person(), **(words or {})}.items():
        await connection.execute(
            _TELL,
            story.id if word == own else new_id(),
            story.workspace_id,
            story.contact_id,
            word.home_id,
            before.version + 1,
            story.rule,
            story.by,
            word.kind,
            story.merge_id,
            story.at,
            person_to_json(person),
            story.note,
        )
    told = await _as_told(connection, before, owners)
    view = replace(told, contact=replace(told.contact, version=before.version + 1))
    await store_view(connection, view)
    was, became = differences(before, view.contact)
    await connection.execute("UPDATE changes SET before = $2, after = $3 WHERE id = $1", story.id, was, became)
    return view, tuple(became)


async def _as_told(connection: Connection, before: Contact, owners: Owners) -> View:
    view = await view_from_changes(connection, before, owners)
    contact = replace(
        view.contact,
        do_not_contact=await is_opted_out(connection, before.id),
        created_at=view.contact.created_at or before.created_at,
        updated_at=view.contact.updated_at or before.updated_at,
    )
    return replace(view, contact=contact)


@dataclass(frozen=True, slots=True)
class TakenBack:
    """A contact after a change to it was taken back, and the fields that are as they were before, or as said since."""

    contact: Contact
    changed: tuple[str, ...]


async def take_back(
    connection: Connection, workspace_id: UUID, change_id: UUID, *, by: str, owners: Owners
) -> TakenBack:
    """Let what was set by hand in one change count no more; what was said of the fields besides stands again.

    Raises:
        PermanentError: there is no such change by hand, it is taken back already, or its contact is deleted.
        StaleReadError: others wrote in between; the transaction is to be done again.
    """
    row = await connection.fetchrow(
        """
        SELECT surviving(home_id) AS contact_id, kind, undone_at, person FROM changes
        WHERE id = $1 AND workspace_id = $2
        """,
        change_id,
        workspace_id,
    )
    if row is None or row["kind"] != MANUAL:
        raise PermanentError("there is no such change by hand")
    if row["undone_at"] is not None:
        raise PermanentError("it is taken back already")
    said = person_from_json(row["person"])
    if said.do_not_contact or said.consent:
        raise PermanentError("whether somebody may be contacted is not taken back: say it anew")
    view = await _hold(connection, workspace_id, row["contact_id"])
    now = datetime.now(UTC)
    done = await connection.execute(
        "UPDATE changes SET undone_at = $2, undone_by = $3 WHERE id = $1 AND undone_at IS NULL", change_id, now, by
    )
    if done == "UPDATE 0":
        raise PermanentError("it is taken back already")
    story = Story(workspace_id, view.contact.id, UNDO, by, "", None, now)
    stored, changed = await retell(connection, view.contact, story, owners)
    return TakenBack(stored.contact, changed)


async def _hold(connection: Connection, workspace_id: UUID, contact_id: UUID) -> View:
    """Lock a contact. Its keys need no lock: a write that found it by one waits for its row."""
    await lock(connection, (), (workspace_id,))
    is_deleted = await connection.fetchval("SELECT deleted_at IS NOT NULL FROM contacts WHERE id = $1", contact_id)
    if is_deleted is not False:
        raise PermanentError("the contact is deleted")
    return (await lock_contacts(connection, {contact_id}))[contact_id]


async def follow_owners(
    connection: Connection, workspace_id: UUID, contact_ids: Sequence[UUID], *, note: str, owners: Owners
) -> list[Contact]:
    """Let contacts follow anew because the owners of fields are others; returns those whose values changed.

    Raises:
        StaleReadError: one of them was merged or deleted in between; the transaction is to be done again.
    """
    if not contact_ids:
        return []
    await lock(connection, (), (workspace_id,))
    views = await lock_contacts(connection, set(contact_ids))
    now, changed = datetime.now(UTC), []
    for contact_id in contact_ids:
        known = views[contact_id]
        told = await _as_told(connection, known.contact, owners)
        was, _ = differences(known.contact, told.contact)
        if was:
            story = Story(workspace_id, contact_id, OWNERS, "the stack", note, None, now)
            changed.append((await retell(connection, known.contact, story, owners))[0].contact)
        elif told.origins != known.origins:
            # The same value, on another's word: no news to anybody.
            await store_view(connection, replace(told, contact=known.contact))
    return changed


_TELL = """
    INSERT INTO changes (id, workspace_id, contact_id, home_id, version, rule, source, kind, merge_id, occurred_at,
                         person, before, after, note, at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, '{}', '{}', $12, $10)
"""
