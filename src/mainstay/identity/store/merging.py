"""SQL of merge and un-merge.

A merge moves keys and redirects an id; what was said stays where it was said, so that the contacts, which follow from
it, can be parted again without loss.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.errors import PermanentError
from mainstay.identity.person import Person
from mainstay.identity.rules import DEFAULT, Policy, full_flag
from mainstay.identity.store.keys import StaleReadError, lock
from mainstay.identity.store.reading import (
    count_identifiers,
    keys_of_contact,
    lock_contacts,
    read_means,
    view_from_changes,
)
from mainstay.identity.store.retelling import Story, Word, retell
from mainstay.identity.store.suggesting import follow_merge, reject
from mainstay.identity.survivorship import CHOSEN, CUSTOM, MANUAL, Owners, View, given_up
from mainstay.model import new_id

if TYPE_CHECKING:
    from mainstay.db import Connection, Row
    from mainstay.model import Contact


@dataclass(frozen=True, slots=True)
class Merged:
    """Two contacts that are one now: ``view`` is what became of the survivor, ``by`` who said so (empty: a rule)."""

    merge_id: UUID
    survivor_id: UUID
    merged_id: UUID
    view: View
    changed: tuple[str, ...]
    by: str = ""

    @property
    def contact(self) -> Contact:
        """The survivor."""
        return self.view.contact


@dataclass(frozen=True, slots=True)
class Parted:
    """Two contacts that were one: the one that stayed, and the one that is back."""

    merge_id: UUID
    contact: Contact
    restored: Contact


async def merge(  # noqa: PLR0913 - what a person can say of it
    connection: Connection,
    workspace_id: UUID,
    one_id: UUID,
    other_id: UUID,
    *,
    by: str,
    rule: str = "by hand",
    keep: UUID | None = None,
    note: str = "",
    policy: Policy = DEFAULT,
) -> Merged:
    """Merge two contacts on a person's word, inside the caller's transaction.

    The older id survives (R6). With ``keep``, one of the two, that side's values stand where they differ (R23);
    without, the latest do.

    Raises:
        PermanentError: one of them is not a contact of this workspace, or they are one already.
        StaleReadError: others wrote in between; the transaction is to be done again.
    """
    means = await _hold(connection, workspace_id, one_id, other_id)
    one, other = means[one_id], means[other_id]
    if one.contact.id == other.contact.id:
        raise PermanentError("these two are one contact already")
    kept = means.get(keep) if keep is not None else None
    if keep is not None and kept is None:
        kept = next((view for view in (one, other) if view.contact.id == keep), None)
        if kept is None:
            raise PermanentError(f"{keep} is neither of the two; keep names the one whose values stand")
    survivor, absorbed = sorted((one, other), key=lambda view: view.contact.id)
    return await absorb(
        connection,
        workspace_id,
        survivor.contact.id,
        absorbed.contact.id,
        rule=rule,
        note=note,
        by=by,
        kept=kept,
        policy=policy,
        now=datetime.now(UTC),
    )


async def absorb(  # noqa: PLR0913 - what is kept of it
    connection: Connection,
    workspace_id: UUID,
    survivor_id: UUID,
    absorbed_id: UUID,
    *,
    rule: str,
    now: datetime,
    note: str = "",
    by: str = "",
    kept: View | None = None,
    policy: Policy = DEFAULT,
    change_id: UUID | None = None,
) -> Merged:
    """Merge a contact into an older one; both rows, and the keys that brought them together, are held by the caller.

    ``kept`` is the side whose values stand; without it the rules decide. ``change_id`` is for the change that tells of
    it; without it the change is the latest.
    """
    merge_id = new_id()
    rows = await lock_contacts(connection, {survivor_id, absorbed_id})
    before = rows[survivor_id].contact
    await connection.execute(
        """
        INSERT INTO merges (id, workspace_id, survivor_id, merged_id, rule, by, note, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        merge_id,
        workspace_id,
        survivor_id,
        absorbed_id,
        rule,
        by,
        note,
        now,
    )
    await connection.execute("UPDATE contacts SET merged_into = $2 WHERE id = $1", absorbed_id, survivor_id)
    await connection.execute("UPDATE identifiers SET contact_id = $2 WHERE contact_id = $1", absorbed_id, survivor_id)
    await follow_merge(connection, survivor_id, absorbed_id, by=by or rule)
    story = Story(workspace_id, survivor_id, "merge", by or rule, note, merge_id, now, change_id or new_id())
    words = await _words_of(connection, kept, before, policy.owners) if kept else {}
    flags = tuple(
        full_flag(kind, policy)
        for kind, count in (await count_identifiers(connection, (survivor_id,))).items()
        if count > policy.limit(kind)
    )
    if flags:
        key = Word(survivor_id, CHOSEN)
        words[key] = replace(words.get(key, Person()), flags=flags)
    view, changed = await retell(connection, before, story, policy.owners, words)
    return Merged(merge_id, survivor_id, absorbed_id, view, changed, by)


async def unmerge(
    connection: Connection, workspace_id: UUID, merge_id: UUID, *, by: str, policy: Policy = DEFAULT
) -> Parted:
    """Undo a merge: each side has again what was said about it, before the merge and since (R23).

    The pair is kept as two from now on: neither a write that names both nor a suggestion brings them together again.

    Raises:
        PermanentError: there is no such merge, or it is undone already.
        StaleReadError: others wrote in between; the transaction is to be done again.
    """
    found = await _standing(connection, workspace_id, merge_id)
    root_id, restored_id = found["root"], found["merged_id"]
    keys = await keys_of_contact(connection, workspace_id, (root_id,))
    await lock(connection, keys, (workspace_id,))
    now = datetime.now(UTC)
    held = await connection.fetch(
        "SELECT merged_into, deleted_at FROM contacts WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE",
        [root_id, restored_id],
    )
    if await _standing(connection, workspace_id, merge_id) != found or held[0]["merged_into"] is not None:
        raise StaleReadError("who is who has changed meanwhile")
    if held[0]["deleted_at"] is not None:
        raise PermanentError("the contact is deleted; nothing is left that could be parted")
    # A write that found the one contact by a key of the other waits for that key; the row alone would not tell it.
    if set(await keys_of_contact(connection, workspace_id, (root_id,))) != set(keys):
        raise StaleReadError("the contact was written meanwhile")
    await connection.execute("UPDATE merges SET undone_at = $2, undone_by = $3 WHERE id = $1", merge_id, now, by)
    before = (await lock_contacts(connection, {root_id}))[root_id].contact
    await connection.execute("UPDATE contacts SET merged_into = NULL WHERE id = $1", restored_id)
    await connection.execute(
        """
        UPDATE identifiers SET contact_id = $2
        WHERE contact_id = $1 AND home_id IN (SELECT contact_group($2))
        """,
        root_id,
        restored_id,
    )
    await reject(connection, workspace_id, found["survivor_id"], restored_id, rule="un-merge", by=by)
    there = (await lock_contacts(connection, {restored_id}))[restored_id].contact
    told = [
        Story(workspace_id, contact_id, "un-merge", by, note, merge_id, now)
        for contact_id, note in ((root_id, f"parted from {restored_id}"), (restored_id, f"parted from {root_id}"))
    ]
    stayed, _ = await retell(connection, before, told[0], policy.owners)
    restored, _ = await retell(connection, there, told[1], policy.owners)
    return Parted(merge_id, stayed.contact, restored.contact)


async def _standing(connection: Connection, workspace_id: UUID, merge_id: UUID) -> Row:
    row = await connection.fetchrow(
        "SELECT survivor_id, merged_id, undone_at, surviving(survivor_id) AS root FROM merges "
        "WHERE id = $1 AND workspace_id = $2",
        merge_id,
        workspace_id,
    )
    if row is None:
        raise PermanentError(f"there is no merge {merge_id}")
    if row["undone_at"] is not None:
        raise PermanentError("this merge is undone already")
    return row


async def _hold(connection: Connection, workspace_id: UUID, one_id: UUID, other_id: UUID) -> dict[UUID, View]:
    """Lock two contacts.

    Their keys need no lock: a write that found one of the two by a key waits for its row, and sees that it is merged.
    """
    await lock(connection, (), (workspace_id,))
    means = await read_means(connection, [(one_id, workspace_id), (other_id, workspace_id)])
    for asked in (one_id, other_id):
        if asked not in means:
            raise PermanentError(f"there is no contact {asked}")
    views = await lock_contacts(connection, set(means.values()))
    if await read_means(connection, [(one_id, workspace_id), (other_id, workspace_id)]) != means:
        raise StaleReadError("a merge was undone meanwhile")
    return {asked: views[found] for asked, found in means.items()}


async def _words_of(connection: Connection, kept: View, before: Contact, owners: Owners) -> dict[Word, Person]:
    """Return what has to be said again for the chosen side to stand.

    Said again where it was said: should an older merge be undone, its side takes its own words along. Against a value
    that was set by hand it is said by hand, by whoever merges.
    """
    both = await view_from_changes(connection, before, owners)
    fields = given_up(kept, both)
    if not fields:
        return {}
    rows = await connection.fetch(
        "SELECT id::text, home_id FROM changes WHERE id = ANY($1::uuid[])",
        [kept.origins[name].change for name in fields if name in kept.origins],
    )
    homes = {row["id"]: row["home_id"] for row in rows}
    said: dict[Word, dict[str, Any]] = {}
    for name, text in fields.items():
        kind = MANUAL if name in both.origins and both.origins[name].is_held else CHOSEN
        home_id = homes[kept.origins[name].change] if name in kept.origins else kept.contact.id
        # Of two values that a field's owner said, the chosen side's is its word once more; against any other it stands.
        owner = owners.get(name, "") if name in kept.origins and kept.origins[name].is_owners else ""
        values = said.setdefault(Word(home_id, kind, owner), {"connection": owner})
        if name.startswith(CUSTOM):
            values.setdefault("custom", {})[name.removeprefix(CUSTOM)] = text
        else:
            values[name] = text
    return {key: Person(**values) for key, values in said.items()}
