"""SQL of the one path by which contacts are written, for many writes in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.errors import PermanentError
from mainstay.identity.person import Person, said_at
from mainstay.identity.rules import (
    EMAIL,
    FLAG_SHARED,
    NEW,
    PHONE,
    Bridge,
    BridgeFacts,
    Hits,
    Known,
    Match,
    Policy,
    full_flag,
    match,
    of_copy,
    why_not_one,
    wish_of,
)
from mainstay.identity.store.batch import Batch
from mainstay.identity.store.keys import CONTACT, CONTENT, ID, Key, keys_of, locks_of
from mainstay.identity.store.merging import Merged, absorb
from mainstay.identity.store.overruling import over_hand
from mainstay.identity.store.reading import (
    Erased,
    Keyring,
    Owner,
    count_identifiers,
    external_ids,
    is_opted_out,
    known_of,
    read_identifiers,
    read_keys,
)
from mainstay.identity.store.suggesting import is_rejected, open_suggestion
from mainstay.identity.store.write import (
    SAME,
    ChangedMeanwhileError,
    ContactWrite,
    Dropped,
    Resolution,
    by_policy,
    content_of,
    without,
)
from mainstay.identity.survivorship import Said, View, differences, fold
from mainstay.model import Contact, new_id

if TYPE_CHECKING:
    from mainstay.db import Connection

BY_ID = "id"


async def annotate(
    connection: Connection,
    workspace_id: UUID,
    contact_id: UUID,
    person: Person,
    *,
    source: str,
    key: str = "",
    run_id: UUID | None = None,
) -> Contact:
    """Write to a contact that is known by our own id: tags, fields, or a note; ``run_id`` is of the run that does.

    With a ``key``, a second call with the same key writes nothing.

    Raises:
        PermanentError: there is no such contact in this workspace.
        StaleReadError: a merge came in between; the transaction is to be done again.
    """
    write = ContactWrite(workspace_id, person, source, run_id=run_id, contact_id=contact_id, key=key)
    (resolution,) = await resolve(connection, [write])
    if isinstance(resolution, Dropped):
        raise PermanentError(resolution.reason)
    return resolution.contact


async def resolve(connection: Connection, writes: Sequence[ContactWrite]) -> list[Resolution | Dropped]:
    """Find or make the contact of each write, in order, inside the caller's transaction.

    Exact under concurrency: every key of the batch is locked first, in one order, until the commit; whoever else
    writes about one of these people waits, in this process and in any other.

    Raises:
        StaleReadError: a merge came in between; the transaction is to be done again.
        PermanentError: a ``contact_id`` names no contact of its workspace.
    """
    writes = [by_policy(write) for write in writes]
    keys = keys_that_find(writes)
    shared, locks = locks_of(keys, {write.workspace_id for write in writes})
    writing = Writing(connection, await read_keys(connection, keys, shared=shared, locks=locks))
    resolutions = [await writing.write(write) for write in writes]
    await writing.batch.flush()
    return resolutions


def keys_that_find(writes: Sequence[ContactWrite]) -> set[Key]:
    """Return the keys that have to be read before these writes can be carried out."""
    keys: set[Key] = set()
    for write in writes:
        keys.update(keys_of(write.workspace_id, write.person))
        if write.contact_id is not None:
            keys.add((write.workspace_id, CONTACT, str(write.contact_id)))
        if content := content_of(write):
            keys.add((write.workspace_id, CONTENT, content.hex()))
    return keys


class Writing:
    """One transaction's writes: what is known, what is to be stored. Their keys are held by the caller."""

    def __init__(self, connection: Connection, keyring: Keyring) -> None:
        self.connection = connection
        self._owners = keyring.owners
        self._erased = keyring.erased
        self._now = datetime.now(UTC)
        self._held: dict[UUID, set[tuple[str, str]]] | None = None
        self._attached: list[tuple[UUID, str, str]] = []
        self._learned: dict[UUID, set[tuple[str, str]]] = {}
        self.batch = Batch(connection, self._now, keyring.views)

    async def write(self, write: ContactWrite) -> Resolution | Dropped:
        """Carry out one write, as its policy has it; what it alters is stored with the batch."""
        person, foreign = of_copy(write.person, write.policy)
        if person is None:
            return Dropped(foreign)
        workspace_id = write.workspace_id
        content = content_of(write)
        content_key = (workspace_id, CONTENT, content.hex() if content else "")
        if known := self._owners.get(content_key):
            contact = self.batch.views[known[0].contact_id].contact
            return Resolution(contact, contact.id, SAME, is_new=False)
        at = said_at(person, self.received_at(write))
        erased = [(key, self._erased[key]) for key in keys_of(workspace_id, person) if key in self._erased]
        for _, known_erased in erased:
            if known_erased.at is not None and known_erased.at > at:
                when = known_erased.at.isoformat(timespec="seconds")
                return Dropped(f"the contact was deleted at {when}, after this", is_of_deleted=True)
        found = self._find(write, person)
        unless = write.unless_known if found.contact else ""
        heard, foreign = wish_of(person, unless) if unless else (person, foreign)
        if heard is None:
            return Dropped(foreign)
        person = heard
        note = "; ".join(filter(None, (foreign, found.note, *person.notes)))
        merged: list[Merged] = []
        suggestions: list[UUID] = []
        contact_id = found.contact.id if found.contact else None
        home_id = write.contact_id or self._home(workspace_id, person, found.rule, contact_id)
        for bridge in found.bridges:
            reason, contact_id = await self._cross(write, person, contact_id, bridge, merged, suggestions)
            if reason:
                person, note = without(person, bridge.kind, note, reason)
        if contact_id is None:
            contact_id = home_id = self.new_contact_id(write)
            self.batch.begin(Contact(contact_id, workspace_id, version=0, created_at=at, updated_at=at))
        home_id = home_id or contact_id
        opted_out = self._opted_out(erased, contact_id)
        person = await self._attach(write, person, contact_id, home_id, found)
        view = self.batch.views[contact_id]
        wish = await self._wish(person, contact_id, home_id, at, opted_out)
        said = Said(self.new_change_id(write), at, write.kind, person)
        said = await over_hand(self.connection, self.batch, view, write, said)
        folded = fold(view, said, write.policy.owners)
        contact = replace(folded.contact, do_not_contact=wish)
        before, after = differences(view.contact, contact)
        is_new = view.contact.version == 0
        if after or is_new:
            contact = replace(contact, version=contact.version + 1)
        self.batch.put(View(contact, folded.origins), is_touched=folded is not view)
        # Also where nothing changed: that a person wrote again is part of their story, and values follow from it.
        self.batch.change(write, said, contact, home_id, found.rule, before, after, note, content)
        if content:
            self._owners[content_key] = [Owner(contact_id, home_id)]
        return Resolution(
            contact,
            home_id,
            found.rule,
            is_new,
            tuple(after),
            note,
            tuple(merged),
            tuple(suggestions),
            person.flags,
            said.change_id,
        )

    def _opted_out(self, erased: Sequence[tuple[Key, Erased]], contact_id: UUID) -> datetime | None:
        """Return the last opt-out of those who are deleted and had a write's keys, but for its contact's own keys."""
        return max(
            (
                known.opted_out_at
                for key, known in erased
                if known.opted_out_at and all(owner.contact_id != contact_id for owner in self._owners.get(key, ()))
            ),
            default=None,
        )

    def received_at(self, _write: ContactWrite) -> datetime:
        """Return when a write was received: later than all that were written before it."""
        return datetime.now(UTC)

    def new_contact_id(self, _write: ContactWrite) -> UUID:
        """Return the id of the contact that a write begins."""
        return new_id()

    def new_change_id(self, _write: ContactWrite) -> UUID:
        """Return the id of what a write says of a contact: later than all that was said of it before."""
        return new_id()

    def new_merge_change_id(self, _write: ContactWrite, _number: int) -> UUID:
        """Return the id of what the merge says that a write brings about, its ``number``-th from 1."""
        return new_id()

    def _find(self, write: ContactWrite, person: Person) -> Match:
        if write.contact_id is not None:
            means = self._owners.get((write.workspace_id, CONTACT, str(write.contact_id)))
            if not means:
                message = f"there is no contact {write.contact_id}"
                raise PermanentError(message)
            contact = self.batch.views[means[0].contact_id].contact
            if write.seen is not None and (contact.id, contact.version) not in write.seen:
                raise ChangedMeanwhileError(contact)
            known = known_of(contact)
            return Match(known, BY_ID, match(person, replace(self._hits(write, person), external=known)).bridges)
        return match(person, self._hits(write, person), write.policy)

    def _hits(self, write: ContactWrite, person: Person) -> Hits:
        def owners(kind: str, value: str) -> list[Known]:
            found = self._owners.get((write.workspace_id, kind, value), ()) if value else ()
            ids = dict.fromkeys(owner.contact_id for owner in found)
            return [known_of(self.batch.views[contact_id].contact) for contact_id in ids]

        external = owners(f"{ID}{person.connection}", person.external_id)
        email = owners(EMAIL, person.email) if person.identifies(EMAIL) else []
        phone = owners(PHONE, person.phone) if person.identifies(PHONE) else []
        return Hits(external[0] if external else None, email[0] if email else None, phone)

    def _home(self, workspace_id: UUID, person: Person, rule: str, contact_id: UUID | None) -> UUID | None:
        """Return to whom the write goes back when a merge is undone: to whom the key belongs that it was matched by."""
        if rule == NEW:
            return contact_id
        matched: dict[str, Key] = {
            "external id": (workspace_id, f"{ID}{person.connection}", person.external_id),
            EMAIL: (workspace_id, EMAIL, person.email),
        }
        key = matched.get(rule, (workspace_id, PHONE, person.phone))
        homes = [owner.home_id for owner in self._owners.get(key, ()) if owner.contact_id == contact_id]
        # A phone that people shared before they were merged has several: the oldest, whatever order they are read in.
        return min(homes, default=contact_id)

    async def _cross(
        self,
        write: ContactWrite,
        person: Person,
        contact_id: UUID | None,
        bridge: Bridge,
        merged: list[Merged],
        suggestions: list[UUID],
    ) -> tuple[str, UUID | None]:
        """Merge what a write shows to be one person, or ask; returns why not, and the contact the write is about."""
        if contact_id is None or bridge.other.id == contact_id or bridge.other.id not in self.batch.views:
            return "", contact_id
        await self.batch.flush()
        one, other = self.batch.views[contact_id].contact, self.batch.views[bridge.other.id].contact
        facts = BridgeFacts(
            await self._external_ids(one.id),
            await self._external_ids(other.id),
            await is_rejected(self.connection, one.id, other.id),
            await count_identifiers(self.connection, (one.id, other.id)),
        )
        reason = why_not_one(person, known_of(one), replace(bridge, other=known_of(other)), facts, write.policy)
        if reason:
            named = "e-mail" if bridge.kind == PHONE else "id"
            opened = await open_suggestion(
                self.connection,
                write.workspace_id,
                one.id,
                other.id,
                rule="bridge",
                reasons=[
                    f"one write names both, one by {named}, the other by {bridge.kind}; {reason}",
                ],
            )
            if opened is not None:
                suggestions.append(opened)
            return reason, contact_id
        survivor, absorbed = sorted((one.id, other.id))
        merge = await absorb(
            self.connection,
            write.workspace_id,
            survivor,
            absorbed,
            rule="bridge",
            note=f"{write.source}: one write names both",
            now=self._now,
            change_id=self.new_merge_change_id(write, len(merged) + 1),
            policy=write.policy,
        )
        merged.append(merge)
        self.batch.views.pop(absorbed)
        self.batch.views[survivor] = merge.view
        self._attached = [(survivor if each == absorbed else each, kind, value) for each, kind, value in self._attached]
        if self._held is not None:
            self._held.setdefault(survivor, set()).update(self._held.pop(absorbed, ()))
        self._learned.setdefault(survivor, set()).update(self._learned.pop(absorbed, ()))
        for key, owners in self._owners.items():
            self._owners[key] = [
                replace(owner, contact_id=survivor) if owner.contact_id == absorbed else owner for owner in owners
            ]
        return "", survivor

    async def _attach(
        self, write: ContactWrite, person: Person, contact_id: UUID, home_id: UUID, found: Match
    ) -> Person:
        """Give the contact the keys that nobody has; returns the person without weight where a key names nobody."""
        for kind in (EMAIL, PHONE):
            value = getattr(person, kind)
            if not value:
                continue
            key = (write.workspace_id, kind, value)
            owners = self._owners.setdefault(key, [])
            if any(owner.contact_id == contact_id for owner in owners):
                continue
            standing = "owner"
            if kind in person.weak:
                standing = "weak"
            elif owners and kind == PHONE and found.shares_phone:
                standing = "shared"
                self.batch.share(key)
                person = replace(person, flags=(*person.flags, FLAG_SHARED))
            elif await self._is_full(write.policy, contact_id, kind):
                standing = "weak"
                person = replace(
                    person, weak=(*person.weak, kind), flags=(*person.flags, full_flag(kind, write.policy))
                )
            if standing != "weak":
                owners.append(Owner(contact_id, home_id, standing))
                self._attached.append((contact_id, kind, value))
                if self._held is not None:
                    self._held.setdefault(contact_id, set()).add((kind, value))
            alias = person.alias_key if kind == EMAIL else ""
            self.batch.identifier(key, home_id, contact_id, standing, alias, write.source)
        if person.external_id and person.connection:
            key = (write.workspace_id, f"{ID}{person.connection}", person.external_id)
            if key not in self._owners:
                self._owners[key] = [Owner(contact_id, home_id)]
                self._learned.setdefault(contact_id, set()).add((person.connection, person.external_id))
        return person

    async def _external_ids(self, contact_id: UUID) -> dict[str, frozenset[str]]:
        """Return the ids that systems gave a contact; those of this transaction are stored by whoever called it."""
        ids = await external_ids(self.connection, contact_id)
        for system, external_id in self._learned.get(contact_id, ()):
            ids[system] = ids.get(system, frozenset()) | {external_id}
        return ids

    async def _is_full(self, policy: Policy, contact_id: UUID, kind: str) -> bool:
        if self.batch.views[contact_id].contact.version == 0:
            return False
        if self._held is None:
            self._held = await read_identifiers(self.connection, list(self.batch.views))
            for attached, *key in self._attached:
                self._held.setdefault(attached, set()).add((key[0], key[1]))
        return sum(held == kind for held, _ in self._held.get(contact_id, ())) >= policy.limit(kind)

    async def _wish(
        self, person: Person, contact_id: UUID, home_id: UUID, at: datetime, erased_opt_out: datetime | None
    ) -> bool:
        """Return whether the contact is not to be contacted (R12): an opt-out stands until a later consent."""
        contact = self.batch.views[contact_id].contact
        opt_out = max(filter(None, (at if person.do_not_contact else None, erased_opt_out)), default=None)
        if opt_out is None and not person.consent:
            return contact.do_not_contact
        consent = at if person.consent else None
        await self.batch.flush(also=contact_id)
        # On the row that it was said of, whatever that is merged into: undoing the merge gives each side its own back.
        if opt_out is not None:
            await self.connection.execute(
                "UPDATE contacts SET opted_out_at = greatest(opted_out_at, $2) WHERE id = $1", home_id, opt_out
            )
        if consent is not None:
            await self.connection.execute(
                "UPDATE contacts SET consented_at = greatest(consented_at, $2) WHERE id = $1", home_id, consent
            )
        return await is_opted_out(self.connection, contact_id)
