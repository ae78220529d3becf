"""The run that pulls the records of one type that changed in their system of record, a page a step.

What a page says is written with the events that follow from it, and with its last part the cursor. What webhooks
brought already is no news, and begins nothing; what a pull told first is noted, so that a webhook which comes late
tells it to nobody again (:mod:`mainstay.records.telling`). So of pull and webhook whoever comes first begins the
workflows.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from mainstay.consequences import SUBMITTED, Cause, Consequences, Routing, Written
from mainstay.db import acquire, transact
from mainstay.db.tallies import add_tallies
from mainstay.identity import ContactWrite, Dropped, Resolution, load_contacts, normalise, resolve
from mainstay.model import Lane
from mainstay.pulls import store
from mainstay.pulls.rules import LATE, MANY, RecordPull, chunks, is_old, key_of, what_happened
from mainstay.records import Heard, Ownership, Told, Word, judge_told, keep, note_told
from mainstay.runs import begin_run

if TYPE_CHECKING:
    from mainstay.db import Connection, Pool
    from mainstay.engine import StepRunner
    from mainstay.identity import Person
    from mainstay.kit import Http, PulledRecord, PulledRecords, PullingRecords
    from mainstay.model import RecordState, RecordType, Run
    from mainstay.pulls.store import Standing
    from mainstay.runs import Claimed

RECONCILE_RECORDS = "reconcile-records.v1"
MOST_PAGES = 100
"""Pages of one run: the next goes on, so that no history grows without end."""
_AT_ONCE = 25
"""Records of one transaction: a delivery that is about one of them waits no longer."""
OnMissed = Callable[["Connection", UUID, RecordPull, int, datetime], Awaitable[None]]
OnLost = Callable[["Connection", UUID, RecordPull, datetime, datetime], Awaitable[None]]


class RecordSystems(Protocol):
    """What the composition root knows of pulls of records."""

    def routing(self, workspace_id: UUID) -> Routing:
        """Return a workspace's routing."""
        ...

    def record_pulls(self, workspace_id: UUID) -> Mapping[RecordType, RecordPull]:
        """Return what is pulled."""
        ...

    def vendor(self, workspace_id: UUID, connection: str, role: str, http: Http) -> Any:
        """Return a connection's object for a role, for one attempt."""
        ...


class RecordPuller:
    """Heals what webhooks of records miss. ``program`` is what the engine calls for each run.

    ``on_missed`` is told, in the transaction that ends a pull, when webhooks seem to come no more; ``on_lost``, in the
    one that keeps the cursor, from when to when changes are not to be had any more.
    """

    def __init__(self, pool: Pool, systems: RecordSystems, on_missed: OnMissed, on_lost: OnLost) -> None:
        self._pool = pool
        self._systems = systems
        self._on_missed = on_missed
        self._on_lost = on_lost

    async def begin_due(self, workspace_id: UUID) -> None:
        """Begin the pulls whose time has come; of two that try at once, one does."""
        for pull in self._systems.record_pulls(workspace_id).values():
            await self._begin_if_due(workspace_id, pull)

    async def _begin_if_due(self, workspace_id: UUID, pull: RecordPull) -> None:
        name, kind = pull.connection, pull.kind

        async def work(connection: Connection) -> None:
            if await store.hold_due(connection, workspace_id, name, pull.every, kind):
                about = {"connection": name, "type": kind}
                run_id = await begin_run(connection, workspace_id, RECONCILE_RECORDS, about, lane=Lane.BACKFILL)
                await store.own(connection, workspace_id, name, run_id, kind)

        await transact(self._pool, work)

    async def program(self, steps: StepRunner) -> Sequence[Claimed]:
        """Pull until all was given that had changed."""
        run = steps.run
        pull = next((each for kind, each in self._pulls(run) if kind == run.input["type"]), None)
        if pull is None or pull.connection != run.input["connection"]:
            return ()
        asked: RecordPull = pull

        async def call(http: Http) -> Mapping[str, Any]:
            return await self._page(
                run, asked, self._systems.vendor(run.workspace_id, asked.connection, asked.role, http)
            )

        for _ in range(MOST_PAGES):
            page = await steps.step(f"{pull.role}.pull_records", call, connection=pull.connection)
            if not page or not page["has_more"]:
                break
        await transact(self._pool, lambda connection: self._judge(connection, run.workspace_id, asked))
        return ()

    def _pulls(self, run: Run) -> list[tuple[RecordType, RecordPull]]:
        return list(self._systems.record_pulls(run.workspace_id).items())

    async def _page(self, run: Run, pull: RecordPull, system: PullingRecords) -> Mapping[str, Any]:
        async with acquire(self._pool) as connection:
            standing = await store.standing_of(connection, run.workspace_id, pull.connection, run.id, pull.kind)
        if standing is None:
            return {"has_more": False}
        pulled = await system.pull_records(pull.kind, standing.cursor)
        parts = list(chunks(pulled.records, _AT_ONCE)) or [()]
        news = 0
        for number, part in enumerate(parts):
            last = pulled if number == len(parts) - 1 else None
            news += await self._write(run, pull, standing, part, last)
        return {"records": len(pulled.records), "news": news, "cursor": pulled.cursor, "has_more": pulled.has_more}

    async def _write(
        self,
        run: Run,
        pull: RecordPull,
        standing: Standing,
        part: Sequence[PulledRecord],
        last: PulledRecords | None,
    ) -> int:
        """Write a part of a page, the ``last`` with the page's cursor; returns how many records were news."""
        said = [(each, each.event.record.canonical()) for each in part if each.event.record is not None]

        async def work(connection: Connection) -> int:
            news = await _Part(run, pull, standing, self._systems.routing(run.workspace_id)).write(connection, said)
            if last is not None:
                await store.keep_cursor(
                    connection,
                    run.workspace_id,
                    pull.connection,
                    run.id,
                    last.cursor,
                    is_caught_up=not last.has_more,
                    kind=pull.kind,
                )
                if last.lost is not None:
                    await self._on_lost(connection, run.workspace_id, pull, *last.lost)
            return news

        return await transact(self._pool, work)

    async def _judge(self, connection: Connection, workspace_id: UUID, pull: RecordPull) -> None:
        number, since = await judge_told(connection, workspace_id, pull.connection, pull.kind, LATE)
        if not number or since is None:
            return
        await add_tallies(connection, {(workspace_id, f"pull {pull.connection}", "missed"): number})
        of_a_day = await store.missed_of_a_day(connection, workspace_id, pull.connection)
        if of_a_day >= MANY and await store.is_silent(connection, workspace_id, pull.sources, since):
            await self._on_missed(connection, workspace_id, pull, of_a_day, since)


Said = tuple["PulledRecord", "RecordState"]


class _Part:
    """What is written in one transaction."""

    def __init__(self, run: Run, pull: RecordPull, standing: Standing, routing: Routing) -> None:
        self._run, self._pull, self._standing, self._routing = run, pull, standing, routing
        self._cause = Cause(run.workspace_id, routing, pull.connection, run=run, is_apart=True)
        self._consequences = Consequences()
        self._written: list[Written] = []
        self._told: list[Told] = []

    async def write(self, connection: Connection, said: Sequence[Said]) -> int:
        """Keep the words, tell what they mean; returns how many were news."""
        people = await self._people(connection, said)
        heard = await keep(connection, [self._word(state, people.get(at)) for at, (_, state) in enumerate(said)])
        whom = await load_contacts(connection, {each.contact_id for each in heard if each.contact_id})
        for at, ((pulled, state), found) in enumerate(zip(said, heard, strict=True)):
            events = self._events(pulled, state, found)
            person, resolution = people.get(at, (None, None))
            if person is not None and resolution is not None:
                said_first = events[0] if events else SUBMITTED
                self._written.append(Written(self._cause, person, resolution, said_first, pulled.event.data))
                events = events[1:]
            contact = whom.get(found.contact_id) if found.contact_id else None
            for event in events:
                self._consequences.happened(self._cause, event, contact, pulled.event.data)
        await self._consequences.of(connection, self._written)
        await self._consequences.store(connection)
        if self._pull.sources:
            await note_told(connection, self._told)
        if news := sum(each.is_news for each in heard):
            key = self._run.workspace_id, f"pull {self._pull.connection}", "brought"
            await add_tallies(connection, {key: news})
        return news

    def _events(self, pulled: PulledRecord, state: RecordState, heard: Heard) -> tuple[str, ...]:
        if not heard.is_news or is_old(pulled, self._standing.began_at, is_new=heard.is_new):
            return ()
        exact = (pulled.event.type,) if pulled.event.type else ()
        events = exact or what_happened(heard, state, self._pull.by_status)
        if at := state.changed_at:
            of = self._run.workspace_id, self._pull.connection, state.type, heard.record_id
            self._told += [Told(*of, event, at) for event in events]
        return events

    def _word(self, state: RecordState, about: tuple[Person, Resolution] | None) -> Word:
        return Word(
            self._run.workspace_id,
            self._pull.connection,
            state,
            self._routing.records.get(state.type, Ownership()),
            self._pull.connection,
            about[1].contact.id if about else None,
            run_id=self._run.id,
        )

    async def _people(self, connection: Connection, said: Sequence[Said]) -> Mapping[int, tuple[Person, Resolution]]:
        """Return who is behind records of whose contact nothing is known, by their place, made as a webhook makes them.

        Identity's locks come before those of records, here as where deliveries are processed.
        """
        asked = {
            at: replace(submission, connection=self._pull.connection, source=submission.source or self._pull.connection)
            for at, (pulled, _) in enumerate(said)
            if (submission := pulled.event.submission) is not None
            and not is_old(pulled, self._standing.began_at, is_new=True)
        }
        known = await store.records_of_somebody(
            connection, self._run.workspace_id, self._pull.connection, [said[at][1] for at in asked]
        )
        people = {
            at: normalise(submission, self._routing.region)
            for at, submission in asked.items()
            if said[at][1].external_id not in known
        }
        writes = [
            ContactWrite(
                self._run.workspace_id,
                person,
                self._pull.connection,
                run_id=self._run.id,
                kind="crm",
                policy=self._routing.policy,
                key=key_of(person),
            )
            for person in people.values()
        ]
        found = await resolve(connection, writes)
        return {
            at: (person, resolution)
            for (at, person), resolution in zip(people.items(), found, strict=True)
            if not isinstance(resolution, Dropped)
        }
