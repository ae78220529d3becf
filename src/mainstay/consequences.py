"""What follows from a write about a contact, whoever made it: for the system of record, waiting runs and workflows.

In the transaction of the write, so that neither is there without the other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.engine.turns import Turns
from mainstay.identity import DEFAULT_POLICY, Merged, Parted, Person, Policy, Resolution
from mainstay.model import CANARY, Contact, Lane, Run, new_id
from mainstay.records import Adopted, Ownership, Pushing, Want, follow_merge, follow_unmerge, link, want
from mainstay.records.merging import MERGE_ELSEWHERE
from mainstay.records.store import PUSH
from mainstay.runs import (
    Claimed,
    NewRun,
    add_runs,
    event_as_seen,
    move_turns,
    move_waits,
    return_turns,
    return_waits,
    wake,
)
from mainstay.telemetry import traceparent

if TYPE_CHECKING:
    from mainstay.db import Connection

SUBMITTED = "contact.submitted"
CREATED = "contact.created"
UPDATED = "contact.updated"
MERGED = "contact.merged"
UNMERGED = "contact.unmerged"
_OF_A_LEAD = frozenset({SUBMITTED, CREATED, UPDATED})
"""Of these the contact says it all; each lead has them, so what else they hold is not kept with each run."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Routing:
    """Where a workspace's contacts go.

    ``system_of_record`` is the connection to push to, empty when Mainstay's own store is the system of record;
    ``workflows`` maps an event type to the names of the workflows it starts; ``policy`` is how people are told apart.
    ``merge_elsewhere`` says which merges are carried to the connections that can merge, ``merging_systems``: ``never``,
    those ``by hand``, or ``always``. ``turns`` says how the runs of each workflow take turns, by the time of ``clock``.
    ``sync`` are the workflows whose caller may wait for the result. ``records`` says which system is right about each
    other type of record. ``mirrors`` are the connections of CRMs that are fed, and have no word on a known contact.
    ``forwarding`` are the connections to which an edit by hand of what they own is sent, ``deleting`` those in which a
    contact is deleted that is deleted here.
    """

    system_of_record: str
    workflows: Mapping[str, Sequence[str]]
    region: str
    policy: Policy = DEFAULT_POLICY
    merge_elsewhere: str = "by hand"
    merging_systems: frozenset[str] = frozenset()
    turns: Mapping[str, Turns] = field(default_factory=dict)
    clock: Callable[[], datetime] = _utc_now
    sync: frozenset[str] = frozenset()
    records: Mapping[str, Ownership] = field(default_factory=dict)
    mirrors: frozenset[str] = frozenset()
    forwarding: Collection[str] = ()
    deleting: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Cause:
    """What a write came from. ``run`` is the run that drives what follows; without one it goes on the queue.

    Where a caller waits (``is_awaited``), ``run`` drives what it waits for alone: the rest goes on the queue as well.
    ``besides`` is a workflow that no event starts here, as the caller starts it by its name. What ``is_apart`` begins
    nothing that ``run`` drives: all goes on the queue, in its lane. ``trace`` is the work that the write is part of.
    """

    workspace_id: UUID
    routing: Routing
    source: str
    delivery_id: UUID | None = None
    run: Run | None = None
    is_awaited: bool = False
    besides: str = ""
    is_apart: bool = False
    trace: str = field(default_factory=traceparent)

    @property
    def lane(self) -> Lane:
        """In which lane goes what begins here: in that of what it came from."""
        return self.run.lane if self.run else Lane.LEAD

    def driver_of(self, workflow: str) -> Run | None:
        """Return the run that drives a workflow which begins here."""
        is_elsewhere = self.is_apart or (self.is_awaited and workflow not in self.routing.sync)
        return None if is_elsewhere else self.run


@dataclass(frozen=True, slots=True)
class Written:
    """A write that was carried out. ``event`` is what it meant to its sender, ``contact.submitted`` or another type."""

    cause: Cause
    person: Person
    resolution: Resolution
    event: str = SUBMITTED
    data: Mapping[str, Any] = field(default_factory=dict)


class Consequences:
    """What a transaction's writes bring about, gathered over all of them, then stored in one go."""

    def __init__(self) -> None:
        self.following: dict[UUID, list[Claimed]] = {}
        self._runs: list[NewRun] = []
        self._queued: list[NewRun] = []
        self._events: list[tuple[Any, ...]] = []
        self._wakes: list[tuple[UUID, str, UUID | None, Mapping[str, Any]]] = []
        self._now = datetime.now(UTC)
        self._executions: dict[Lane, str] = {}

    async def of(self, connection: Connection, written: Sequence[Written]) -> None:
        """Take up writes, in order."""
        for each in written:
            for merged in each.resolution.merged:
                await self.of_merge(connection, each.cause, merged)
            # Between the merges: whether an id is a contact's own in a system depends on what came first.
            await self.link(connection, each)
        written = _as_they_ended(written)
        newest = {each.resolution.contact.id: (each.cause, each.resolution.contact) for each in written}
        await self._push(connection, [newest[contact_id] for contact_id in self._to_push(written)])
        for each in written:
            self._happened(each)

    async def of_merge(self, connection: Connection, cause: Cause, merged: Merged) -> None:
        """Let what leads to the merged contact lead to the survivor."""
        both = await follow_merge(connection, cause.workspace_id, merged.survivor_id, merged.merged_id)
        if cause.routing.merge_elsewhere == "always" or (cause.routing.merge_elsewhere == "by hand" and merged.by):
            for system, (survivor, other) in both.items():
                if system in cause.routing.merging_systems:
                    ids = {"connection": system, "survivor": survivor, "merged": other}
                    self._start(cause, MERGE_ELSEWHERE, ids, new_id(), merged.contact, None)
        await move_waits(connection, merged.merged_id, merged.survivor_id)
        await move_turns(connection, cause.workspace_id, merged.merged_id, merged.survivor_id)
        data = {"merge_id": str(merged.merge_id), "merged_id": str(merged.merged_id), "changed": list(merged.changed)}
        self.happened(cause, MERGED, merged.contact, data)

    async def of_hand(self, connection: Connection, cause: Cause, contacts: Sequence[Contact]) -> None:
        """Tell the system of record of contacts as they are now."""
        await self._push(connection, [(cause, contact) for contact in contacts])

    async def of_unmerge(self, connection: Connection, cause: Cause, parted: Parted) -> None:
        """Give the restored contact its own ids back, and tell the systems of both."""
        await follow_unmerge(connection, cause.workspace_id, parted.contact.id, parted.restored.id)
        await return_waits(connection, parted.contact.id, parted.restored.id)
        await return_turns(connection, cause.workspace_id, parted.contact.id, parted.restored.id)
        await self.of_hand(connection, cause, (parted.contact, parted.restored))
        for contact, other in ((parted.contact, parted.restored), (parted.restored, parted.contact)):
            self.happened(cause, UNMERGED, contact, {"merge_id": str(parted.merge_id), "other_id": str(other.id)})

    def happened(self, cause: Cause, kind: str, contact: Contact | None, data: Mapping[str, Any]) -> None:
        """Write one event, and begin the workflows that it starts."""
        event_id = new_id()
        contact_id = contact.id if contact else None
        if kind != SUBMITTED:
            row = (
                event_id,
                cause.workspace_id,
                kind,
                contact_id,
                cause.source,
                cause.delivery_id,
                dict(data),
                self._now,
            )
            self._events.append(row)
        self._wakes.append((cause.workspace_id, kind, contact_id, event_as_seen(kind, event_id, data)))
        for workflow in cause.routing.workflows.get(kind, ()):
            if workflow == cause.besides:
                continue
            about: dict[str, Any] = {"contact": contact.to_json()} if contact else {"subject": None}
            if kind not in _OF_A_LEAD:
                about["event"] = dict(data)
            self._start(cause, workflow, about, new_id(), contact, event_id, said=data)

    async def store(self, connection: Connection) -> None:
        """Store what was gathered."""
        if self._runs:
            begun = await add_runs(
                connection, self._runs, claims={c.run.id: c.run.claim for f in self.following.values() for c in f}
            )
            if len(begun) < len(self._runs):
                self.following = {
                    by: [each for each in following if each.run.id in begun] for by, following in self.following.items()
                }
        if self._queued and (begun := await add_runs(connection, self._queued)):
            for lane in {run.lane for run in self._queued if run.id in begun}:
                await connection.execute("SELECT enqueue_execution($1, NULL, $2)", self._executions[lane], lane)
        if self._events:
            await connection.executemany(
                """
                INSERT INTO events (id, workspace_id, type, contact_id, source, delivery_id, data, at)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                """,
                self._events,
            )
        if self._wakes:
            await wake(connection, self._wakes)

    def _happened(self, each: Written) -> None:
        resolution = each.resolution
        if each.event != SUBMITTED:
            self.happened(each.cause, each.event, resolution.contact, each.data)
        data = {"source": each.cause.source, "rule": resolution.rule, "changed": list(resolution.changed)}
        self.happened(each.cause, SUBMITTED, resolution.contact, data)
        if resolution.is_new or resolution.changed:
            self.happened(each.cause, CREATED if resolution.is_new else UPDATED, resolution.contact, data)

    @staticmethod
    def _to_push(written: Sequence[Written]) -> Sequence[UUID]:
        wanted: dict[UUID, None] = {}
        for each in written:
            resolution, system = each.resolution, each.cause.routing.system_of_record
            is_news = resolution.is_new or resolution.changed or resolution.merged
            if system and is_news and not _knows_already(each.person, resolution.contact, system):
                wanted[resolution.contact.id] = None
        return list(wanted)

    @staticmethod
    async def link(connection: Connection, written: Written) -> None:
        """Note the id that the system which sent a write has for its contact."""
        person, contact = written.person, written.resolution.contact
        if person.external_id and person.connection and not written.resolution.is_repeated:
            adopted = Adopted(
                contact.workspace_id,
                written.resolution.home_id,
                person.connection,
                person.external_id,
                version=contact.version,
            )
            await link(connection, [(adopted, contact.id)])

    async def _push(self, connection: Connection, contacts: Sequence[tuple[Cause, Contact]]) -> None:
        about = {contact.id: (cause, contact) for cause, contact in contacts if cause.routing.system_of_record}
        if not about:
            return
        wants = [
            Want(contact.workspace_id, contact.id, contact.version, cause.routing.system_of_record)
            for cause, contact in about.values()
        ]
        for pushing in await want(connection, wants):
            self._begin_push(pushing, *about[pushing.want.record_id])

    def _begin_push(self, pushing: Pushing, cause: Cause, contact: Contact) -> None:
        """Begin a push with the newest state of this transaction at hand, so that it need not be read again."""
        if pushing.run_id is None:
            return
        data = {
            "contact_id": str(contact.id),
            "connection": pushing.want.connection,
            "version": contact.version,
            "external_id": pushing.external_id,
        }
        self._start(cause, PUSH, data, pushing.run_id, contact, None)

    def _start(
        self,
        cause: Cause,
        workflow: str,
        data: Mapping[str, Any],
        run_id: UUID,
        contact: Contact | None,
        event_id: UUID | None,
        *,
        said: Mapping[str, Any] | None = None,
    ) -> None:
        driver = cause.driver_of(workflow)
        if cause.run is not None and cause.run.is_canary:
            data = {**data, CANARY: True}
        shared = self._executions.setdefault(cause.lane, str(new_id()))
        execution_id = driver.execution_id if driver else shared
        run = NewRun(
            run_id,
            cause.workspace_id,
            workflow,
            data,
            execution_id,
            cause.delivery_id,
            event_id,
            contact.id if contact else None,
            cause.lane,
            trace=cause.trace,
        )
        if (turns := cause.routing.turns.get(workflow)) is not None:
            now = cause.routing.clock()
            turn, deadline_at = turns.turn(contact, said or {}, now), turns.deadline_at(now)
            run = replace(run, turn=turn, deadline_at=deadline_at)
        if driver is None:
            self._queued.append(run)
            return
        begins = replace(
            driver,
            id=run_id,
            workflow=workflow,
            input=data,
            event_id=event_id,
            contact_id=run.contact_id,
            created_at=self._now,
            taken_over=False,
            deadline_at=run.deadline_at,
        )
        self._runs.append(run)
        self.following.setdefault(driver.id, []).append(Claimed(begins, known=contact, trace=run.trace))


def _as_they_ended(written: Sequence[Written]) -> Sequence[Written]:
    """Return the writes with their contacts: one that a later write of the same transaction merged is its survivor."""
    became = {merged.merged_id: merged.contact for each in written for merged in each.resolution.merged}
    if not became:
        return written
    newest = {each.resolution.contact.id: each.resolution.contact for each in written}
    ended = []
    for each in written:
        contact = each.resolution.contact
        while contact.id in became:
            contact = newest[became[contact.id].id] if became[contact.id].id in newest else became[contact.id]
        ended.append(replace(each, resolution=replace(each.resolution, contact=contact)))
    return ended


def _knows_already(person: Person, contact: Contact, system: str) -> bool:
    """Tell whether the system of record itself sent exactly what the contact now is: an echo needs no push."""
    return (
        person.connection == system
        and bool(person.external_id)
        and all(
            getattr(person, name) == getattr(contact, name)
            for name in ("email", "phone", "first_name", "last_name", "company")
        )
    )
