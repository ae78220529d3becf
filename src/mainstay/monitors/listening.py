"""Watches sources: says when one brings fewer leads than it should, and when they come again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from mainstay.db import transact
from mainstay.monitors import store
from mainstay.monitors.expecting import (
    SOURCE,
    Hour,
    SourceRule,
    Watched,
    from_facts,
    judge,
    learned,
    reach,
    to_facts,
)
from mainstay.monitors.looking import Looking
from mainstay.monitors.rhythm import DAYS
from mainstay.monitors.rules import fingerprint_of

if TYPE_CHECKING:
    from mainstay.db import Connection, Pool, Row
    from mainstay.engine.history import Clock
    from mainstay.watch import Alerter

_LEAD, _ACCEPTED = "lead", "accepted"


class Expecting(Protocol):
    """What the composition root knows of sources that are watched."""

    @property
    def workspaces(self) -> Mapping[UUID, object]:
        """The workspaces that this process serves."""
        ...

    def source_rules(self, workspace_id: UUID) -> Mapping[str, SourceRule]:
        """Return what is expected of each source that is watched."""
        ...


class Listening:
    """The watch over the sources of a process's workspaces. Any number of processes may work on one database.

    It reads the counters that intake keeps as deliveries are taken, never the deliveries.
    """

    def __init__(self, pool: Pool, expecting: Expecting, alerter: Alerter, clock: Clock | None = None) -> None:
        self._pool = pool
        self._expecting = expecting
        self._alerter = alerter
        self._due = Looking(pool, SOURCE, expecting.workspaces, clock)

    async def declare(self, workspace_id: UUID) -> None:
        """Let the sources that are watched be those of the stack. What is expected anew counts from now."""
        rules = {name: rule.in_words() for name, rule in self._expecting.source_rules(workspace_id).items()}

        async def write(connection: Connection) -> None:
            now = await self._due.now(connection)
            for name in await store.declare_kind(connection, workspace_id, SOURCE, rules, now):
                await self._alerter.recover(connection, workspace_id, fingerprint_of(SOURCE, name))

        await transact(self._pool, write)

    async def look(self) -> int:
        """Judge every source that is due; returns how many were found silent."""
        return await self._due.look(self._look)

    async def next_moment(self) -> datetime | None:
        """Return when a lead must have come next."""
        return await self._due.next_moment()

    async def _look(self, connection: Connection, row: Row, now: datetime) -> bool:
        workspace_id, name = row["workspace_id"], row["name"]
        rule = self._expecting.source_rules(workspace_id).get(name)
        if rule is None:
            # Declared by a process that started later: it is that one's to judge.
            await store.look_again(connection, workspace_id, SOURCE, name, now + timedelta(minutes=1))
            return False
        before = replace(
            from_facts(row["facts"]), state=row["state"], seen_at=row["seen_at"], expected_at=row["expected_at"]
        )
        if rule.expectation is None:
            before = await self._learn(connection, workspace_id, rule, before, now)
        hours = await _hours(connection, workspace_id, name, reach(rule, now), now)
        found = judge(rule, before, hours, now)
        await store.stand_as(
            connection,
            workspace_id,
            SOURCE,
            name,
            store.Place(
                found.watched.state,
                found.watched.seen_at,
                found.watched.expected_at,
                found.watched.look_at,
                to_facts(found.watched),
            ),
        )
        if found.is_recovered:
            await self._alerter.recover(connection, workspace_id, fingerprint_of(SOURCE, name))
        if found.trouble is not None:
            await self._alerter.raise_trouble(connection, workspace_id, found.trouble)
        return found.trouble is not None

    @staticmethod
    async def _learn(
        connection: Connection, workspace_id: UUID, rule: SourceRule, before: Watched, now: datetime
    ) -> Watched:
        """Learn once a day what is usual. While a source is silent, what was usual before stays so."""
        today = now.astimezone(rule.timezone).date()
        if before.learned_on == today or before.state == "down":
            return before
        hours = await _hours(connection, workspace_id, rule.name, now - timedelta(days=DAYS + 1), now)
        return replace(before, rhythm=learned(rule, hours, today), learned_on=today)


async def _hours(
    connection: Connection, workspace_id: UUID, source: str, since: datetime, now: datetime
) -> tuple[Hour, ...]:
    """Return what a source brought by hour, oldest first: leads, or of one that brings none all that it brings."""
    found = await store.hours_of(connection, workspace_id, f"source {source}", (_LEAD, _ACCEPTED), since, now)
    return tuple(Hour(*each) for each in found[_LEAD] or found[_ACCEPTED])
