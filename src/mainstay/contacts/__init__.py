"""What people and programs do with contacts: the verbs behind the API, the pages and the commands.

Each is one transaction: who is who, and what follows from it, are committed together.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from uuid import UUID

import orjson

from mainstay.consequences import Cause, Consequences, Routing, Written
from mainstay.contacts.answers import (
    Outcome,
    Request,
    answers_before,
    forget_old_keys,
    keep_answers,
    outcome_of,
    outcome_to_json,
    same,
)
from mainstay.contacts.by_hand import BY_HAND, by_owner, fields_of, person_by_hand, refusal
from mainstay.contacts.forwarding import begin_forwarding
from mainstay.db import GroupCommit, Write, transact
from mainstay.errors import PermanentError
from mainstay.identity import (
    IDENTITY,
    ChangedMeanwhileError,
    ContactWrite,
    Dropped,
    Erased,
    Merged,
    Parted,
    Person,
    Resolution,
    TakenBack,
    answer_of,
    ask_again,
    decide,
    erase,
    is_rejected,
    load_contact,
    merge,
    normalise,
    of_copy,
    pair_of,
    person_to_json,
    resolve,
    take_back,
    take_back_rejection,
    unmerge,
)
from mainstay.model import Submission
from mainstay.records import forget
from mainstay.records.deleting import delete_elsewhere
from mainstay.records.erasing import erase_traces

if TYPE_CHECKING:
    from mainstay.db import Connection, Pool

__all__ = ["BY_HAND", "Contacts", "Outcome", "forget_old_keys", "outcome_of", "outcome_to_json"]

Result = TypeVar("Result")


Also = Callable[["Connection", Resolution], Awaitable[object]]
"""What is done in the transaction of an edit."""


class Routings(Protocol):
    """What the composition root knows of every workspace."""

    def routing(self, workspace_id: UUID) -> Routing:
        """Return a workspace's routing."""
        ...


class Contacts:
    """The verbs. ``by`` is who does it, for the record."""

    def __init__(self, pool: Pool, commit: GroupCommit, workspaces: Routings) -> None:
        self._pool = pool
        self._commit = commit
        self._workspaces = workspaces
        self._write: Write[Request, Outcome] = Write("write contacts", 21, self._write_all, locks=IDENTITY)

    async def write(
        self,
        workspace_id: UUID,
        submission: Submission,
        *,
        source: str = "api",
        kind: str = "form",
        key: str = "",
        besides: str = "",
    ) -> Outcome:
        """Write what a program says about one person. A repeated ``key`` gives the first answer again.

        ``besides`` is a workflow that this does not start, as the caller starts it by its name.

        Raises:
            MalformedError: no one can be recognised by it.
            ConflictError: the key was used for another write.
            PermanentError: a mirror says it, or another system is right about a field that is set by hand.
        """
        routing = self._workspaces.routing(workspace_id)
        person = normalise(replace(submission, source=submission.source or source), routing.region, is_name_enough=True)
        _check_is_theirs(person, kind, routing)
        write = ContactWrite(workspace_id, person, source, kind=kind, policy=routing.policy)
        said = orjson.dumps([source, kind, person_to_json(person)], option=orjson.OPT_SORT_KEYS)
        return await self._commit(self._write, Request(workspace_id, write, key, sha256(said).digest(), besides))

    async def edit(  # noqa: PLR0913 - what a person can say of it
        self,
        workspace_id: UUID,
        contact_id: UUID,
        values: Mapping[str, str],
        *,
        by: str,
        tags: Sequence[str] = (),
        do_not_contact: bool = False,
        consent: str = "",
        seen: Collection[tuple[UUID, int]] | None = None,
        also: Also | None = None,
    ) -> Resolution:
        """Set values by hand; an empty one clears the field. They change only by hand from then on (R9).

        ``tags`` are added; ``do_not_contact`` is an opt-out, which ``consent``, the evidence of one, lifts. ``seen``
        holds the (contact, version) that the edit goes by; None for whatever they are. ``also`` is done in the same
        transaction, with what came of it. A field that another system owns is sent there, if the stack forwards.

        Raises:
            ChangedMeanwhileError: the contact is in none of the states in ``seen``.
            PermanentError: there is no such contact, a value cannot be what its field says, or another system owns it.
        """
        routing = self._workspaces.routing(workspace_id)
        wish = Submission(tags=tuple(tags), do_not_contact=do_not_contact, consent=consent)
        own, sent = by_owner(values, routing.policy.owners, routing.forwarding)
        person = person_by_hand(own, wish, routing.region)
        forwarded = {owner: person_by_hand(said, Submission(), routing.region) for owner, said in sent.items()}
        is_all_sent = bool(sent) and not (own or tags or do_not_contact or consent)

        async def work(connection: Connection) -> Resolution:
            resolution = await (look if is_all_sent else write)(connection)
            for owner, said in forwarded.items():
                await begin_forwarding(connection, workspace_id, resolution.contact.id, owner, said, by=by)
            resolution = replace(
                resolution, forwarded=tuple((name, owner) for owner, said in sent.items() for name in said)
            )
            if also is not None:
                await also(connection, resolution)
            return resolution

        async def look(connection: Connection) -> Resolution:
            contact = await load_contact(connection, workspace_id, contact_id)
            if contact is None:
                message = f"there is no contact {contact_id}"
                raise PermanentError(message)
            if seen is not None and (contact.id, contact.version) not in seen:
                raise ChangedMeanwhileError(contact)
            return Resolution(contact, contact.id, "id", is_new=False)

        async def write(connection: Connection) -> Resolution:
            write = ContactWrite(
                workspace_id, person, by, kind="manual", policy=routing.policy, contact_id=contact_id, seen=seen
            )
            (resolution,) = await resolve(connection, [write])
            if isinstance(resolution, Dropped):
                raise PermanentError(resolution.reason)
            cause = Cause(workspace_id, routing, by)
            await _store(connection, lambda c: c.of(connection, [Written(cause, person, resolution)]))
            return resolution

        return await transact(self._pool, work)

    async def take_back(
        self,
        workspace_id: UUID,
        change_id: UUID,
        *,
        by: str,
        also: Callable[[Connection], Awaitable[Any]] | None = None,
    ) -> TakenBack:
        """Let what was set by hand in one change count no more: what was said besides, before and since, stands again.

        ``also`` is done in the same transaction.

        Raises:
            PermanentError: there is no such change by hand, it is taken back already, or its contact is deleted.
        """
        routing = self._workspaces.routing(workspace_id)

        async def work(connection: Connection) -> TakenBack:
            back = await take_back(connection, workspace_id, change_id, by=by, owners=routing.policy.owners)
            cause = Cause(workspace_id, routing, by)
            await _store(connection, lambda c: c.of_hand(connection, cause, (back.contact,)))
            if also is not None:
                await also(connection)
            return back

        return await transact(self._pool, work)

    async def merge(
        self, workspace_id: UUID, one_id: UUID, other_id: UUID, *, by: str, keep: UUID | None = None
    ) -> Merged:
        """Merge two contacts on a person's word; with ``keep``, that side's values stand where they differ.

        Raises:
            PermanentError: one of them is not a contact of this workspace, or they are one already.
        """

        async def work(connection: Connection) -> Merged:
            policy = self._workspaces.routing(workspace_id).policy
            merged = await merge(connection, workspace_id, one_id, other_id, by=by, keep=keep, policy=policy)
            await self._follow(connection, workspace_id, by, merged)
            return merged

        return await transact(self._pool, work)

    async def merge_unless_rejected(
        self, workspace_id: UUID, one_id: UUID, other_id: UUID, *, rule: str, note: str = ""
    ) -> Merged:
        """Merge two contacts that a rule takes for one; what follows is the same as on a person's word.

        Raises:
            PermanentError: a person has said that they are two; one of them is gone, or they are one already.
        """

        async def work(connection: Connection) -> Merged:
            routing = self._workspaces.routing(workspace_id)
            merged = await merge(
                connection, workspace_id, one_id, other_id, by="", rule=rule, note=note, policy=routing.policy
            )
            # Both are held by now: nobody can part or reject them until the commit.
            if await is_rejected(connection, merged.survivor_id, merged.merged_id):
                raise PermanentError("a person has said that they are two")
            await self._follow(connection, workspace_id, rule, merged)
            return merged

        return await transact(self._pool, work)

    async def unmerge(self, workspace_id: UUID, merge_id: UUID, *, by: str, is_verdict: bool = True) -> Parted:
        """Undo a merge; the two stay two from then on, unless it is no verdict about them (``is_verdict``).

        Raises:
            PermanentError: there is no such merge, or it is undone already.
        """

        async def work(connection: Connection) -> Parted:
            policy = self._workspaces.routing(workspace_id).policy
            parted = await unmerge(connection, workspace_id, merge_id, by=by, policy=policy)
            if not is_verdict:
                await take_back_rejection(connection, merge_id)
            cause = Cause(workspace_id, self._workspaces.routing(workspace_id), by)
            await _store(connection, lambda c: c.of_unmerge(connection, cause, parted))
            return parted

        return await transact(self._pool, work)

    async def accept(self, workspace_id: UUID, suggestion_id: UUID, *, by: str, keep: UUID | None = None) -> Merged:
        """Merge the two contacts of a suggestion.

        Raises:
            PermanentError: there is no such suggestion, or it is decided already.
        """

        async def work(connection: Connection) -> Merged:
            one_id, other_id = await pair_of(connection, workspace_id, suggestion_id)
            merged = await merge(
                connection,
                workspace_id,
                one_id,
                other_id,
                by=by,
                keep=keep,
                rule="suggestion accepted",
                policy=self._workspaces.routing(workspace_id).policy,
            )
            await decide(connection, workspace_id, suggestion_id, state="accepted", by=by)
            await self._follow(connection, workspace_id, by, merged)
            return merged

        return await transact(self._pool, work)

    async def reject(self, workspace_id: UUID, suggestion_id: UUID, *, by: str) -> None:
        """Keep the two contacts of a suggestion as two, for good.

        Raises:
            PermanentError: there is no such suggestion, or it is decided already.
        """

        async def work(connection: Connection) -> None:
            await decide(connection, workspace_id, suggestion_id, state="rejected", by=by)

        await transact(self._pool, work)

    async def reopen(self, workspace_id: UUID, suggestion_id: UUID, *, by: str) -> Parted | None:
        """Take back the answer to a suggestion: what it merged is parted again, and the question is open again.

        Raises:
            PermanentError: there is no such suggestion, or no answer, or what it merged was parted or deleted since.
        """

        async def work(connection: Connection) -> Parted | None:
            answer = await answer_of(connection, workspace_id, suggestion_id)
            parted = None
            if answer.state == "accepted":
                if answer.merge_id is None:
                    raise PermanentError("the two contacts are not merged with each other any more")
                routing = self._workspaces.routing(workspace_id)
                parted = await unmerge(connection, workspace_id, answer.merge_id, by=by, policy=routing.policy)
                cause = Cause(workspace_id, routing, by)
                await _store(connection, lambda c: c.of_unmerge(connection, cause, parted))
            await ask_again(connection, workspace_id, suggestion_id)
            return parted

        return await transact(self._pool, work)

    async def delete(self, workspace_id: UUID, contact_id: UUID) -> Erased:
        """Delete a contact and what was kept of it here, and begin to delete its copies; what stays is named.

        Raises:
            PermanentError: there is no such contact in this workspace.
        """

        async def work(connection: Connection) -> Erased:
            erased = await erase(connection, workspace_id, contact_id)
            await erase_traces(connection, workspace_id, erased.group, erased.delivery_ids)
            # Behind the runs: a push that was noting an id has done so by now, or will not.
            elsewhere = await forget(connection, workspace_id, erased.group)
            deleting = self._workspaces.routing(workspace_id).deleting
            begun = await delete_elsewhere(connection, workspace_id, erased.contact_id, elsewhere, deleting)
            return replace(erased, elsewhere=tuple(elsewhere), begun=begun)

        return await transact(self._pool, work)

    async def _follow(self, connection: Connection, workspace_id: UUID, by: str, merged: Merged) -> None:
        cause = Cause(workspace_id, self._workspaces.routing(workspace_id), by)

        async def take(consequences: Consequences) -> None:
            await consequences.of_merge(connection, cause, merged)
            await consequences.of_hand(connection, cause, (merged.contact,))

        await _store(connection, take)

    async def _write_all(self, connection: Connection, requests: Sequence[Request]) -> list[Outcome | Exception]:
        given = await answers_before(connection, requests)
        fresh: dict[int, Request] = {}
        first: dict[tuple[UUID, str], int] = {}
        for place, request in enumerate(requests):
            if given[place] is None:
                known = first.setdefault((request.workspace_id, request.key), place) if request.key else place
                if known == place:
                    fresh[place] = request
        resolutions = await resolve(connection, [request.write for request in fresh.values()])
        written = []
        for (place, request), resolution in zip(fresh.items(), resolutions, strict=True):
            given[place] = outcome_of(resolution)
            if not isinstance(resolution, Dropped):
                cause = Cause(
                    request.workspace_id,
                    self._workspaces.routing(request.workspace_id),
                    request.write.source,
                    besides=request.besides,
                )
                written.append(Written(cause, request.write.person, resolution))
        await _store(connection, lambda c: c.of(connection, written))
        await keep_answers(connection, [(fresh[place], given[place]) for place in fresh])
        for place, request in enumerate(requests):
            if given[place] is None:
                earlier = first[request.workspace_id, request.key]
                given[place] = same(request, fresh[earlier].digest, given[earlier])
        return [answer for answer in given if answer is not None]


async def _store(connection: Connection, take: Callable[[Consequences], Awaitable[Any]]) -> None:
    consequences = Consequences()
    await take(consequences)
    await consequences.store(connection)


def _check_is_theirs(person: Person, kind: str, routing: Routing) -> None:
    taken, reason = of_copy(person, routing.policy)
    if taken is None:
        raise PermanentError(reason)
    owners = routing.policy.owners
    if kind == "manual" and (owned := next((name for name in fields_of(person) if name in owners), "")):
        raise PermanentError(refusal(owned, owners[owned]))
