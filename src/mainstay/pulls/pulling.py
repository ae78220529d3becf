"""The run that pulls what changed in the system of record, a page a step.

A page is written before its cursor is kept, and what was written is known when it comes again: so a kill in between,
and the minutes by which connectors go back, cost a read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from mainstay.consequences import Cause, Consequences, Routing, Written
from mainstay.db import acquire, transact
from mainstay.db.tallies import add_tallies
from mainstay.identity import ContactWrite, Dropped, Person, Resolution, load_contact, normalise, resolve
from mainstay.model import Lane
from mainstay.pulls import store
from mainstay.pulls.rules import (
    MANY,
    Pull,
    chunks,
    is_as_made,
    is_beside_our_push,
    is_quiet,
    key_of,
    news,
    without_defaults,
)
from mainstay.records import forget_id
from mainstay.runs import begin_run

if TYPE_CHECKING:
    from mainstay.db import Connection, Pool
    from mainstay.engine import StepRunner
    from mainstay.kit import Http, Pulled, PullingCRM
    from mainstay.model import Run
    from mainstay.pulls.store import Standing
    from mainstay.runs import Claimed

RECONCILE = "reconcile.v1"
REMOVED = "contact.removed_there"
MOST_PAGES = 100
"""Pages of one run: the next goes on, so that no history grows without end."""
_AT_ONCE = 25
"""Contacts of one transaction: a lead that is about one of them waits no longer."""
OnMissed = Callable[["Connection", UUID, Pull, int, datetime], Awaitable[None]]


class Systems(Protocol):
    """What the composition root knows of pulls."""

    def routing(self, workspace_id: UUID) -> Routing:
        """Return a workspace's routing."""
        ...

    def pull(self, workspace_id: UUID) -> Pull | None:
        """Return what is pulled; None for nothing."""
        ...

    def pulling_crm(self, workspace_id: UUID, connection: str, http: Http) -> PullingCRM:
        """Return the connection's CRM for one attempt."""
        ...


class Puller:
    """Heals what webhooks miss. ``program`` is what the engine calls for each run.

    ``on_missed`` is told, in the transaction that ends a pull, when webhooks seem to come no more.
    """

    def __init__(self, pool: Pool, systems: Systems, on_missed: OnMissed) -> None:
        self._pool = pool
        self._systems = systems
        self._on_missed = on_missed

    async def begin_due(self, workspace_id: UUID) -> None:
        """Begin the pull whose time has come; of two that try at once, one does."""
        pull = self._systems.pull(workspace_id)
        if pull is None:
            return

        async def work(connection: Connection) -> None:
            if await store.hold_due(connection, workspace_id, pull.connection, pull.every):
                await _begin(connection, workspace_id, pull.connection)

        await transact(self._pool, work)

    async def program(self, steps: StepRunner) -> Sequence[Claimed]:
        """Pull until all was given that had changed."""
        workspace_id, name = steps.run.workspace_id, str(steps.run.input["connection"])
        pull = self._systems.pull(workspace_id)
        if pull is None or pull.connection != name:
            return ()

        async def call(http: Http) -> Mapping[str, Any]:
            return await self._page(steps.run, pull, self._systems.pulling_crm(workspace_id, name, http))

        for _ in range(MOST_PAGES):
            page = await steps.step("crm.pull_contacts", call, connection=name)
            if not page or not page["has_more"]:
                break
        await transact(self._pool, lambda connection: self._judge(connection, workspace_id, pull))
        return ()

    async def _page(self, run: Run, pull: Pull, crm: PullingCRM) -> Mapping[str, Any]:
        name = pull.connection
        async with acquire(self._pool) as connection:
            standing = await store.standing_of(connection, run.workspace_id, name, run.id)
        if standing is None:
            return {"has_more": False}
        pulled = await crm.pull_contacts(standing.cursor)
        told: Counter[str] = Counter()
        fresh, beside = await self._news(run, name, pulled)
        for part in chunks(fresh, _AT_ONCE):
            told += await self._write(run, pull, standing, part, pulled.created, beside)

        async def keep(connection: Connection) -> int:
            gone = await self._forget(connection, run, name, pulled.removed)
            await store.keep_cursor(
                connection, run.workspace_id, name, run.id, pulled.cursor, is_caught_up=not pulled.has_more
            )
            return gone

        gone = await transact(self._pool, keep)
        return {
            "contacts": len(pulled.contacts),
            "new": told["new"],
            "changed": told["changed"],
            "removed": gone,
            "cursor": pulled.cursor,
            "has_more": pulled.has_more,
        }

    async def _news(self, run: Run, name: str, pulled: Pulled) -> tuple[list[Person], set[str]]:
        """Return what we do not know yet, and the ids of those of whom it came with our own push.

        Most of what comes again is known, and costs no more than this look.
        """
        region = self._systems.routing(run.workspace_id).region
        people = [
            normalise(replace(each, connection=name, source=each.source or name), region) for each in pulled.contacts
        ]
        async with acquire(self._pool) as connection:
            known = await store.known(connection, run.workspace_id, name, people)
        found: list[Person] = []
        beside: set[str] = set()
        for person in people:
            said: Person | None = person
            if (ours := known.get(person.external_id)) is not None:
                is_made = ours.is_ours and is_as_made(person, pulled.created.get(person.external_id))
                beyond = without_defaults(person, ours.contact) if is_made else person
                said = news(beyond, ours.contact, ours.former)
                if said is not None and is_beside_our_push(said, ours.contact, ours.pushed_at):
                    beside.add(said.external_id)
            if said is not None:
                found.append(said)
        return found, beside

    async def _write(
        self,
        run: Run,
        pull: Pull,
        standing: Standing,
        people: Sequence[Person],
        created: Mapping[str, datetime],
        beside: Collection[str],
    ) -> Counter[str]:
        routing = self._systems.routing(run.workspace_id)
        loud = Cause(run.workspace_id, routing, pull.connection, run=run, is_apart=True)
        quiet = replace(loud, routing=replace(routing, workflows={}))
        writes = [
            ContactWrite(
                run.workspace_id,
                person,
                pull.connection,
                run_id=run.id,
                kind="crm",
                policy=routing.policy,
                key=key_of(person),
            )
            for person in people
        ]

        async def work(connection: Connection) -> Counter[str]:
            told: Counter[str] = Counter()
            written: list[Written] = []
            brought: list[tuple[UUID, datetime]] = []
            consequences = Consequences()
            for person, resolution in zip(people, await resolve(connection, writes), strict=True):
                if isinstance(resolution, Dropped) or resolution.is_repeated:
                    continue
                created_at = created.get(person.external_id)
                is_old = person.external_id in beside or is_quiet(
                    person, created_at, standing.began_at, is_new=resolution.is_new
                )
                found = Written(quiet if is_old else loud, person, resolution)
                if not _is_change(resolution):
                    await consequences.link(connection, found)
                    continue
                written.append(found)
                told["new" if resolution.is_new else "changed"] += 1
                if not is_old and person.occurred_at:
                    brought.append((resolution.contact.id, datetime.fromisoformat(person.occurred_at)))
            await consequences.of(connection, written)
            await consequences.store(connection)
            if pull.sources:
                await store.note_brought(connection, run.workspace_id, pull.connection, brought)
            if written:
                key = run.workspace_id, f"pull {pull.connection}", "brought"
                await add_tallies(connection, {key: len(written)})
            return told

        return await transact(self._pool, work)

    async def _forget(self, connection: Connection, run: Run, name: str, removed: Sequence[str]) -> int:
        """Let contacts whose records are gone there lead nowhere; ours stay, and what happened is on their pages."""
        if not removed:
            return 0
        lost = await forget_id(connection, run.workspace_id, name, removed)
        cause = Cause(run.workspace_id, self._systems.routing(run.workspace_id), name, run=run, is_apart=True)
        consequences = Consequences()
        for external_id, contact_id in lost.items():
            contact = await load_contact(connection, run.workspace_id, contact_id)
            if contact is not None:
                data = {"connection": name, "external_id": external_id}
                consequences.happened(cause, REMOVED, contact, data)
        await consequences.store(connection)
        return len(lost)

    async def _judge(self, connection: Connection, workspace_id: UUID, pull: Pull) -> None:
        number, since = await store.judge(connection, workspace_id, pull)
        if not number or since is None:
            return
        await add_tallies(connection, {(workspace_id, f"pull {pull.connection}", "missed"): number})
        of_a_day = await store.missed_of_a_day(connection, workspace_id, pull.connection)
        if of_a_day >= MANY and await store.is_silent(connection, workspace_id, pull.sources, since):
            await self._on_missed(connection, workspace_id, pull, of_a_day, since)


def _is_change(resolution: Resolution) -> bool:
    return bool(resolution.is_new or resolution.changed or resolution.merged)


async def _begin(connection: Connection, workspace_id: UUID, name: str) -> None:
    run_id = await begin_run(connection, workspace_id, RECONCILE, {"connection": name}, lane=Lane.BACKFILL)
    await store.own(connection, workspace_id, name, run_id)
