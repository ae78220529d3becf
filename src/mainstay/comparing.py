"""The comparing that follows a write, in the background: who may be the same person under other identifiers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from mainstay.contacts import Contacts
from mainstay.db import acquire, transact
from mainstay.errors import DatabaseUnavailableError, PermanentError
from mainstay.identity import open_suggestion
from mainstay.identity.likeness import (
    ALIAS,
    ALWAYS,
    BookFrequencies,
    Learned,
    Likely,
    Waiting,
    are_outdated,
    candidates,
    compare,
    count_frequencies,
    done,
    hold,
    learn_from_reviews,
    learned_of,
    likely_enough,
    note_compared,
    read_frequencies,
    record_of,
    set_aside,
    take,
)
from mainstay.identity.suggestions.traits import Traits, read

if TYPE_CHECKING:
    from mainstay.consequences import Routing
    from mainstay.db import Connection, Pool
    from mainstay.identity.suggestions.columns import Frequencies
    from mainstay.model import Contact

log = logging.getLogger(__name__)

AT_ONCE = 8
SUGGESTION = "suggestion"
"""The rule of a merge that nobody was asked about."""
_IDLE_SECONDS = 1.0
_AWAY_SECONDS = 5.0
_LEARN_SECONDS = 20.0
_BUSY_RUNS = 20
_BUSY_SECONDS = 2.0


class Workspaces(Protocol):
    """What the composition root knows of the workspaces that it serves."""

    @property
    def workspaces(self) -> Collection[UUID]:
        """All of them."""
        ...

    def routing(self, workspace_id: UUID) -> Routing:
        """Return a workspace's routing."""
        ...


@dataclass(frozen=True, slots=True)
class _Book:
    """What a contact of a workspace is judged by."""

    routing: Routing
    known: Frequencies
    learned: Learned


class Comparer:
    """Compares what was written with the book, opens suggestions, and merges where the stack says from when.

    Any number may work on one database. What is under way when a process is killed is done again by another.
    """

    def __init__(self, pool: Pool, contacts: Contacts, workspaces: Workspaces) -> None:
        self._pool = pool
        self._contacts = contacts
        self._workspaces = workspaces
        self._frequencies: dict[UUID, BookFrequencies] = {}
        self._learn_at = 0.0

    async def run(self) -> None:
        """Compare until cancelled. Leads go first: while many runs wait, it takes little, and seldom."""
        while True:
            pause = _IDLE_SECONDS
            try:
                if await self.learn_when_due():
                    continue
                if await self.compare_some():
                    pause = _BUSY_SECONDS if await self._is_busy() else 0.0
            except DatabaseUnavailableError:
                pause = _AWAY_SECONDS
            except Exception:
                # What cannot be compared must not keep the rest from it, nor the worker from its runs.
                log.exception("comparing failed")
                pause = _AWAY_SECONDS
            await asyncio.sleep(pause)

    async def compare_some(self, most: int = AT_ONCE) -> int:
        """Compare up to ``most`` of what was written, in one transaction; returns how many rows of the queue it took.

        What is likely enough to be merged without a person is merged thereafter, each pair by itself.
        """
        served = list(self._workspaces.workspaces)
        async with acquire(self._pool) as connection:
            waiting = await connection.fetch(
                "SELECT DISTINCT workspace_id FROM (SELECT workspace_id FROM to_compare WHERE workspace_id = ANY($1) "
                "ORDER BY id LIMIT $2) AS first",
                served,
                most,
            )
        for row in waiting:
            await self._count_when_outdated(row["workspace_id"])
        taken = 0

        async def work(connection: Connection) -> None:
            nonlocal taken
            some = await take(connection, served, most)
            taken = sum(len(each.places) for each in some)
            await self._open(connection, list(zip(some, await self.likely(connection, some), strict=True)))
            for workspace_id in {each.workspace_id for each in some}:
                await note_compared(connection, workspace_id, sum(each.workspace_id == workspace_id for each in some))
            await done(connection, some)

        if waiting:
            await transact(self._pool, work)
        for row in waiting:
            await self.merge_likely(row["workspace_id"])
        return taken

    async def learn_when_due(self) -> bool:
        """Learn from what was decided, now and then; returns whether anything was learned."""
        if time.monotonic() < self._learn_at:
            return False
        self._learn_at = time.monotonic() + _LEARN_SECONDS
        learned = False
        for workspace_id in list(self._workspaces.workspaces):
            learned |= await self.learn(workspace_id) is not None
        return learned

    async def learn(self, workspace_id: UUID) -> Learned | None:
        """Learn from a workspace's decisions where ten more were made."""
        return await transact(self._pool, lambda connection: learn_from_reviews(connection, workspace_id))

    async def merge_likely(self, workspace_id: UUID) -> int:
        """Merge the open suggestions that reach what the stack sets; returns how many. Off unless it sets it (R18)."""
        least = self._workspaces.routing(workspace_id).policy.auto_merge
        merged = 0
        while least <= 1:
            async with acquire(self._pool) as connection:
                likely = await likely_enough(connection, workspace_id, least, besides=ALWAYS)
            if not likely:
                break
            for suggestion in likely:
                try:
                    await self._contacts.merge_unless_rejected(
                        workspace_id, suggestion.one_id, suggestion.other_id, rule=SUGGESTION
                    )
                    merged += 1
                except PermanentError as error:
                    log.warning("the suggestion %s was not merged: %s", suggestion.id, error)
                    async with acquire(self._pool) as connection:
                        await set_aside(connection, suggestion.id)
        return merged

    async def _is_busy(self) -> bool:
        async with acquire(self._pool) as connection:
            waiting = await connection.fetchval(
                """
                SELECT count(*) FROM (SELECT FROM runs WHERE workspace_id = ANY($1) AND state IN ('queued', 'running')
                                      LIMIT $2) AS capped
                """,
                list(self._workspaces.workspaces),
                _BUSY_RUNS,
            )
        return bool(waiting >= _BUSY_RUNS)

    async def _count_when_outdated(self, workspace_id: UUID) -> None:
        async with acquire(self._pool) as connection:
            if not await are_outdated(connection, workspace_id):
                return
        await transact(self._pool, lambda connection: count_frequencies(connection, workspace_id))

    async def likely(self, connection: Connection, waiting: Sequence[Waiting]) -> list[list[Likely]]:
        """Return, for each contact that was written, who may be the same person, the likeliest first."""
        books = {
            workspace_id: await self._book(connection, workspace_id)
            for workspace_id in {each.workspace_id for each in waiting}
        }
        return [await self._likely_of(connection, each, books[each.workspace_id]) for each in waiting]

    async def _book(self, connection: Connection, workspace_id: UUID) -> _Book | None:
        routing = self._workspaces.routing(workspace_id)
        known = await read_frequencies(connection, workspace_id, self._frequencies.get(workspace_id))
        if routing.policy.suggest > 1 or known is None:
            return None
        self._frequencies[workspace_id] = known
        return _Book(routing, known.known, await learned_of(connection, workspace_id))

    @staticmethod
    async def _likely_of(connection: Connection, waiting: Waiting, book: _Book | None) -> list[Likely]:
        found = await candidates(connection, waiting) if book is not None else None
        if found is None or book is None or not found[1]:
            return []
        contact, agreeing = found
        aliases = {each.contact.id for each in agreeing if ALIAS in each.rules}

        def judge() -> list[Likely]:
            others = {each.contact.id: _traits(each.contact, book.routing) for each in agreeing}
            least, one = book.routing.policy.suggest, _traits(contact, book.routing)
            return compare(one, others, aliases, book.known, least=least, learned=book.learned)

        try:
            return await asyncio.to_thread(judge)
        except Exception:
            # One contact that cannot be judged must not keep all that were written after it from being compared.
            log.exception("the contact %s could not be compared", waiting.contact_id)
            return []

    @staticmethod
    async def _open(connection: Connection, found: Sequence[tuple[Waiting, Sequence[Likely]]]) -> None:
        pairs = {
            (min(one.contact_id, each.contact_id), max(one.contact_id, each.contact_id)): (one.workspace_id, each)
            for one, likely in found
            for each in likely
        }
        stand = await hold(connection, {contact_id for pair in pairs for contact_id in pair}) if pairs else set()
        for (one_id, other_id), (workspace_id, each) in sorted(pairs.items()):
            if one_id in stand and other_id in stand:
                await open_suggestion(
                    connection,
                    workspace_id,
                    one_id,
                    other_id,
                    rule=each.rule,
                    reasons=each.reasons,
                    score=each.score,
                    model_score=each.model_score,
                )


def _traits(contact: Contact, routing: Routing) -> Traits:
    return read(record_of(contact, routing.policy.blocked), routing.region)
